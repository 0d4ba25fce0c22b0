"""`oem exec intel`, `reconcile`, `release` and `dry-run` against an imitation over a socket."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exec_live_support import KEY, SECRETS, venue_of
from exec_served import Served, served
from exec_support import FAST, limit, make_router, market
from oem_cli.__main__ import main
from oem_exec import OrderState, SqliteOrderStore
from oem_exec.dry_run import PREFIX
from oem_exec.venue_server.faults import FaultKind, FaultRule
from oem_security import Keyring, read_journal, verify_file, verify_journal
from site_support import MadeSite, edit_config, make_site

Capture = pytest.CaptureFixture[str]
DROP = FaultRule(kind=FaultKind.DROP_AFTER, method="POST", times=1)
SILENT = FaultRule(kind=FaultKind.DROP_BEFORE, method="GET", path="order")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadeSite:
    return make_site(tmp_path_factory.mktemp("cli"))


@pytest.fixture(autouse=True)
def _no_trace_where_it_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a command without --site keeps its budgets here


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(SECRETS["binance"])
    return path


def reach(url: str, secret: Path) -> list[str]:
    return ["--venue", "binance", "--base-url", url, "--api-key", KEY, "--secret-file", str(secret)]


def run(capsys: Capture, *words: str) -> tuple[int, Any]:
    code = main([*words, "--json"])
    shown = capsys.readouterr()
    return code, json.loads(shown.out) if shown.out else shown.err


def trade(site: Path, served_at: Served, *prices: str) -> None:
    """Leave orders in the site's store as a daemon that was cut off leaves them."""

    async def go() -> None:
        store = SqliteOrderStore.open(site / "var" / "exec" / "orders.sqlite")
        router, _ = make_router(site, [venue_of(served_at.url)], store=store)
        await router.start()
        for number, price in enumerate(prices):
            await router.submit(limit(f"cut-{number}", price))
        await router.stop()
        store.close()

    asyncio.run(go())


def test_intel_shows_a_market_and_prices_sizes(secret: Path, capsys: Capture) -> None:
    with served() as at:
        words = ["exec", "intel", *reach(at.url, secret), "--size", "0.5"]
        code, shown = run(capsys, *words)
        assert code == 0
        (seen,) = shown["markets"]
        assert seen["size_cost_bps"]["0.5"]["buy"] > 0
        assert seen["stale"] == ["candles"]
        assert "only" in seen["problems"]["candles"]
        assert main(words) == 0
        assert "spread_bps" in capsys.readouterr().out
        code, _ = run(capsys, "exec", "intel", *reach(at.url, secret), "--symbol", "XYZ/USDT")
        assert code == 5
        assert main(["exec", "intel", *reach(at.url, secret), "--size", "much"]) == 3


def test_reconcile_takes_the_venues_word_for_every_open_order(
    tmp_path: Path, secret: Path, capsys: Capture
) -> None:
    with served() as at:
        trade(tmp_path, at, "59000", "58000", "57000")
        at.call(lambda: at.server.exchange.cancel(next(iter(at.server.exchange.orders.values()))))
        words = ["exec", "reconcile", "--site", str(tmp_path), *reach(at.url, secret)]
        code, report = run(capsys, *words)
        assert (code, report["checked"]) == (0, 3)
        assert [o["state"] for o in report["resolved"]] == ["canceled"]
        assert main(words) == 0
        assert "checked 2" in capsys.readouterr().out


def test_reconcile_says_what_stays_unknown_and_whom_it_did_not_ask(
    tmp_path: Path, secret: Path, capsys: Capture
) -> None:
    with served("binance", DROP, SILENT) as at:

        async def go() -> None:
            store = SqliteOrderStore.open(tmp_path / "var" / "exec" / "orders.sqlite")
            settings = replace(FAST, resolve_patience_s=0.1)
            venues = [venue_of(at.url)]
            router, _ = make_router(tmp_path, venues, store=store, settings=settings)
            await router.start()
            order = await router.submit(limit("lost", "59000"))
            assert order.state is OrderState.UNKNOWN
            await router.stop()
            store.close()

        asyncio.run(go())
        words = ["--site", str(tmp_path), *reach(at.url, secret), "--patience", "0.2"]
        code, report = run(capsys, "exec", "reconcile", *words)
        assert code == 6
        assert [o["intent"]["intent_id"] for o in report["unresolved"]] == ["lost"]
        code, said = run(capsys, "exec", "release", "lost", "--operator", "ann", *words)
        assert code == 8
        assert "no evidence" in said
        at.call(lambda: setattr(at.server.faults, "_rules", []))
        code, report = run(capsys, "exec", "release", "lost", "--operator", "ann", *words)
        assert (code, report["order"]["state"]) == (0, "open")
        other = tmp_path / "venues.json"
        other.write_text(json.dumps([{"exchange": "binance", "name": "b2", "base_url": at.url}]))
        code, report = run(
            capsys, "exec", "reconcile", "--site", str(tmp_path), "--venues", str(other)
        )
        assert code == 6
        assert [o["venue"] for o in report["not_asked"]] == ["binance"]


def test_release_takes_an_order_out_of_quarantine_by_new_evidence(
    made: MadeSite, secret: Path, capsys: Capture
) -> None:
    with served() as at:
        trade(made.root, at, "59000")

        def lie(filled: str) -> None:
            (order,) = at.server.exchange.orders.values()
            order.filled = type(order.filled)(filled)

        at.call(lie, "7")
        words = ["--site", str(made.root), *reach(at.url, secret), "--patience", "0.3"]
        code, report = run(capsys, "exec", "reconcile", *words)
        assert (code, len(report["quarantined"])) == (1, 1)
        code, said = run(capsys, "exec", "release", "cut-0", "--operator", "ann", *words)
        assert (code, "contradictory" in said) == (8, True)
        at.call(lie, "0")
        code, report = run(capsys, "exec", "release", "cut-0", "--operator", "ann", *words)
        assert (code, report["order"]["state"]) == (0, "open")
        code, _ = run(capsys, "exec", "release", "nobody", "--operator", "ann", *words)
        assert code == 3
    log, keyring = made.site.decision_log("paper"), Keyring.open(made.site.keys)
    assert verify_journal(log, keyring).records > 0
    released = [r.body for r in read_journal(log, keyring) if r.kind == "order.release"]
    assert released[-1] == {"intent_id": "cut-0", "operator": "ann"}


def test_a_dry_run_sends_nothing_and_signs_what_it_would_have_sent(
    made: MadeSite, secret: Path, capsys: Capture
) -> None:
    with served() as at:
        words = ["exec", "dry-run", "--site", str(made.root), *reach(at.url, secret)]
        code, report = run(capsys, *words, "--symbol", "BTC/USDT")
        assert (code, report["passed"], report["adapter_errors"]) == (0, True, [])
        states = {o["intent"]["intent_id"]: o["state"] for o in report["orders"]}
        assert states == {
            "dry-BTC/USDT-market": "filled",
            "dry-BTC/USDT-limit": "canceled",
            "dry-BTC/USDT-post": "canceled",
        }
        kinds = [one["kind"] for one in report["would_send"]["binance"]]
        assert kinds == ["place", "place", "cancel", "place", "cancel"]
        assert at.server.exchange.orders == {}, "nothing was sent"
    keyring = Keyring.open(made.site.keys)
    verify_file(Path(report["report"]), keyring)
    log = made.site.decision_log("live_execution")
    assert verify_journal(log, keyring).records > 5
    own = [r for r in read_journal(log, keyring) if not r.kind.startswith("journal.")]
    assert all(r.kind.startswith(PREFIX) for r in own)
    assert own[-1].kind == "dry_run.report"
    assert own[-1].body["passed"] is True


@pytest.mark.parametrize(
    ("rule", "check"),
    [
        (FaultRule(kind=FaultKind.HTML, path="openOrders"), "open orders"),
        (FaultRule(kind=FaultKind.TRUNCATED, path="depth"), "book BTC/USDT"),
        (FaultRule(kind=FaultKind.SERVER_ERROR_BEFORE, path="exchangeInfo"), "instruments"),
        (FaultRule(kind=FaultKind.EDGE_TIMEOUT, method="GET", path="v3/order"), "look-up BTC/USDT"),
    ],
)
def test_a_dry_run_reports_the_errors_of_an_adapter(
    tmp_path: Path, secret: Path, capsys: Capture, rule: FaultRule, check: str
) -> None:
    with served("binance", rule) as at:
        code, report = run(
            capsys, "exec", "dry-run", "--site", str(tmp_path), *reach(at.url, secret),
            "--symbol", "BTC/USDT",
        )  # fmt: skip
    assert code == 1
    assert [one["check"] for one in report["adapter_errors"]] == [check]


def test_a_dry_run_of_given_orders_names_each_refusal(
    tmp_path: Path, secret: Path, capsys: Capture
) -> None:
    orders = tmp_path / "orders.json"
    good, dust = market("good", "0.001"), limit("dust", "59000", "0.00001")
    orders.write_text(json.dumps([good.as_json(), dust.as_json()]))
    words = ["--site", str(tmp_path), "--symbol", "BTC/USDT", "--orders", str(orders)]
    with served() as at:
        code, report = run(capsys, "exec", "dry-run", *words, *reach(at.url, secret))
        assert code == 1
        assert "minimum notional" in report["refused"]["dust"]
        assert [o["intent"]["intent_id"] for o in report["orders"]] == ["good"]
        for wrong in ("{", "{}", '[{"intent_id": "x"}]'):
            orders.write_text(wrong)
            code, said = run(capsys, "exec", "dry-run", *words, *reach(at.url, secret))
            assert (code, said.count("\n")) == (3, 1)


def test_the_venues_of_the_configuration_are_taken_where_none_is_named(
    made: MadeSite, capsys: Capture
) -> None:
    code, said = run(capsys, "exec", "intel", "--site", str(made.root))
    assert (code, "execution.live" in said) == (3, True)
    with served() as at:
        rows = f"execution:\n  live: {{venues: [{{exchange: binance, base_url: '{at.url}'}}]}}\n"
        edit_config(made.site, "execution:\n", rows)
        code, shown = run(capsys, "exec", "intel", "--site", str(made.root))
        edit_config(made.site, rows, "execution:\n")
    assert (code, [m["venue"] for m in shown["markets"]]) == (0, ["binance"])


def test_venues_are_named_and_their_files_checked(tmp_path: Path, capsys: Capture) -> None:
    venues = tmp_path / "venues.json"
    for text, what in (
        ("[", "venue"),
        ('[{"exchange": "binance", "key": "x"}]', "Extra inputs"),
        ('[{"exchange": "binance"}, {"exchange": "binance"}]', "share a name"),
        ('[{"exchange": "nasdaq"}]', "capability table"),
        ('[{"exchange": "binance", "secret_file": "nowhere"}]', "secret"),
    ):
        venues.write_text(text)
        code, said = run(capsys, "exec", "intel", "--venues", str(venues))
        assert (code, what in said, said.count("\n")) == (3, True, 1)
    assert main(["exec", "intel"]) == 3
    assert main(["exec", "intel", "--venues", str(tmp_path / "none")]) == 3
