"""Certification of a venue: a written list of cases, run against a sandbox, with its answers."""

from __future__ import annotations

import enum
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from oem_exec.certify_bench import Bench, CaseFailed, NotOffered
from oem_exec.certify_cases import CASES
from oem_exec.errors import ExecError
from oem_exec.venue import Venue
from oem_security.clock import Clock, SystemClock, rfc3339

Provoke = Callable[[], Awaitable[None]]
"""Makes the sandbox refuse the next order with its rate limit."""


class Outcome(enum.StrEnum):
    """How a case ended."""

    HELD = "held"
    FAILED = "failed"
    NOT_RUN = "not_run"
    """The venue does not offer it, or the sandbox gives no way to bring it about."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case: how it ended, what was seen, and how long it took in seconds."""

    case: str
    outcome: Outcome
    seen: str
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Return whether nothing speaks against the venue."""
        return self.outcome is not Outcome.FAILED


@dataclass(frozen=True, slots=True)
class CertificationReport:
    """The answers of one venue to the whole list."""

    venue: str
    symbol: str
    started: str
    results: tuple[CaseResult, ...]

    @property
    def passed(self) -> bool:
        """Return whether no case failed; `not_run` names what was left open."""
        return all(result.passed for result in self.results)

    @property
    def not_run(self) -> tuple[str, ...]:
        """Return the cases that could not be brought about."""
        return tuple(r.case for r in self.results if r.outcome is Outcome.NOT_RUN)

    def as_json(self) -> dict[str, object]:
        """Return the report in JSON's types."""
        return {
            "kind": "venue_certification",
            "venue": self.venue,
            "symbol": self.symbol,
            "started": self.started,
            "passed": self.passed,
            "not_run": list(self.not_run),
            "cases": [
                {
                    "case": r.case,
                    "outcome": r.outcome.value,
                    "passed": r.passed,
                    "seen": r.seen,
                    "seconds": round(r.seconds, 3),
                }
                for r in self.results
            ],
        }


async def certify(
    venue: Venue,
    symbol: str,
    folder: Path,
    clock: Clock | None = None,
    run: str = "c",
    *,
    provoke_limit: Provoke | None = None,
    largest_notional: Decimal | None = None,
) -> CertificationReport:
    """Run every case against a venue and return what was seen.

    The venue must be a sandbox: orders of the smallest size are placed, filled and cancelled, and
    one that is larger than the best level.

    Args:
        venue: The venue; it is closed afterwards.
        symbol: A liquid symbol of it.
        folder: Where the run's order store is made.
        clock: Time.
        run: Start of the run's intent ids; use another for every run against the same account.
        provoke_limit: Makes the sandbox refuse the next order with its rate limit; without it that
            case is not run, because flooding a foreign sandbox is no test of ours.
        largest_notional: Most that the partial fill may cost in quote units; a best level larger
            than that leaves the case not run. None spends what it takes.
    """
    clock = clock or SystemClock()
    started = rfc3339(clock.now_ns())
    bench = Bench(venue, symbol, folder, clock, run, provoke_limit, largest_notional)
    results: list[CaseResult] = []
    await bench.router.start()
    try:
        for name, case in CASES.items():
            began = time.perf_counter()
            try:
                outcome, seen = Outcome.HELD, await case(bench)
            except CaseFailed as failure:
                outcome, seen = Outcome.FAILED, str(failure)
            except NotOffered as reason:
                outcome, seen = Outcome.NOT_RUN, str(reason)
            except ExecError as error:
                outcome, seen = Outcome.FAILED, str(error)
            results.append(CaseResult(name, outcome, seen, time.perf_counter() - began))
    finally:
        await bench.close()
    return CertificationReport(venue.name, symbol, started, tuple(results))
