"""The kill campaign on the daemon: orders over gRPC, SIGKILL, restart; the venue's book decides."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from exec_campaign import FAULTS, PRICES, Verdict, audit
from exec_live_support import KEY, SECRETS, server_of
from oem_api import ApiError, AsyncTradingClient, TlsMaterial, pb
from oem_daemon.site import Site
from oem_daemon.translate import fill_id
from oem_exec import SqliteOrderStore
from oem_exec.venue_server.faults import FaultPlan
from oem_exec.venue_server.server import VenueServer
from oem_security import Keyring, Vault, read_journal, verify_journal
from oem_security.vault.kdf import KdfParameters
from oem_tco import read_ledger
from site_support import MadeSite, edit_config, make_site

PASSPHRASE = "campaign"
WORKERS = 16
RESTING = 50
"""Orders the customer leaves resting; a venue allows only so many (Binance: 200 a symbol)."""
RESTING_SELLS = {"59000": "61000", "58500": "61500"}
LIVE = """\
  live:
    venues:
      - exchange: {dialect}
        base_url: {url}
        credentials: {dialect}
        timeout_seconds: 1.0
        receive_window_seconds: 0.5
        visibility_delay_seconds: 0.05
        limits: [{limits}]
    poll_seconds: 1.0
    start_patience_seconds: 10
"""
LIMITS = {
    "binance": "{bucket: weight, units: 9000000, window_seconds: 60}, "
    "{bucket: orders, units: 900000, window_seconds: 10}",
}


@dataclass(frozen=True)
class DaemonVerdict:
    """What the campaign ended with.

    Attributes:
        orders: The venue's book against the store.
        answered: Orders the daemon acknowledged to the client.
        forgotten: Acknowledged orders that the store does not have.
        unlogged: Sent orders without intent in the decision log.
        uncosted: Orders or fills of the store that are not in the cost ledger exactly once.
        records: Records of the decision log, which verified after every restart.
    """

    orders: Verdict
    answered: int
    forgotten: int
    unlogged: int
    uncosted: int
    records: int


def sandbox_site(folder: Path, url: str, dialect: str) -> MadeSite:
    """Make a site of stage demo that trades on a venue server."""
    made = make_site(folder, features=("paper", "demo"))
    vault = Vault.create(made.site.vault, PASSPHRASE, KdfParameters(19_456, 2, 1))
    vault.put_all({f"{dialect}/key": KEY, f"{dialect}/secret": SECRETS[dialect]})
    text = made.site.config.read_text()
    start, end = text.index("market_data:"), text.index("\nstrategies:")
    edit_config(made.site, text[start:end], "market_data:\n  source: venue\n", sign=False)
    edit_config(made.site, "stage: paper", "stage: demo", sign=False)
    edit_config(made.site, "symbols: [BTC/USDT, ETH/USDT]", "symbols: [BTC/USDT]", sign=False)
    live = LIVE.replace("{limits}", LIMITS[dialect]).replace("{url}", url)
    edit_config(
        made.site, "  instruments:\n", live.replace("{dialect}", dialect) + "  instruments:\n"
    )
    return made


class Daemons:
    """Daemon processes of one site, one after the other."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._pid = 0
        self._nursery: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self._nursery = await asyncio.create_subprocess_exec(
            sys.executable, str(Path(__file__).with_name("daemon_nursery.py")), str(self.site.root),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "OEM_VAULT_PASSPHRASE": PASSPHRASE},
        )  # fmt: skip
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._nursery is not None
        if self._pid:
            await self.end(signal.SIGKILL)
        assert self._nursery.stdin is not None
        self._nursery.stdin.close()
        await self._nursery.wait()

    async def start(self) -> str:
        """Start a daemon and return its gRPC address once it listens."""
        ready = self.site.runtime / "daemon.json"
        ready.unlink(missing_ok=True)
        assert self._nursery is not None
        assert self._nursery.stdin is not None
        self._nursery.stdin.write(b"\n")
        self._pid = await self._line()
        deadline = time.monotonic() + 60
        while not ready.exists():
            assert time.monotonic() < deadline
            os.kill(self._pid, 0)  # raises when it has ended
            await asyncio.sleep(0.01)
        return str(json.loads(ready.read_text())["grpc"])

    async def end(self, number: signal.Signals) -> int:
        """Send a signal and wait; returns the exit code."""
        os.kill(self._pid, number)
        self._pid = 0
        return await self._line()

    async def _line(self) -> int:
        assert self._nursery is not None
        assert self._nursery.stdout is not None
        return int(await self._nursery.stdout.readline())


class Customer:
    """Sends orders under ids of its own, and repeats those whose answer it never saw."""

    def __init__(self, made: MadeSite, rng: random.Random) -> None:
        self._made = made
        self._rng = rng
        self._next = 0
        self._unanswered: list[str] = []
        self._orders: dict[str, pb.SubmitOrderRequest] = {}
        self.answered: set[str] = set()

    def client(self, address: str) -> AsyncTradingClient:
        mtls = self._made.site.mtls
        tls = TlsMaterial(mtls / "ca.pem", mtls / "client.pem", mtls / "client.key")
        return AsyncTradingClient(address, tls, self._made.token)

    async def trade(self, address: str, count: int) -> None:
        """Send until `count` new orders are answered or the daemon is gone."""
        stop = self._next + count
        async with self.client(address) as client:
            await asyncio.gather(
                self._tidy(client), *(self._work(client, stop) for _ in range(WORKERS))
            )

    async def _tidy(self, client: AsyncTradingClient) -> None:
        """Cancel the resting orders but the newest."""
        try:
            found = await client.orders(open_only=True, page_size=1000)
            for order in found.orders[RESTING:]:
                await client.cancel_order(order.client_order_id, "campaign")
        except ApiError:
            return  # the daemon is gone, or has not answered yet: the next life tidies up

    async def _work(self, client: AsyncTradingClient, stop: int) -> None:
        while self._unanswered or self._next < stop:
            name = self._unanswered.pop() if self._unanswered else self._new()
            try:
                order = await client.submit_order(self._orders[name])
                if order.state == pb.ORDER_STATE_OPEN and self._rng.random() < 0.95:
                    await client.cancel_order(name, "campaign")
            except ApiError:
                self._unanswered.append(name)
                return
            self.answered.add(name)

    def _new(self) -> str:
        name = f"n{self._next}"
        self._next += 1
        price = self._rng.choice(PRICES)
        order = pb.SubmitOrderRequest(
            client_order_id=name, symbol="BTC/USDT", side=pb.SIDE_BUY, type=pb.ORDER_TYPE_LIMIT,
            time_in_force=pb.TIME_IN_FORCE_GTC, quantity="0.001", limit_price=price,
            reason="campaign",
        )  # fmt: skip
        if self._rng.random() < 0.5:
            order.side = pb.SIDE_SELL
            if (resting := RESTING_SELLS.get(price)) is not None:
                order.limit_price = resting
            else:  # at a price it would be one of those that are delivered twice, see FAULTS
                order.type = pb.ORDER_TYPE_MARKET
                order.ClearField("limit_price")
        self._orders[name] = order
        return name


async def daemon_campaign(
    folder: Path,
    *,
    orders: int,
    kills: int,
    seed: int = 1,
    dialect: str = "binance",
    verify_every: int = 1,
) -> DaemonVerdict:
    """Trade about `orders` orders, killing the daemon `kills` times; then audit everything.

    The whole decision log is verified after every `verify_every`th kill and at the end.
    """
    rng = random.Random(seed)
    async with server_of(dialect, *FAULTS, seed=seed) as server:
        made = sandbox_site(folder, server.url, dialect)
        # fees of a whole campaign must not use up the day's cost budget
        edit_config(made.site, "initial_cash: 100000", "initial_cash: 100000000")
        customer = Customer(made, rng)
        share = max(orders // (kills + 1), 2)
        async with Daemons(made.site) as daemons:
            for killed in range(1, kills + 1):
                address = await daemons.start()
                trading = asyncio.create_task(customer.trade(address, share))
                await _some_orders(server, rng.randrange(share // 2, share), trading)
                await asyncio.sleep(rng.random() * 0.01)
                await daemons.end(signal.SIGKILL)
                await asyncio.gather(trading, return_exceptions=True)
                if killed % verify_every == 0:
                    _verify_log(made)
                server.refill()
            faults = dict(server.faults.counts)
            server.faults = FaultPlan((), seed)
            address = await daemons.start()
            await customer.trade(address, share)
            async with customer.client(address) as client:
                await _settled(client)
            assert await daemons.end(signal.SIGTERM) == 0
        store = SqliteOrderStore.open(made.site.orders)
        try:
            verdict = audit(server.exchange.orders.values(), store, kills, faults)
            return _judge(made, store, verdict, customer.answered, dialect)
        finally:
            store.close()


async def _some_orders(server: VenueServer, more: int, trading: asyncio.Task[None]) -> None:
    target, deadline = len(server.exchange.orders) + more, time.monotonic() + 60
    while (  # noqa: ASYNC110 - the venue's book is watched, not waited on
        len(server.exchange.orders) < target and not trading.done() and time.monotonic() < deadline
    ):
        await asyncio.sleep(0.003)


async def _settled(client: AsyncTradingClient) -> None:
    """Wait until no order's outcome is unknown any more."""
    waiting = (pb.ORDER_STATE_UNKNOWN, pb.ORDER_STATE_SUBMITTING)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = await client.orders(open_only=True, page_size=1000)
        if not any(order.state in waiting for order in found.orders):
            await asyncio.sleep(1.0)  # one more poll of the open orders
            return
        await asyncio.sleep(0.2)


def _verify_log(made: MadeSite) -> int:
    log = made.site.decision_log("demo")
    return verify_journal(log, Keyring.open(made.site.keys)).records


def _judge(
    made: MadeSite, store: SqliteOrderStore, verdict: Verdict, answered: set[str], dialect: str
) -> DaemonVerdict:
    records = read_journal(made.site.decision_log("demo"), Keyring.open(made.site.keys))
    logged = {r.body["intent"]["intent_id"] for r in records if r.kind == "order.intent"}
    orders = store.orders()
    intents = {order.intent_id for order in orders}
    rows = read_ledger(made.site.cost_ledger)
    status = {row.order_id: row.status for row in rows.orders}
    latest = {name: state.value for name, _, state in store.outcomes([dialect])}
    fills = sorted(fill_id(fill) for order in orders for fill in order.fills)
    uncosted = sum(1 for name, state in latest.items() if status.get(name) != state)
    uncosted += len(set(fills) ^ {row.fill_id for row in rows.fills}) + len(rows.duplicate_fills)
    return DaemonVerdict(
        orders=verdict,
        answered=len(answered),
        forgotten=len(answered - intents),
        unlogged=len({o.intent_id for o in orders if o.venue_order_id} - logged),
        uncosted=uncosted,
        records=_verify_log(made),
    )
