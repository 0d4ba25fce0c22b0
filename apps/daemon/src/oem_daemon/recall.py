"""What a starting daemon asks its decision log: terms without a cost row, and the watermarks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from oem_daemon.cost_book import TERMS
from oem_daemon.errors import NotReady
from oem_daemon.portfolio import Watermarks
from oem_security import Keyring, Record, read_newest

WATERMARKS = "risk.watermarks"
"""Kind of the log entry that holds what losses are measured from."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """What the log told.

    Attributes:
        terms: The terms of the orders asked for, as cells by column; those not found are left out.
        watermarks: What an earlier process measured losses from; None on a new site.
    """

    terms: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    watermarks: Watermarks | None = None


Recall = Callable[[Collection[str]], Recalled]
"""Asks for the terms of some orders, and for the watermarks."""


def recall(log: Path, keyring: Keyring, orders: Collection[str]) -> Recalled:
    """Ask a decision log, its newest segment first; older ones only for what is still missing.

    Args:
        log: The decision log.
        keyring: The site's keys.
        orders: Whose terms are wanted.

    Raises:
        NotReady: The watermarks are not of this version.
        JournalError: A segment that is read does not hold.
    """
    terms: dict[str, Mapping[str, str]] = {}
    newest: Record | None = None
    before = 0
    for record in read_newest(log, keyring, (TERMS, WATERMARKS)):
        if record.seq < before and newest is not None and len(terms) == len(orders):
            break  # an older segment begins, and nothing is missing
        before = record.seq
        if record.kind == WATERMARKS:
            if newest is None or record.seq > newest.seq:
                newest = record
        elif (name := str(record.body["order_id"])) in orders:
            terms[name] = {column: str(cell) for column, cell in record.body.items()}
    return Recalled(terms, None if newest is None else _watermarks(newest, log))


def _watermarks(record: Record, log: Path) -> Watermarks:
    try:
        return Watermarks.from_record(record.body)
    except (KeyError, ValueError, ArithmeticError) as error:
        raise NotReady(
            f"what losses are measured from cannot be read: {error!r}",
            where=f"{log}: record {record.seq}",
            remedy="start this site with the version that wrote it",
        ) from None
