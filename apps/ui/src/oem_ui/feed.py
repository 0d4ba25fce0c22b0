"""The connection to the daemon, in a thread of its own; the window never waits for it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from PySide6.QtCore import QObject, Signal

from oem_api import ApiError, TradingClient, pb
from oem_ui.options import ConsoleOptions

SNAPSHOT_ROWS = 200


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything the window shows at the moment of connecting."""

    status: pb.Status
    risk: pb.Risk
    orders: list[pb.Order] = field(default_factory=list)
    fills: list[pb.Fill] = field(default_factory=list)
    decisions: list[pb.Decision] = field(default_factory=list)


class Feed(QObject):
    """Connects, reads a snapshot, follows the stream, and connects again with back-off.

    Signals are emitted from the worker thread; Qt queues them to the window's thread.

    Args:
        options: What to connect to.
        first_wait_s: Wait after the first failure, doubled with each further one.
        longest_wait_s: Upper bound of the wait.
    """

    snapshot = Signal(object)
    happened = Signal(object)
    refused = Signal(object, float)

    def __init__(
        self, options: ConsoleOptions, first_wait_s: float = 1.0, longest_wait_s: float = 30.0
    ) -> None:
        super().__init__()
        self._options = options
        self._first_wait_s = first_wait_s
        self._longest_wait_s = longest_wait_s
        self._stopping = threading.Event()
        self._client: TradingClient | None = None
        self._thread = threading.Thread(target=self._run, name="oem-feed", daemon=True)

    def start(self) -> None:
        """Start the worker."""
        self._thread.start()

    def stop(self) -> None:
        """End the worker and wait for it."""
        self._stopping.set()
        client = self._client
        if client is not None:
            client.close()
        self._thread.join(10)

    def _run(self) -> None:
        wait_s = self._first_wait_s
        while not self._stopping.is_set():
            try:
                self._follow()
                wait_s = self._first_wait_s
                error = ApiError("the daemon ended the stream", remedy="wait: connecting again")
            except ApiError as failure:
                error = failure
            except ValueError:  # grpc: a call on a channel that stop() has closed
                if self._stopping.is_set():
                    return
                raise
            if self._stopping.is_set():
                return
            self.refused.emit(error, wait_s)
            self._stopping.wait(wait_s)
            wait_s = min(wait_s * 2, self._longest_wait_s)

    def _follow(self) -> None:
        options = self._options
        with TradingClient(
            options.target, options.tls, options.token, server_name=options.server_name
        ) as client:
            self._client = client
            client.status()  # has a deadline, the stream has none
            # Subscribe first, list second: nothing that happens in between is missed.
            events = client.events()
            next(events, None)
            self.snapshot.emit(
                Snapshot(
                    client.status(),
                    client.risk(),
                    list(client.orders(page_size=SNAPSHOT_ROWS).orders),
                    list(client.fills(page_size=SNAPSHOT_ROWS).fills),
                    list(client.decisions(page_size=SNAPSHOT_ROWS).decisions),
                )
            )
            for event in events:
                if self._stopping.is_set():
                    return
                self.happened.emit(event)
