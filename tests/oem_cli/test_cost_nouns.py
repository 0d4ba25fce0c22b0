"""Costs, reports and decisions from the command line: what an auditor types and what comes out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from oem_cli.__main__ import main
from oem_security import Journal, Keyring
from oem_tco import CostLedger, DecisionOrchestrator, DecisionPolicy
from oem_tco.decision.record import decision_records
from tco_history import history, log_records
from tco_support import candidate, inputs


class Shell:
    """A site with a cost ledger, a decision log and an access log."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.site = root / "site"
        self._capsys = capsys
        self("init")
        keyring = Keyring.open(self.site / "secrets" / "keys")
        self.ledger = self.site / "var" / "tco"
        self.log = self.site / "audit" / "decision_logs" / "paper.jsonl"
        book = CostLedger.open(self.ledger)
        rows = history(12)
        for row in rows.orders:
            book.record_order(replace(row, currency="USDT", symbol="BTC/USDT"))
        for part in rows.fills:
            book.record_fill(replace(part, fee_asset="USDT"))
        book.close()
        orchestrator = DecisionOrchestrator(DecisionPolicy())
        facts = inputs(candidate())
        made = orchestrator.decide(facts)
        with Journal.open(self.log, keyring, subject="decisions") as journal:
            for kind, body in decision_records(facts, made, orchestrator.policy):
                journal.append(kind, body)
            for record in log_records():
                # bodies of another hand's verdicts cannot be replayed
                if record.kind not in ("journal.opened", "journal.recovered", "decision.verdict"):
                    journal.append(record.kind, record.body)

    def __call__(self, *words: object, code: int = 0) -> dict[str, Any]:
        got = main([*map(str, words), "--site", str(self.site), "--json"])
        printed = self._capsys.readouterr()
        assert got == code, printed.err
        assert "Traceback" not in printed.err
        return json.loads(printed.out) if printed.out else {"error": printed.err}

    def text(self, *words: object) -> str:
        assert main([*map(str, words), "--site", str(self.site)]) == 0
        return self._capsys.readouterr().out


@pytest.fixture
def oem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, capsys)


def test_an_analysis_is_written_validated_and_tied_to_its_ledger(oem: Shell) -> None:
    scenarios = oem.site / "stress.json"
    scenarios.write_text('[{"name": "wide", "spread_factor": 2}]')
    done = oem(
        "tco", "analyze", "--by", "venue,order_type", "--bucket", "hour", "--worst", 2,
        "--stress", scenarios, "--summary-json", oem.site / "sum" / "tco.json",
    )  # fmt: skip
    assert sum(group["orders"] for group in done["groups"]) == done["orders"] == 12
    assert [cost["scenario"] for cost in done["stress"]] == ["wide"]
    assert len(done["worst"]) == 2
    assert json.loads((oem.site / "sum" / "tco.json").read_text()) == done
    ledger = oem.ledger / "orders.csv"
    checked = oem("report", "validate", "--input", ledger)
    assert (checked["kind"], checked["rows"], checked["changed_inputs"]) == ("tco", 12, [])
    with ledger.open("a") as stream:
        stream.write("\n")
    assert oem("report", "validate", "--input", ledger, code=1)["changed_inputs"] == ["orders.csv"]
    Path(done["pdf"]).write_bytes(b"%PDF-1.4")
    oem("report", "validate", code=4)


def test_one_profile_is_analysed_alone_and_shown_as_text(oem: Shell) -> None:
    shown = oem.text("tco", "analyze", "--profile", "balanced", "--output", oem.site / "a")
    assert "outliers marked, none dropped" in shown
    assert "all_at_once" in shown
    lines = (oem.site / "a" / "tco.csv").read_text().splitlines()
    assert all(",balanced," in line for line in lines[1:-1])


def test_an_empty_ledger_is_analysed_without_a_figure(oem: Shell) -> None:
    CostLedger.open(oem.site / "empty").close()
    done = oem("tco", "analyze", "--ledger", oem.site / "empty", "--output", oem.site / "out")
    assert (done["orders"], done["total_bps"], done["groups"]) == (0, None, [])
    assert oem("report", "validate", oem.site / "out" / "tco.csv")["rows"] == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--by", "colour"], 3),
        (["--worst", "-1"], 3),
        (["--ledger", "nowhere"], 7),
        (["--stress", "nowhere.json"], 3),
        (["--bucket", "year"], 2),
    ],
)
def test_a_wrong_question_is_answered_with_a_remedy(
    oem: Shell, words: list[str], code: int
) -> None:
    oem("tco", "analyze", *words, code=code)


@pytest.mark.parametrize(
    "text", ["[]", "{", '[{"name": "a", "spread_factor": 0.1}]', '[{"name": "a"}, {"name": "a"}]']
)
def test_a_stress_file_that_is_none_is_named(oem: Shell, text: str) -> None:
    (oem.site / "s.json").write_text(text)
    error = oem("tco", "analyze", "--stress", oem.site / "s.json", code=3)["error"]
    assert "s.json" in error


def test_the_decisions_and_incidents_of_a_log_are_reported(oem: Shell) -> None:
    decisions = oem("report", "decisions")
    assert (decisions["checked"], decisions["differences"]) == (1, 0)
    assert oem("report", "validate", decisions["csv"], "--input", oem.log)["kind"] == "decisions"
    incidents = oem("report", "incidents", oem.log, "--output", oem.site / "inc")
    assert (incidents["incidents"], incidents["open"]) == (10, 1)
    assert oem("report", "validate", incidents["csv"])["rows"] == 10
    assert oem("report", "incidents")["incidents"] == 10
    oem("report", "incidents", oem.site / "none.jsonl", code=3)
    oem("report", "decisions", oem.site / "none.jsonl", code=3)


def test_the_policys_rules_are_tried_and_the_log_is_replayed(oem: Shell) -> None:
    oem("config", "write")
    path = oem.site / "reports" / "smoke.json"
    done = oem("decision", "smoke", "--output", path)
    assert done["ok"] is True
    assert json.loads(path.read_text()) == done
    assert oem("verify", path)["ok"] is True
    replayed = oem("decision", "replay", oem.log)
    assert (replayed["checked"], replayed["differences"]) == (1, [])
    assert "this policy has no rule for: symbol, hours" in oem.text("decision", "smoke")
