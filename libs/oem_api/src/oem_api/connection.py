"""What the synchronous and the asynchronous client share: options, token, deadlines."""

from __future__ import annotations

from dataclasses import dataclass

from oem_api.errors import InvalidRequest
from oem_api.server import bearer_metadata
from oem_api.tls import TlsMaterial, checked_target

MAX_MESSAGE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Connection:
    """Where a client connects and as whom.

    Attributes:
        target: HOST:PORT of the daemon.
        tls: Certificates and key.
        token: The operator token; empty sends none.
        server_name: Name the daemon's certificate carries, where it is not the host of the
            target; empty to use the host.
        timeout_s: Deadline of each call in seconds, more than 0.
    """

    target: str
    tls: TlsMaterial
    token: str = ""
    server_name: str = ""
    timeout_s: float = 5.0

    def __post_init__(self) -> None:
        checked_target(self.target)
        if not self.timeout_s > 0:
            raise InvalidRequest("the time-out is not positive", remedy="give seconds above 0")
        if not self.token.isascii() or any(c.isspace() for c in self.token):
            raise InvalidRequest(
                "the token holds characters no token has", remedy="give the token file's one line"
            )

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        return bearer_metadata(self.token)

    @property
    def options(self) -> list[tuple[str, str | int]]:
        options: list[tuple[str, str | int]] = [
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.keepalive_time_ms", 20_000),
            ("grpc.keepalive_timeout_ms", 10_000),
            ("grpc.initial_reconnect_backoff_ms", 200),
            ("grpc.max_reconnect_backoff_ms", 5_000),
            # Two clients with other certificates must never share one connection.
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.enable_http_proxy", 0),
        ]
        if self.server_name:
            options.append(("grpc.ssl_target_name_override", self.server_name))
        return options
