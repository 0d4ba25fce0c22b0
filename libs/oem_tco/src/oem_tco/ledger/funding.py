"""Funding of perpetual contracts: what a holder pays or receives at each settlement."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from oem_tco.errors import InputError
from oem_tco.money import EXACT

JITTER_NS = 60 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class FundingRate:
    """One settlement as a venue published it.

    Attributes:
        time_ns: When, UTC nanoseconds, with the venue's jitter.
        rate: Per interval, positive is paid by longs to shorts.
        mark: Price the position is valued at, above 0.
    """

    time_ns: int
    rate: Decimal
    mark: Decimal

    def __post_init__(self) -> None:
        if not self.rate.is_finite() or not self.mark.is_finite() or self.mark <= 0:
            raise InputError(
                f"rate {self.rate}, mark {self.mark}",
                where=f"funding at {self.time_ns}",
                remedy="give a rate and a mark price above 0; nothing is taken for 0",
            )


def funding_cost(mark: Decimal, quantity: Decimal, rate: Decimal) -> Decimal:
    """Return what one settlement of a linear contract costs, in quote units; negative is received.

    An inverse contract pays `quantity / mark x rate` of its base asset; `cost_tables` does both.

    Args:
        mark: Mark price, above 0.
        quantity: Position in base units, negative is short.
        rate: Rate of the interval, positive is paid by longs.

    Example:
        >>> funding_cost(Decimal("129384.12"), Decimal("0.0642"), Decimal("0.0003"))
        Decimal('2.4919381512')
    """
    for name, value in (("mark", mark), ("quantity", quantity), ("rate", rate)):
        if not value.is_finite():
            raise InputError(f"{name} is {value}", where=name, remedy="give a finite number")
    if mark <= 0:
        raise InputError(f"mark is {mark}", where="mark", remedy="give a price above 0")
    return EXACT.multiply(EXACT.multiply(mark, quantity), rate)


def settlements(rates: Iterable[FundingRate], *, jitter_ns: int = JITTER_NS) -> list[FundingRate]:
    """Return settlements in order, each once: timestamps within the jitter are the same one.

    Raises:
        InputError: Two within the jitter differ in rate or mark: one of them is wrong.
    """
    kept: list[FundingRate] = []
    for one in sorted(rates, key=lambda r: r.time_ns):
        if kept and one.time_ns - kept[-1].time_ns <= jitter_ns:
            wrong = "rate" if one.rate != kept[-1].rate else "mark"
            if (one.rate, one.mark) != (kept[-1].rate, kept[-1].mark):
                raise InputError(
                    f"two settlements {one.time_ns - kept[-1].time_ns} ns apart differ in {wrong}",
                    where=f"funding at {one.time_ns}",
                    remedy="take out the one that the venue corrected",
                )
            continue
        kept.append(one)
    return kept


def funding_of_holding(
    rates: Iterable[FundingRate], changes: Iterable[tuple[int, Decimal]]
) -> Decimal:
    """Return the funding of a position that changes over time, in quote units, positive is a cost.

    Args:
        rates: Settlements; jittering duplicates count once.
        changes: (time in UTC nanoseconds, signed base quantity bought or sold), any order. A change
            at the very moment of a settlement comes after it.

    Example:
        >>> rate = FundingRate(10, Decimal("0.001"), Decimal(100))
        >>> funding_of_holding([rate], [(5, Decimal(2)), (10, Decimal(9))])
        Decimal('0.200')
    """
    steps = sorted(changes, key=lambda change: change[0])
    total, held, at = Decimal(0), Decimal(0), 0
    for one in settlements(rates):
        while at < len(steps) and steps[at][0] < one.time_ns:
            held = EXACT.add(held, steps[at][1])
            at += 1
        if held:
            total = EXACT.add(total, funding_cost(one.mark, held, one.rate))
    return total
