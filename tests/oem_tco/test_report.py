"""The reports: reproducible bytes, sealed, CSV and PDF bound together, every sum checked again."""

from __future__ import annotations

import csv
import hashlib
import io
import random
import shutil
import subprocess
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from oem_security import Keyring, OemSecurityError, seal_file, verify_file
from oem_tco import (
    CostLedger,
    DecisionOrchestrator,
    DecisionPolicy,
    FeeBook,
    IncidentKind,
    InputError,
    LedgerError,
    LedgerRows,
    LogRecord,
    MarkoutPoint,
    ReplayError,
    ReportError,
    ReportPaths,
    RiskFacts,
    analyze,
    digest_inputs,
    find_incidents,
    last_moment,
    only_orders,
    read_costs,
    read_with_digests,
    schedules_met,
    stress_costs,
    validate_report,
    write_decision_report,
    write_incident_report,
    write_report,
)
from oem_tco.decision.record import decision_records
from oem_tco.report import inputs as report_inputs
from oem_tco.report.cost_sheet import COST_COLUMNS, check_costs, cost_sheet
from oem_tco.report.decisions import DECISION_COLUMNS, check_decisions
from oem_tco.report.files import Provenance, write_sealed
from oem_tco.report.sheet import read_csv, sheet_csv
from tco_history import HOSTILE, history, log_records
from tco_support import NOON_NS, candidate, fill, inputs, order

FEES = FeeBook.shipped()


def ledger() -> LedgerRows:
    """Orders in two currencies, one of them with names that attack CSV and PDF."""
    rows = history(18)
    orders, fills = list(rows.orders), list(rows.fills)
    orders[3] = replace(orders[3], strategy=HOSTILE, venue="a $venue$ of a long name, indeed")
    random.Random(2).shuffle(orders)
    random.Random(3).shuffle(fills)
    return LedgerRows(tuple(orders), tuple(fills))


def written(rows: LedgerRows, folder: Path, keys: Keyring) -> ReportPaths:
    result = analyze(rows)
    curve = [MarkoutPoint(s, s / 9, s / 9 - 1, s / 9 + 1, 5) for s in (1.0, 10.0, 60.0)]
    reading = read_costs(
        result,
        rows.fills,
        stress=stress_costs(result, rows.fills, FEES),
        markouts={HOSTILE: curve, "ETH/EUR": curve},
    )
    return write_report(
        result,
        folder,
        keys,
        generated_at_ns=last_moment(rows.orders, rows.fills),
        schedules=schedules_met(rows, FEES),
        inputs={"orders.csv": "ab" * 48},
        reading=reading,
    )


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    return Keyring.create(tmp_path_factory.mktemp("site") / "keys")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, keys: Keyring) -> ReportPaths:
    return written(ledger(), tmp_path_factory.mktemp("report"), keys)


@pytest.fixture
def report(original: ReportPaths, tmp_path: Path) -> ReportPaths:
    """A copy of the report that a test may spoil."""
    shutil.copytree(original.csv.parent, tmp_path / "copy")
    names = (original.csv, original.pdf, original.csv_seal, original.pdf_seal)
    return ReportPaths(*(tmp_path / "copy" / path.name for path in names))


def test_a_report_validates_and_says_what_it_was_made_from(
    report: ReportPaths, keys: Keyring
) -> None:
    check = validate_report(report.csv, keys)
    assert (check.report, check.rows) == ("tco", 18)
    assert list(check.controls) == ["EUR", "USDT"]
    result = analyze(ledger())
    for currency, sums in check.controls.items():
        cost = sum(s.total for s in result.orders if s.order.currency == currency)
        assert sums["total_quote"].replace(".", "").lstrip("-0") == str(abs(cost)).lstrip("0")
    assert check.inputs == {"orders.csv": "ab" * 48}
    assert "binance/spot/2022-06-01" in check.schedules
    assert any(name.startswith("estimated (no schedule for a $venue$") for name in check.schedules)


@pytest.mark.no_cover
def test_rows_in_any_order_give_the_same_bytes(
    original: ReportPaths, keys: Keyring, tmp_path: Path
) -> None:
    import matplotlib

    rows = ledger()
    mixed = LedgerRows(rows.orders[::-1], tuple(sorted(rows.fills, key=lambda f: f.price)))
    with matplotlib.rc_context({"font.size": 20, "axes.grid": True}):
        again = written(mixed, tmp_path, keys)
    assert again.csv.read_bytes() == original.csv.read_bytes()
    assert again.pdf.read_bytes() == original.pdf.read_bytes()


def test_a_changed_byte_of_any_file_is_noticed(report: ReportPaths, keys: Keyring) -> None:
    for path in (report.csv, report.pdf, report.csv_seal, report.pdf_seal):
        good = path.read_bytes()
        for place in (0, len(good) // 2, len(good) - 2):
            bad = bytearray(good)
            bad[place] ^= 1
            path.write_bytes(bytes(bad))
            with pytest.raises(OemSecurityError):
                validate_report(report.csv, keys)
        path.write_bytes(good)
    validate_report(report.csv, keys)


@pytest.mark.parametrize("missing", ["csv", "pdf", "csv_seal", "pdf_seal"])
def test_a_missing_file_is_noticed(report: ReportPaths, keys: Keyring, missing: str) -> None:
    getattr(report, missing).unlink()
    with pytest.raises(OemSecurityError):
        validate_report(report.csv, keys)


def test_the_pdf_of_another_report_is_noticed_even_when_it_is_sealed(
    report: ReportPaths, keys: Keyring, tmp_path: Path
) -> None:
    rows = LedgerRows((order(),), (fill(),))
    other = write_report(analyze(rows), tmp_path / "other", keys, generated_at_ns=1)
    good = report.pdf.read_bytes(), report.pdf_seal.read_bytes()
    report.pdf.write_bytes(other.pdf.read_bytes())
    report.pdf_seal.write_bytes(other.pdf_seal.read_bytes())
    with pytest.raises(ReportError, match="two different reports"):
        validate_report(report.csv, keys)
    # whoever holds the keys seals the two together: the PDF's own metadata names another CSV
    claims = dict(verify_file(report.csv, keys).claims)
    claims["pdf_sha384"] = hashlib.sha384(report.pdf.read_bytes()).hexdigest()
    for path, kind in ((report.csv, "text/csv"), (report.pdf, "application/pdf")):
        seal_file(path, keys, media_type=kind, claims=claims)
    with pytest.raises(ReportError, match="two different reports"):
        validate_report(report.csv, keys)
    report.pdf.write_bytes(good[0])
    report.pdf_seal.write_bytes(good[1])


def resealed(paths: ReportPaths, keys: Keyring, **changes: Any) -> None:
    claims = {**verify_file(paths.csv, keys).claims, **changes}
    for path, kind in ((paths.csv, "text/csv"), (paths.pdf, "application/pdf")):
        seal_file(path, keys, media_type=kind, claims=claims)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"rows": 17}, "totals are not the sealed"),
        ({"controls": {}}, "totals are not the sealed"),
        ({"report": "colours"}, "no report of kind"),
        ({"report": "incidents"}, "columns are not those"),
        ({"csv_sha384": "0" * 96}, "two different reports"),
    ],
)
def test_claims_that_do_not_fit_the_table_are_noticed(
    report: ReportPaths, keys: Keyring, changes: dict[str, Any], match: str
) -> None:
    resealed(report, keys, **changes)
    with pytest.raises(ReportError, match=match):
        validate_report(report.csv, keys)


def test_two_seals_that_state_different_things_are_noticed(
    report: ReportPaths, keys: Keyring
) -> None:
    claims = {**verify_file(report.pdf, keys).claims, "schedules": ["another/1"]}
    seal_file(report.pdf, keys, media_type="application/pdf", claims=claims)
    with pytest.raises(ReportError, match="two different reports"):
        validate_report(report.csv, keys)


def test_a_report_that_was_sealed_wrong_does_not_validate(keys: Keyring, tmp_path: Path) -> None:
    sheet = cost_sheet(analyze(LedgerRows((order(),), (fill(),))))
    row = list(sheet.rows[0])
    row[sheet.place("fees_quote")] = 1
    paths = write_sealed(
        "tco",
        replace(sheet, rows=(tuple(row),)),
        lambda digest: f"%PDF csv-sha384={digest}".encode(),
        tmp_path / "bad",
        keys,
        Provenance(0),
    )
    with pytest.raises(ReportError, match="components do not sum"):
        validate_report(paths.csv, keys)


def cells_changed(data: bytes, row: int, **changes: str) -> bytes:
    lines = list(csv.reader(io.StringIO(data.decode(), newline="")))
    for name, value in changes.items():
        lines[row][lines[0].index(name)] = value
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerows(lines)
    return buffer.getvalue().encode()


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"fees_quote": "9.00000000"}, "does not sum to its total"),
        ({"total_bps": "1.000000"}, "total_bps is not total over notional"),
        ({"total_bps": ""}, "total_bps is not total over notional"),
    ],
)
def test_a_line_that_does_not_hold_is_named(
    original: ReportPaths, changes: dict[str, str], match: str
) -> None:
    data = cells_changed(original.csv.read_bytes(), 2, **changes)
    with pytest.raises(ReportError, match=match):
        check_costs(read_csv(data, COST_COLUMNS, "currency", "t"), "t")


def test_components_that_do_not_sum_are_noticed_even_where_every_column_does() -> None:
    sheet = cost_sheet(analyze(LedgerRows((order(),), (fill(),))))
    fees, spread = sheet.place("fees_quote"), sheet.place("spread_quote")
    row = list(sheet.rows[0])
    row[fees] = int(str(row[fees])) + 1
    with pytest.raises(ReportError, match="t:2"):
        check_costs(replace(sheet, rows=(tuple(row),)), "t")
    row[spread] = int(str(row[spread])) - 1
    check_costs(replace(sheet, rows=(tuple(row),)), "t")
    row[fees] = None
    with pytest.raises(ReportError, match="an amount is missing"):
        check_costs(replace(sheet, rows=(tuple(row),)), "t")


def test_every_line_names_its_currency_and_the_unit_of_its_quantities(
    original: ReportPaths,
) -> None:
    lines = list(csv.DictReader(io.StringIO(original.csv.read_text("utf-8"), newline="")))
    assert {(r["currency"], r["quantity_unit"]) for r in lines[:-2]} == {
        ("EUR", "ETH"),
        ("USDT", "BTC"),
    }
    assert [r["order_id"] for r in lines[-2:]] == ["TOTAL", "TOTAL"]


def test_names_from_the_data_are_words_in_the_pdf_and_never_markup(original: ReportPaths) -> None:
    tool = shutil.which("pdftotext")
    if tool is None:
        pytest.skip("pdftotext is not installed")
    done = subprocess.run(
        [tool, "-layout", str(original.pdf), "-"], capture_output=True, check=True
    )
    text = "".join(done.stdout.decode().split())
    assert "<imgsrc=" in text
    assert "Zażółć" in text


def test_inputs_that_changed_since_are_named(
    report: ReportPaths, keys: Keyring, tmp_path: Path
) -> None:
    ledger_file = tmp_path / "orders.csv"
    ledger_file.write_bytes(b"x")
    resealed(report, keys, inputs=digest_inputs([ledger_file]))
    assert validate_report(report.csv, keys, inputs=[ledger_file]).changed_inputs == ()
    ledger_file.write_bytes(b"y")
    assert validate_report(report.csv, keys, inputs=[ledger_file]).changed_inputs == ("orders.csv",)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "orders.csv").write_bytes(b"x")
    # files of one name are told apart by their folders, and each is held to its own digest
    both = [ledger_file, tmp_path / "b" / "orders.csv"]
    assert set(digest_inputs([*both, ledger_file])) == {
        f"{tmp_path.name}/orders.csv",
        "b/orders.csv",
    }
    resealed(report, keys, inputs=digest_inputs(both))
    assert validate_report(report.csv, keys, inputs=both[::-1]).changed_inputs == ()
    (tmp_path / "b" / "orders.csv").write_bytes(b"y")
    assert validate_report(report.csv, keys, inputs=both).changed_inputs == ("b/orders.csv",)
    with pytest.raises(OemSecurityError):
        digest_inputs([tmp_path / "none.csv"])


def test_an_empty_ledger_has_a_report_too(keys: Keyring, tmp_path: Path) -> None:
    paths = write_report(analyze(LedgerRows((), ())), tmp_path, keys, generated_at_ns=0)
    check = validate_report(paths.csv, keys)
    assert (check.rows, dict(check.controls), check.total) == (0, {}, "")


def test_orders_worth_less_than_a_minor_unit_have_a_report_too(
    keys: Keyring, tmp_path: Path
) -> None:
    dust = [order(order_id=f"o{n}", quantity=Decimal("1E-11"), end_price=None) for n in range(6)]
    result = analyze(LedgerRows(tuple(dust), ()))
    assert result.total.notional == 0
    reading = read_costs(result, (), stress=stress_costs(result, (), FEES))
    paths = write_report(result, tmp_path, keys, generated_at_ns=0, reading=reading)
    assert validate_report(paths.csv, keys).rows == 6


def test_a_log_without_decisions_has_a_report_too(keys: Keyring, tmp_path: Path) -> None:
    paths = write_decision_report([], tmp_path, keys)
    assert validate_report(paths.csv, keys).rows == 0


def test_a_figure_does_not_depend_on_the_readers_own_settings() -> None:
    import matplotlib

    from oem_tco.report.figures import waterfall

    total = analyze(LedgerRows((order(),), (fill(),))).total
    plain = waterfall(total)
    with matplotlib.rc_context({"savefig.dpi": 30, "font.size": 30}):
        assert waterfall(total) == plain


def test_a_ledger_is_digested_as_it_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = CostLedger.open(tmp_path)
    book.record_order(order())
    book.sync()
    rows, digests = read_with_digests(tmp_path)
    assert len(rows.orders) == 1
    assert (
        digests["orders.csv"] == hashlib.sha384((tmp_path / "orders.csv").read_bytes()).hexdigest()
    )
    read, writes = report_inputs.read_ledger, [True, False, False]

    def while_written(folder: Path) -> LedgerRows:
        if writes.pop(0):
            book.record_order(order(order_id="late"))
            book.sync()
        return read(folder)

    monkeypatch.setattr(report_inputs, "read_ledger", while_written)
    again, digests = read_with_digests(tmp_path)
    assert len(again.orders) == 2
    assert (
        digests["orders.csv"] == hashlib.sha384((tmp_path / "orders.csv").read_bytes()).hexdigest()
    )
    writes[:] = [True] * 3
    with pytest.raises(LedgerError, match="change while they are read"):
        read_with_digests(tmp_path)
    book.close()
    with pytest.raises(LedgerError, match="no cost ledger"):
        read_with_digests(tmp_path / "none")


def test_only_the_wanted_orders_are_kept_and_fills_without_an_order_stay() -> None:
    rows = LedgerRows(
        (order(order_id="a"), order(order_id="b", profile="manual")),
        (fill(fill_id="1", order_id="a"), fill(fill_id="2", order_id="b"),
         fill(fill_id="3", order_id="c")),
    )  # fmt: skip
    kept = only_orders(rows, lambda o: o.profile == "manual")
    assert [o.order_id for o in kept.orders] == ["b"]
    assert [f.fill_id for f in kept.fills] == ["2", "3"]


def decision_log() -> list[LogRecord]:
    orchestrator = DecisionOrchestrator(DecisionPolicy())
    records: list[LogRecord] = []
    for number in range(12):
        made = candidate(
            candidate_id=f"c{number}",
            strategy=HOSTILE if number == 2 else "trend",
            expected_edge_bps=5.0 * number,
        )
        facts = inputs(made, risk=RiskFacts(allowed=number != 11, reasons=("drawdown",)))
        for kind, body in decision_records(facts, orchestrator.decide(facts), orchestrator.policy):
            seq = len(records)
            records.append(LogRecord("paper.jsonl", seq, NOON_NS + seq, kind, body))
    return records


def test_the_decisions_report_holds_every_verdict_and_the_replays_answer(
    keys: Keyring, tmp_path: Path
) -> None:
    paths = write_decision_report(decision_log(), tmp_path, keys, inputs={"paper.jsonl": "0" * 96})
    check = validate_report(paths.csv, keys)
    assert (check.report, check.rows) == ("decisions", 12)
    claims = verify_file(paths.csv, keys).claims
    assert claims["facts"] == {"recomputed": 12, "differences": 0}
    lines = list(csv.DictReader(io.StringIO(paths.csv.read_text("utf-8"), newline="")))
    assert lines[11]["reasons"] == "risk"
    assert lines[11]["verdict"] == "reject"
    accepted = sum(row["verdict"] == "accept" for row in lines[:-1])
    assert check.controls[""]["accepted"] == str(accepted)
    again = write_decision_report(
        decision_log(), tmp_path / "b", keys, inputs={"paper.jsonl": "0" * 96}
    )
    assert again.pdf.read_bytes() == paths.pdf.read_bytes()


def test_a_decision_that_recomputes_to_something_else_is_in_the_report(
    keys: Keyring, tmp_path: Path
) -> None:
    records = decision_log()
    place = next(i for i, r in enumerate(records) if r.kind == "decision.verdict")
    body = {**records[place].body, "verdict": "accept", "reasons": []}
    records[place] = replace(records[place], body=body)
    paths = write_decision_report(records[: place + 1], tmp_path, keys)
    facts = verify_file(paths.csv, keys).claims["facts"]
    assert facts == {"recomputed": 1, "differences": 2}


@pytest.mark.parametrize("spoil", [{"verdict": "maybe"}, {"inputs": {}}, {"margins": None}])
def test_a_verdict_that_is_none_is_refused(
    keys: Keyring, tmp_path: Path, spoil: dict[str, object]
) -> None:
    last = decision_log()[5]
    with pytest.raises(ReplayError, match="not a decision record"):
        write_decision_report([replace(last, body={**last.body, **spoil})], tmp_path, keys)


def test_verdict_count_and_reasons_must_agree() -> None:
    from oem_tco.report.decisions import decision_sheet, logged_decisions

    records = ((r.log, r.seq, r.time_ns, r.kind, r.body) for r in decision_log())
    data = sheet_csv(decision_sheet(logged_decisions(records)))
    check_decisions(read_csv(data, DECISION_COLUMNS, "", "t"), "t")
    for changes in ({"reasons": ""}, {"verdict": "accept"}, {"verdict": "maybe"}):
        bad = read_csv(cells_changed(data, 1, **changes), DECISION_COLUMNS, "", "t")
        with pytest.raises(ReportError, match="t:2"):
            check_decisions(bad, "t")


def test_incidents_begin_and_end_with_their_records() -> None:
    found = {(i.kind, i.about): i for i in find_incidents(log_records())}
    kill = found[IncidentKind.KILL_SWITCH, "trading"]
    assert (kill.ended_ns or 0) - kill.began_ns == 2 * 10**9
    assert kill.operator == "anna"
    unknown = found[IncidentKind.ORDER_UNKNOWN, "a"]
    assert (unknown.ended_ns or 0) - unknown.began_ns == 2 * 10**9
    assert found[IncidentKind.ORDER_UNKNOWN, "b"].ended_ns is not None
    assert found[IncidentKind.ORDER_QUARANTINED, "b"].ended_ns is None
    assert {i.kind for i in found.values()} == set(IncidentKind)
    assert len(found) == 12


def test_an_order_released_from_quarantine_ends_its_incident() -> None:
    records = log_records()[:8]
    settled = LogRecord("paper.jsonl", 8, NOON_NS + 60 * 10**9, "order.reconciled",
                        {"client_order_id": "b", "state": "canceled"})  # fmt: skip
    (held,) = [
        i for i in find_incidents([*records, settled]) if i.kind is IncidentKind.ORDER_QUARANTINED
    ]
    assert held.ended_ns == NOON_NS + 60 * 10**9


def test_two_logs_do_not_end_each_others_incidents() -> None:
    thrown = LogRecord("live.jsonl", 0, 5, "router.kill_state", {"state": "halted"})
    other = LogRecord("paper.jsonl", 0, 9, "router.kill_state", {"state": "active"})
    (kill,) = find_incidents([thrown, other])
    assert kill.ended_ns is None


def test_the_incidents_report_validates_and_repeats_its_bytes(
    keys: Keyring, tmp_path: Path
) -> None:
    first = write_incident_report(log_records(), tmp_path / "a", keys)
    second = write_incident_report(log_records(), tmp_path / "b", keys)
    assert first.pdf.read_bytes() == second.pdf.read_bytes()
    check = validate_report(first.csv, keys)
    assert check.controls[""] == {"critical": "2", "major": "4", "minor": "6", "open": "1"}


def test_a_long_history_in_short_buckets_still_has_a_trend() -> None:
    result = analyze(history(300))  # seven hours between two orders
    reading = read_costs(result, (), bucket_ns=10**9 * 60)
    assert reading.bucket_ns == 60 * 10**9
    assert all(20 < trend.fit.points <= 300 for trend in reading.trends)
    with pytest.raises(InputError):
        read_costs(result, (), bucket_ns=0)


def test_a_question_that_is_none_is_refused_before_anything_is_written() -> None:
    with pytest.raises(InputError):
        read_costs(analyze(ledger()), (), worst=-1)
