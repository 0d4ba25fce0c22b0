"""Mutual TLS 1.3 for the clients: where the material is, and what it must look like."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import grpc

from oem_api.errors import InvalidRequest

_TARGET = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class TlsMaterial:
    """What a client needs for mutual TLS: paths of PEM files, or their bytes.

    Attributes:
        ca: The certificate authority that signed the daemon's certificate.
        certificate: The client's certificate chain; None offers none (the daemon refuses then).
        private_key: Its private key; None exactly when `certificate` is None.
    """

    ca: Path | bytes
    certificate: Path | bytes | None = None
    private_key: Path | bytes | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """Return channel credentials.

        Raises:
            InvalidRequest: A file is missing, unreadable or not PEM of the right kind, or only
                one of certificate and key is given.
        """
        if (self.certificate is None) != (self.private_key is None):
            missing = "certificate" if self.certificate is None else "private key"
            raise InvalidRequest(
                f"the client {missing} is missing",
                remedy="give certificate and private key together",
            )
        ca = _pem(self.ca, "CA certificate", b"CERTIFICATE-----")
        if self.certificate is None or self.private_key is None:
            return grpc.ssl_channel_credentials(root_certificates=ca)
        return grpc.ssl_channel_credentials(
            root_certificates=ca,
            private_key=_pem(self.private_key, "private key", b"PRIVATE KEY-----"),
            certificate_chain=_pem(self.certificate, "client certificate", b"CERTIFICATE-----"),
        )


def checked_target(target: str) -> str:
    """Return `target` when it is HOST:PORT.

    Raises:
        InvalidRequest: It is not.

    Example:
        >>> checked_target("127.0.0.1:50051")
        '127.0.0.1:50051'
    """
    match = _TARGET.fullmatch(target)
    if match is None or not 0 < int(match["port"]) < 65_536:
        raise InvalidRequest(
            f"not an address: {target!r}",
            remedy="give HOST:PORT, such as 127.0.0.1:50051, with a port from 1 to 65535",
        )
    return target


def _pem(source: Path | bytes, role: str, marker: bytes) -> bytes:
    place = "" if isinstance(source, bytes) else str(source)
    try:
        data = source if isinstance(source, bytes) else source.read_bytes()
    except OSError as error:
        raise InvalidRequest(
            f"the {role} cannot be read: {error.strerror or error}",
            where=place,
            remedy="check the path and its permissions, or issue new mTLS material",
        ) from None
    if b"-----BEGIN " not in data or marker not in data:
        raise InvalidRequest(
            f"the {role} is not PEM of that kind",
            where=place,
            remedy="check that the paths of CA, certificate and key are not mixed up",
        )
    return data
