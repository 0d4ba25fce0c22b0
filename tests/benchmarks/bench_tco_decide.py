"""Decisions per second: alone, and with each one in a signed log before the next matters."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from harness import Result, alternate

from oem_security import Journal, Keyring
from oem_tco import Decision, DecisionOrchestrator, DecisionPolicy, Verdict, decision_records
from tco_support import inputs as sound_inputs

COUNT = 20_000
LOGGED = 2_000


def decide() -> list[Result]:
    """Costs, limits, compliance and stress of a candidate, unsigned; then journalled."""
    orchestrator = DecisionOrchestrator(DecisionPolicy())
    inputs = sound_inputs()
    made = orchestrator.decide(inputs)

    def bare() -> Decision:
        return Decision(
            inputs.candidate.candidate_id,
            Verdict.ACCEPT,
            (),
            dict(made.margins),
            made.net_edge_bps,
            made.net_edge_low_bps,
            made.stressed_net_edge_bps,
            made.worst_scenario,
            made.score,
        )

    value, baseline = alternate(
        lambda: _seconds(lambda: orchestrator.decide(inputs)), lambda: _seconds(bare)
    )
    words = "a bare function building the same result object"
    with tempfile.TemporaryDirectory() as folder:
        keyring = Keyring.create(Path(folder) / "keys")
        with Journal.open(Path(folder) / "log.jsonl", keyring) as journal:

            def logged() -> float:
                start = time.perf_counter()
                for _ in range(LOGGED):
                    decision = orchestrator.decide(inputs)
                    for kind, body in decision_records(inputs, decision, orchestrator.policy):
                        receipt = journal.submit(kind, body)
                receipt.result()
                return (time.perf_counter() - start) / LOGGED

            journalled, again = alternate(logged, lambda: _seconds(bare), rounds=3)
    return [
        Result("tco.decide", value, "s", words, baseline, "<= 40"),
        Result("tco.decide.journalled", journalled, "s", words, again, ""),
    ]


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    for _ in range(COUNT):
        work()
    return (time.perf_counter() - start) / COUNT


BENCHMARKS = [decide]
