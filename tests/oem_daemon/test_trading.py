"""From bar to ledger: what the pipeline decides, sends and writes down."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

import oem_tco
from oem_daemon.bootstrap import Parts, check_site, compose
from oem_daemon.cost_book import CostBook
from oem_daemon.coverage import load_coverage, save_coverage
from oem_daemon.errors import DecisionLogFailed, OrderRefused
from oem_exec import BookedFill, KillState, OrderIntent, OrderState, Outcome, Side
from oem_risk import RiskReason, TradingState
from oem_security import Keyring, read_journal, verify_journal
from site_support import MadeSite, descriptor_of, make_site


@pytest.fixture
def made(tmp_path: Path) -> MadeSite:
    return make_site(tmp_path, bars=120)


@pytest.fixture
async def parts(made: MadeSite) -> AsyncIterator[Parts]:
    found = compose(made.site, check_site(made.site), lambda _: None)
    with found.resources:
        await found.router.start()
        found.pipeline.restore()
        yield found
        await found.router.stop()


async def cycle(parts: Parts, count: int) -> None:
    for _ in range(count):
        await parts.pipeline.run_cycle()


async def all_written(parts: Parts) -> None:
    """Wait until what was learnt of the orders is in the log, then in the store."""
    for _ in range(2_000):
        stored = {order.client_order_id: order.state for order in parts.store.orders()}
        if all(stored.get(o.client_order_id) is o.state for o in parts.router.orders()):
            break
        await asyncio.sleep(0.005)
    await parts.log.append("test.written", {})


async def test_every_decision_and_order_is_in_the_signed_log(made: MadeSite, parts: Parts) -> None:
    await cycle(parts, 60)
    log = made.site.decision_log("paper")
    keyring = Keyring.open(made.site.keys)
    records = list(read_journal(log, keyring))
    verdicts = {
        r.body["decision_id"]: r.body["verdict"] for r in records if r.kind == "decision.verdict"
    }
    intents = {r.body["intent"]["intent_id"] for r in records if r.kind == "order.intent"}
    accepted = {name for name, verdict in verdicts.items() if verdict == "accept"}
    assert len(verdicts) == len(parts.pipeline.decisions) > 5
    assert intents <= accepted
    assert intents == {order.intent_id for order in parts.router.orders()}
    assert verify_journal(log, keyring).records == len(records)
    replayed = oem_tco.replay((str(r.seq), r.kind, r.body) for r in records)
    assert (replayed.checked, replayed.differences) == (len(verdicts), ())


async def test_portfolio_ledger_and_store_agree(made: MadeSite, parts: Parts) -> None:
    await cycle(parts, 60)
    held: dict[str, Decimal] = {}
    for order in parts.router.orders():
        for fill in order.fills:
            sign = 1 if fill.side is Side.BUY else -1
            held[fill.symbol] = held.get(fill.symbol, Decimal(0)) + sign * fill.quantity
    positions = parts.pipeline.portfolio.positions
    assert {s: p.quantity for s, p in positions.items() if s in held} == held
    rows = parts.ledger.rows()
    assert len(rows.orders) == len(parts.router.orders())
    assert len(rows.fills) == len(parts.pipeline.fills)
    result = oem_tco.analyze(rows)
    assert sum(result.total.parts.values()) == result.total.total
    assert result.total.bps(oem_tco.Component.FEES) == pytest.approx(10.0, abs=0.01)


async def test_a_restart_rebuilds_positions_and_goes_on_with_the_next_bar(
    made: MadeSite, parts: Parts
) -> None:
    await cycle(parts, 40)
    before = {s: p.quantity for s, p in parts.pipeline.portfolio.positions.items()}
    cash = parts.pipeline.portfolio.cash
    placed = len(parts.store.orders())
    newest = parts.pipeline.market.current()["BTC/USDT"].close_ns
    await parts.router.stop()
    parts.resources.close()
    again = compose(made.site, check_site(made.site), lambda _: None)
    with again.resources:
        await again.router.start()
        again.pipeline.restore()
        assert again.pipeline.portfolio.cash == cash
        assert len(again.store.orders()) == placed > 0
        assert {s: p.quantity for s, p in again.pipeline.portfolio.positions.items()} == before
        assert again.pipeline.market.current()["BTC/USDT"].close_ns <= newest
        await again.pipeline.run_cycle()
        await again.router.stop()


async def test_an_order_whose_terms_never_reached_the_log_has_its_row_from_the_store(
    made: MadeSite, parts: Parts
) -> None:
    await cycle(parts, 40)
    logged = {row.order_id: row for row in parts.ledger.rows().orders}
    await parts.router.stop()
    parts.resources.close()
    (made.site.cost_ledger / "orders.csv").unlink()
    again = compose(made.site, check_site(made.site), lambda _: None)
    with again.resources:
        await again.router.start()
        again.pipeline.restore()  # without the log
        again.ledger.sync()
        found = {row.order_id: row for row in again.ledger.rows().orders}
        assert found.keys() == logged.keys() != set()
        for name, row in found.items():
            assert row.arrival_price == row.decision_price == logged[name].arrival_price
            kept = ("decision_id", "strategy", "scheduler", "venue", "currency", "status")
            assert all(getattr(row, at) == getattr(logged[name], at) for at in kept)
        await again.router.stop()


async def test_a_fill_that_the_ledger_had_before_the_store_is_not_written_again(
    parts: Parts,
) -> None:
    await cycle(parts, 40)
    *stored, lost = parts.pipeline.history.fills()

    class Behind:
        """The store as it is when a process was killed between ledger and store."""

        def outcomes(self) -> list[Outcome]:
            return []

        def fills(self) -> list[BookedFill]:
            return stored

    book = CostBook(parts.ledger, parts.log)
    book.catch_up(book.behind(Behind()), Behind(), {})  # type: ignore[arg-type]
    order = parts.pipeline.history.order(lost.fill.client_order_id)
    book.filled(lost.fill, order, None)  # learnt again from the venue
    rows = parts.ledger.rows()
    assert len(rows.fills) == len(stored) + 1
    assert rows.duplicate_fills == ()


def intent(name: str, quantity: str, side: Side = Side.BUY) -> OrderIntent:
    return OrderIntent(name, "BTC/USDT", side, Decimal(quantity), strategy="operator")


async def test_an_operators_order_is_checked_and_never_sent_twice(parts: Parts) -> None:
    send = parts.pipeline.operator_order
    order = await send(intent("op-1", "0.01"), caller="alice", reason="test")
    assert order.state is OrderState.FILLED
    again = await send(intent("op-1", "0.01"), caller="alice", reason="test")
    assert again.client_order_id == order.client_order_id
    assert len(parts.router.orders()) == 1
    with pytest.raises(OrderRefused, match="order_size, position"):
        await send(intent("op-2", "5"), caller="alice", reason="too much")
    assert len(parts.router.orders()) == 1


async def test_a_drawdown_trips_the_risk_switch_and_a_restart_leaves_it_tripped(
    made: MadeSite, parts: Parts
) -> None:
    await cycle(parts, 30)
    placed = len(parts.router.orders())
    assert placed > 0
    parts.pipeline.portfolio.peak_equity *= 2  # as if half had been lost
    await cycle(parts, 1)
    stands = parts.pipeline.gate.engine.position
    assert (stands.state, stands.by) == (TradingState.REDUCING, "engine")
    parts.pipeline.portfolio.peak_equity /= 2
    await cycle(parts, 20)
    # long only: what was sent since can only have been sales
    assert all(order.intent.side is Side.SELL for order in parts.router.orders()[placed:])
    refused = [
        decided
        for decided in parts.pipeline.decisions
        if RiskReason.REDUCING_ONLY.value.upper() in decided.inputs.risk.reasons
    ]
    assert refused
    await parts.router.stop()
    parts.resources.close()
    again = compose(made.site, check_site(made.site), lambda _: None)
    with again.resources:
        assert again.pipeline.gate.engine.position == stands
    kinds = [
        r.kind for r in read_journal(made.site.decision_log("paper"), Keyring.open(made.site.keys))
    ]
    assert kinds.count("risk.switch") == 1


async def test_a_halt_stops_entries_and_is_journalled(made: MadeSite, parts: Parts) -> None:
    await parts.router.set_kill_state(KillState.HALTED, reason="drill", operator="alice")
    await cycle(parts, 30)
    assert parts.router.orders() == ()
    kinds = {
        r.kind for r in read_journal(made.site.decision_log("paper"), Keyring.open(made.site.keys))
    }
    assert "router.kill_state" in kinds


async def test_a_full_disk_on_the_decision_log_stops_trading_and_says_so(made: MadeSite) -> None:
    failures: list[DecisionLogFailed] = []
    parts = compose(made.site, check_site(made.site), failures.append)
    await parts.router.start()
    parts.pipeline.restore()
    await cycle(parts, 20)
    await all_written(parts)
    orders = len(parts.router.orders())
    size = made.site.decision_log("paper").stat().st_size
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, descriptor_of(made.site.decision_log("paper")))
    os.close(full)
    with pytest.raises(DecisionLogFailed, match="No space left"):
        await cycle(parts, 60)
    assert len(failures) == 1
    assert "restart" in failures[0].remedy
    assert len(parts.router.orders()) == orders
    with pytest.raises(DecisionLogFailed):
        await parts.pipeline.operator_order(intent("op-9", "0.01"), caller="a", reason="")
    await parts.router.stop()
    parts.resources.close()
    assert made.site.decision_log("paper").stat().st_size == size
    verify_journal(made.site.decision_log("paper"), Keyring.open(made.site.keys))


async def test_what_orders_cost_puts_the_next_estimates_right(made: MadeSite, parts: Parts) -> None:
    await cycle(parts, 70)
    learnt = parts.pipeline.coverage
    filled = [d for d in parts.pipeline.decisions if d.order_id]
    assert len(learnt.observations) == len(filled) > 30
    first, last = filled[0].inputs.estimate, filled[-1].inputs.estimate
    # the paper book's cost is known almost exactly, so intervals shrink from the model's own
    assert last.high_bps - last.low_bps < (first.high_bps - first.low_bps) / 2
    save_coverage(learnt, made.site.estimate_coverage)
    again = load_coverage(made.site.estimate_coverage)
    assert again.to_record() == learnt.to_record()
    made.site.estimate_coverage.write_text("{}")
    assert load_coverage(made.site.estimate_coverage).observations == ()
