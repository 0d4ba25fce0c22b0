"""A real TLS 1.3 gRPC server over loopback, with certificates made for the test."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

# isort: off
from oem_api import TlsMaterial, pb  # before grpc: its import leaves TLS 1.3 alone

# isort: on
import grpc
import grpc.aio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from oem_api.server import (
    TradingServiceServicer,
    add_TradingServiceServicer_to_server,
    bearer_token,
    error_trailer,
    status_code_of,
)

TOKEN = "operator-token-for-tests"
NS = 1_000_000_000
START_NS = 1_767_225_600 * NS


@dataclass(frozen=True, slots=True)
class Pki:
    """A private authority with one server and one client certificate, as PEM files."""

    folder: Path

    @property
    def client(self) -> TlsMaterial:
        return TlsMaterial(
            self.folder / "ca.pem", self.folder / "client.pem", self.folder / "client.key"
        )

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()


def make_pki(folder: Path) -> Pki:
    """Write an authority, a server and a client certificate below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    now = dt.datetime.now(dt.UTC)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])

    def issue(name: str, key: ec.EllipticCurvePrivateKey, *, ca: bool) -> None:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(ca_name if ca else subject)
            .issuer_name(ca_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(minutes=5))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if not ca:
            names: list[x509.GeneralName] = [
                x509.DNSName("localhost"),
                x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
            ]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(ca_key, hashes.SHA256())
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (folder / f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )

    issue("ca", ca_key, ca=True)
    issue("server", ec.generate_private_key(ec.SECP256R1()), ca=False)
    issue("client", ec.generate_private_key(ec.SECP256R1()), ca=False)
    return Pki(folder)


def order(number: int, **changes: object) -> pb.Order:
    """Return a filled order, told apart by its number."""
    value = pb.Order(
        client_order_id=f"order-{number}",
        symbol="BTC/USDT",
        side=pb.SIDE_BUY,
        type=pb.ORDER_TYPE_LIMIT,
        quantity="0.01500",
        limit_price="60100.00",
        state=pb.ORDER_STATE_FILLED,
        filled_quantity="0.01500",
        average_price="60050.25",
        fees=[pb.FeeAmount(asset="USDT", amount="0.90075375")],
        venue="paper",
        strategy="trend",
        profile="balanced",
        created_ns=START_NS + number * NS,
        updated_ns=START_NS + number * NS + 40_000_000,
        latency_ns=12_300_000,
    )
    value.MergeFrom(pb.Order(**changes))  # type: ignore[arg-type]
    return value


@dataclass
class Desk(TradingServiceServicer):
    """A small working desk behind the contract: it keeps orders and tells subscribers."""

    token: str = TOKEN
    orders: list[pb.Order] = field(default_factory=list)
    fills: list[pb.Fill] = field(default_factory=list)
    decisions: list[pb.Decision] = field(default_factory=list)
    status: pb.Status = field(default_factory=pb.Status)
    risk: pb.Risk = field(default_factory=pb.Risk)
    subscribers: list[asyncio.Queue[pb.Event | None]] = field(default_factory=list)
    tls_versions: set[str] = field(default_factory=set)
    delay_s: float = 0.0

    async def _admit(self, context: grpc.aio.ServicerContext) -> None:
        self.tls_versions.update(v.decode() for v in context.auth_context()["ssl_tls_version"])
        token = bearer_token(context.invocation_metadata())
        if token != self.token:
            await context.abort(
                grpc.StatusCode.UNAUTHENTICATED,
                "no valid operator token",
                error_trailer("trust", "no valid operator token", "", "ask for a token"),
            )
        if self.delay_s:
            await asyncio.sleep(self.delay_s)

    async def _refuse(
        self, context: grpc.aio.ServicerContext, category: str, what: str, where: str
    ) -> None:
        await context.abort(
            status_code_of(category), what, error_trailer(category, what, where, "mend the größe")
        )

    def publish(self, event: pb.Event) -> None:
        for queue in self.subscribers:
            queue.put_nowait(event)

    async def GetStatus(self, request, context):
        await self._admit(context)
        return self.status

    async def GetRisk(self, request, context):
        await self._admit(context)
        return self.risk

    async def _page(self, request, context, values):
        await self._admit(context)
        if request.page_size > 1000:
            await self._refuse(context, "input", "the page is too large", "page_size")
        size = request.page_size or 100
        start = int(request.page_token or 0)
        more = start + size < len(values)
        return values[start : start + size], str(start + size) if more else ""

    async def ListOrders(self, request, context):
        page, token = await self._page(request, context, self.orders)
        return pb.ListOrdersResponse(orders=page, next_page_token=token)

    async def ListFills(self, request, context):
        page, token = await self._page(request, context, self.fills)
        return pb.ListFillsResponse(fills=page, next_page_token=token)

    async def ListDecisions(self, request, context):
        page, token = await self._page(request, context, self.decisions)
        return pb.ListDecisionsResponse(decisions=page, next_page_token=token)

    async def SubmitOrder(self, request, context):
        await self._admit(context)
        if self.status.trading_state == pb.TRADING_STATE_HALTED:
            await self._refuse(context, "state", "trading is halted", "kill switch")
        new = pb.Order(
            client_order_id=request.client_order_id,
            symbol=request.symbol,
            side=request.side,
            type=request.type,
            quantity=request.quantity,
            limit_price=request.limit_price,
            state=pb.ORDER_STATE_OPEN,
        )
        for held in self.orders:
            if held.client_order_id == new.client_order_id:
                if held != new:
                    await context.abort(grpc.StatusCode.ALREADY_EXISTS, "the id is taken")
                return held
        self.orders.insert(0, new)
        self.publish(pb.Event(time_ns=START_NS, order=new))
        return new

    async def CancelOrder(self, request, context):
        await self._admit(context)
        for held in self.orders:
            if held.client_order_id == request.client_order_id:
                held.state = pb.ORDER_STATE_CANCELED
                return held
        return await context.abort(grpc.StatusCode.NOT_FOUND, "no such order")

    async def SetTradingState(self, request, context):
        await self._admit(context)
        self.status.trading_state = request.state
        self.status.trading_state_reason = request.reason
        self.publish(pb.Event(status=self.status))
        return self.status

    async def StreamEvents(self, request, context) -> AsyncIterator[pb.Event]:
        await self._admit(context)
        queue: asyncio.Queue[pb.Event | None] = asyncio.Queue()
        self.subscribers.append(queue)
        try:
            yield pb.Event(heartbeat=pb.Heartbeat(now_ns=START_NS))
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self.subscribers.remove(queue)


@asynccontextmanager
async def serve(pki: Pki, desk: Desk, port: int = 0) -> AsyncIterator[int]:
    """Serve `desk` on loopback with mutual TLS and yield the port."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    add_TradingServiceServicer_to_server(desk, server)
    credentials = grpc.ssl_server_credentials(
        [(pki.read("server.key"), pki.read("server.pem"))],
        root_certificates=pki.read("ca.pem"),
        require_client_auth=True,
    )
    bound = server.add_secure_port(f"127.0.0.1:{port}", credentials)
    await server.start()
    try:
        yield bound
    finally:
        for queue in desk.subscribers:
            queue.put_nowait(None)
        await server.stop(0.2)


@contextmanager
def serve_in_thread(pki: Pki, desk: Desk, port: int = 0) -> Iterator[tuple[int, ThreadLoop]]:
    """Serve `desk` from a thread with its own loop; yields the port and the loop's handle."""
    loop = ThreadLoop()
    loop.start()
    ended = asyncio.Event()

    async def run(report: list[int], ready: threading.Event) -> None:
        async with serve(pki, desk, port) as bound:
            report.append(bound)
            ready.set()
            await ended.wait()

    report: list[int] = []
    ready = threading.Event()
    future = asyncio.run_coroutine_threadsafe(run(report, ready), loop.loop)
    try:
        assert ready.wait(10), "the server did not start"
        yield report[0], loop
    finally:
        loop.loop.call_soon_threadsafe(ended.set)
        future.result(10)
        loop.stop()


class ThreadLoop:
    """An event loop that runs in its own thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def call(self, function, *arguments) -> None:
        """Run a function in the loop's thread."""
        self.loop.call_soon_threadsafe(function, *arguments)

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()
