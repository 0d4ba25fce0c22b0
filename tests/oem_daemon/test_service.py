"""The daemon from outside: real gRPC with mutual TLS, tokens, streams and metrics."""

from __future__ import annotations

import asyncio
import json
import os
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

import oem_tco
from oem_api import ApiError, AsyncTradingClient, TlsMaterial, pb
from oem_daemon.bootstrap import AUDIENCE, check_site, compose
from oem_daemon.daemon import Daemon
from oem_daemon.recall import recall
from oem_risk import JournalledSwitch, TradingState, replay_switch
from oem_security import CertificateAuthority, Keyring, hand_over, issue_token, read_journal
from site_support import MadeSite, descriptor_of, edit_config, make_site


class Running:
    def __init__(self, made: MadeSite, facts: dict[str, str]) -> None:
        self.made = made
        self.site = made.site
        self.target = facts["grpc"]
        self.metrics = facts["metrics"]

    def tls(self, name: str = "client") -> TlsMaterial:
        folder = self.site.mtls
        return TlsMaterial(
            ca=folder / "ca.pem",
            certificate=folder / f"{name}.pem",
            private_key=folder / f"{name}.key",
        )

    def client(self, token: str | None = None, name: str = "client") -> AsyncTradingClient:
        return AsyncTradingClient(self.target, self.tls(name), token or self.made.token)

    async def get(self, path: str) -> str:
        url = self.metrics.removesuffix("/metrics") + path

        def read() -> str:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return str(answer.read().decode())

        return await asyncio.to_thread(read)

    async def cycles_done(self) -> None:
        for _ in range(300):
            if json.loads(await self.get("/healthz"))["cycles_done"]:
                return
            await asyncio.sleep(0.05)
        raise AssertionError("the cycles did not end")


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with started(make_site(tmp_path, bars=100)) as daemon:
        yield daemon


@asynccontextmanager
async def started(made: MadeSite) -> AsyncIterator[Running]:
    daemon = Daemon(made.site, cycles=25)
    task = asyncio.create_task(daemon.run())
    ready = made.site.runtime / "daemon.json"
    while not ready.exists():
        assert not task.done(), task.exception()
        await asyncio.sleep(0.02)
    yield Running(made, json.loads(ready.read_text()))
    daemon._stop.set()
    assert await task == 0
    assert not ready.exists()


async def test_everything_can_be_read_from_outside(running: Running) -> None:
    await running.cycles_done()
    async with running.client() as client:
        status = await client.status()
        assert (status.caller, list(status.caller_roles)) == ("alice", ["operator"])
        assert status.cycles == 25
        assert status.trading_state == pb.TRADING_STATE_ACTIVE
        assert status.decision_log_seq > 25
        assert list(status.venues) == ["paper"]
        assert status.licence.state == pb.LICENCE_STATE_VALID
        orders = await client.orders(page_size=2)
        assert len(orders.orders) == 2
        assert orders.next_page_token
        everything = [o async for o in client.iter_orders(page_size=3)]
        assert len({o.client_order_id for o in everything}) == len(everything)
        filled = [f async for f in client.iter_fills()]
        assert filled
        assert all(abs(sum(c.bps for c in f.costs) - f.cost_bps) < 1e-9 for f in filled)
        decisions = await client.decisions(verdict=pb.VERDICT_ACCEPT)
        assert all(d.verdict == pb.VERDICT_ACCEPT for d in decisions.decisions)
        risk = await client.risk()
        assert {limit.name for limit in risk.limits} >= {"leverage", "drawdown"}
    text = await running.get("/metrics")
    assert "oem_cycles_total 25.0" in text
    assert 'live_orders_total{outcome="filled",venue="paper"}' in text
    assert json.loads(await running.get("/readyz"))["ready"] is True


async def test_an_operators_order_and_its_replay(running: Running) -> None:
    await running.cycles_done()
    request = pb.SubmitOrderRequest(
        client_order_id="op-1", symbol="BTC/USDT", side=pb.SIDE_BUY, type=pb.ORDER_TYPE_MARKET,
        quantity="0.01", reason="test",
    )  # fmt: skip
    async with running.client() as client:
        order = await client.submit_order(request)
        assert order.state == pb.ORDER_STATE_FILLED
        again = await client.submit_order(request)
        assert again.venue_order_id == order.venue_order_id
        request.quantity = "0.02"
        with pytest.raises(ApiError) as caught:
            await client.submit_order(request)
        assert caught.value.code == "ALREADY_EXISTS"
        with pytest.raises(ApiError) as caught:
            await client.cancel_order("nobody", "test")
        assert caught.value.code == "NOT_FOUND"
        request.client_order_id, request.quantity = "op-2", "much"
        with pytest.raises(ApiError, match="decimal number"):
            await client.submit_order(request)


async def test_a_resting_order_is_cancelled(running: Running) -> None:
    await running.cycles_done()
    async with running.client() as client:
        await client.submit_order(
            pb.SubmitOrderRequest(
                client_order_id="rest-1", symbol="BTC/USDT", side=pb.SIDE_BUY,
                type=pb.ORDER_TYPE_LIMIT, quantity="0.01", limit_price="1000.00", reason="rest",
            )
        )  # fmt: skip
        listed = await client.orders(open_only=True)
        assert [o.client_order_id for o in listed.orders] == ["rest-1"]
        order = await client.cancel_order("rest-1", "changed my mind")
        assert order.state == pb.ORDER_STATE_CANCELED


async def test_events_are_streamed_and_a_halt_is_one(running: Running) -> None:
    await running.cycles_done()
    seen: list[str] = []
    async with running.client() as client:
        events = client.events()
        assert (await anext(events)).WhichOneof("value") == "heartbeat"
        await client.submit_order(
            pb.SubmitOrderRequest(
                client_order_id="op-5", symbol="ETH/USDT", side=pb.SIDE_BUY,
                type=pb.ORDER_TYPE_MARKET, quantity="0.1", reason="stream",
            )
        )  # fmt: skip
        status = await client.set_trading_state(pb.TRADING_STATE_HALTED, "drill")
        assert status.trading_state == pb.TRADING_STATE_HALTED
        async with asyncio.timeout(10):
            async for event in events:
                seen.append(event.WhichOneof("value") or "")
                if "status" in seen:
                    break
    assert {"order", "fill", "status"} <= set(seen)


async def test_the_risk_engines_switch_outlives_the_daemon_and_an_operator_resets_it(
    tmp_path: Path,
) -> None:
    made = make_site(tmp_path, bars=100)
    keyring = Keyring.open(made.site.keys)
    with JournalledSwitch.open(made.site.risk_switch, keyring) as switch:
        switch.trip(TradingState.REDUCING, "drawdown of the last run")
    async with started(made) as running, running.client() as client:
        status = await client.status()
        assert status.trading_state == pb.TRADING_STATE_REDUCING
        assert status.trading_state_reason == "drawdown of the last run"
        assert (await client.orders()).orders == []
        status = await client.set_trading_state(pb.TRADING_STATE_ACTIVE, "looked at it")
        assert status.trading_state == pb.TRADING_STATE_ACTIVE
    stands = replay_switch(made.site.risk_switch, keyring)
    assert (stands.state, stands.by, stands.reason) == (
        TradingState.ACTIVE, "alice", "looked at it"
    )  # fmt: skip


async def test_calls_without_token_scope_or_certificate_are_refused_and_audited(
    running: Running,
) -> None:
    keyring = Keyring.open(running.site.keys)
    auditor = issue_token(keyring, audience=AUDIENCE, subject="bob", roles=("auditor",), ttl_s=60)
    other = issue_token(keyring, audience="elsewhere", subject="eve", roles=("operator",), ttl_s=60)
    for token, code in (("forged", "UNAUTHENTICATED"), (other, "UNAUTHENTICATED")):
        async with running.client(token) as client:
            with pytest.raises(ApiError) as caught:
                await client.status()
            assert caught.value.code == code
    async with running.client(auditor) as client:
        assert (await client.status()).caller == "bob"
        with pytest.raises(ApiError, match="may not trade:control"):
            await client.set_trading_state(pb.TRADING_STATE_HALTED, "no right")
    bare = TlsMaterial(ca=running.site.mtls / "ca.pem")
    async with AsyncTradingClient(running.target, bare, running.made.token) as client:
        with pytest.raises(ApiError):
            await client.status()
    audit = list(read_journal(running.site.rbac_audit, keyring))
    assert {r.kind for r in audit} >= {"rbac.granted", "rbac.denied"}


async def test_a_revoked_certificate_is_refused_on_the_next_call(running: Running) -> None:
    authority = CertificateAuthority.open(running.site.mtls)
    authority.issue_client("second")
    async with running.client(name="second") as client:
        await client.status()
        serial = next(e.serial for e in authority.issued() if e.name == "second")
        authority.revoke(serial)
        with pytest.raises(ApiError, match="revoked"):
            await client.status()
    async with running.client() as client:
        await client.status()


async def test_an_operators_entry_is_taken_by_the_running_daemon(running: Running) -> None:
    log, keyring = running.site.decision_log("paper"), Keyring.open(running.site.keys)
    entry = {"text": "mTLS material checked", "operator": "alice"}
    receipt = await asyncio.to_thread(hand_over, log, keyring, "operator.note", entry, wait_s=1)
    found = [r for r in read_journal(log, keyring, {"operator.note"}) if r.seq == receipt.seq]
    assert [dict(r.body) for r in found] == [entry]


async def test_metrics_tell_how_long_keys_and_certificate_last(running: Running) -> None:
    page = await running.get("/metrics")
    left = {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in page.splitlines()
        if "_days_left" in line and not line.startswith("#")
    }
    assert 89 < left['oem_key_days_left{purpose="document"}'] <= 90
    assert 89 < left["oem_certificate_days_left"] <= 90


async def test_a_request_that_would_fill_the_log_is_refused(running: Running) -> None:
    await running.cycles_done()
    request = pb.SubmitOrderRequest(
        client_order_id="op-long", symbol="BTC/USDT", side=pb.SIDE_BUY, quantity="0.01",
        type=pb.ORDER_TYPE_MARKET, reason="x" * 501,
    )  # fmt: skip
    size = running.site.decision_log("paper").stat().st_size
    async with running.client() as client:
        with pytest.raises(ApiError, match="reason is missing or wrong"):
            await client.submit_order(request)
        with pytest.raises(ApiError, match="reason is missing or wrong"):
            await client.cancel_order("op-long", "y" * 501)
        request.reason = "x" * 100_000
        with pytest.raises(ApiError):
            await client.submit_order(request)
        assert (await client.status()).caller == "alice"
    assert running.site.decision_log("paper").stat().st_size == size


async def test_a_full_disk_under_the_ledger_stops_trading_and_nothing_of_it_is_lost(
    tmp_path: Path,
) -> None:
    made = make_site(tmp_path, bars=100)
    edit_config(made.site, "cycle_seconds: 0.0", "cycle_seconds: 0.02")
    daemon = Daemon(made.site)
    task = asyncio.create_task(daemon.run())
    ready = made.site.runtime / "daemon.json"
    while not ready.exists():
        assert not task.done(), task.exception()
        await asyncio.sleep(0.02)
    running = Running(made, json.loads(ready.read_text()))
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, descriptor_of(made.site.cost_ledger / "fills.csv"))
    os.close(full)
    async with running.client() as client:
        for _ in range(500):
            if (status := await client.status()).alerts:
                break
            await asyncio.sleep(0.02)
        # nothing more is traded, and operators still see what there is
        (alert,) = status.alerts
        assert alert.source == "trading"
        assert "No space left" in alert.what
        health = json.loads(await running.get("/healthz"))
        assert (health["ready"], health["trading"]) == (False, "stopped")
        assert "No space left" in health["why"]
        assert (await client.orders()).orders
        # what is not finite is shown as unknown, not as an error
        assert daemon._parts is not None
        daemon._parts.pipeline.portfolio.cash = Decimal(-(10**9))
        risk = await client.risk()
        assert (risk.leverage, risk.equity[:2]) == ("", "-9")
    daemon._stop.set()
    with pytest.raises(oem_tco.LedgerError, match="No space left"):
        await task
    again = compose(made.site, check_site(made.site), lambda _: None)
    with again.resources:
        await again.router.start()
        log = made.site.decision_log("paper")
        again.pipeline.restore(partial(recall, log, again.checked.keyring))
        rows = again.ledger.rows()
        orders = again.store.orders()
        await again.router.stop()
    assert {row.order_id for row in rows.orders} == {order.intent_id for order in orders}
    assert len(rows.fills) == sum(len(order.fills) for order in orders) > 0
