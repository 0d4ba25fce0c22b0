"""The report on disk: CSV and PDF, each sealed, each naming the other."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

from oem_security.clock import Clock
from oem_security.files import write_atomic
from oem_security.keyring import Keyring
from oem_security.seal import seal_file, verify_file
from oem_tco.errors import ReportError
from oem_tco.ledger.analysis import TcoResult
from oem_tco.money import from_minor_text, minor_text
from oem_tco.report.table import report_csv

_AMOUNTS = ("notional_quote", "total_quote")


@dataclass(frozen=True, slots=True)
class ReportPaths:
    """The files of a report and their seals."""

    csv: Path
    pdf: Path
    csv_seal: Path
    pdf_seal: Path


def write_report(
    result: TcoResult,
    folder: Path,
    keyring: Keyring,
    *,
    generated_at_ns: int,
    schedules: tuple[str, ...] = (),
    name: str = "tco",
    title: str = "Trading costs",
    clock: Clock | None = None,
) -> ReportPaths:
    """Write and seal a report; CSV and PDF have the same bytes for the same arguments.

    Args:
        result: The analysis.
        folder: Where to write; it is made.
        keyring: The site's keyring, which seals.
        generated_at_ns: Time stated in the report, UTC nanoseconds.
        schedules: Fee schedule versions in effect, kept in the seal.
        name: File name without ending.
        title: Title of the PDF.
        clock: Tells the time of sealing.
    """
    from oem_tco.report.pdf import report_pdf

    folder.mkdir(parents=True, exist_ok=True)
    table = report_csv(result)
    csv_sha384 = hashlib.sha384(table).hexdigest()
    pdf = report_pdf(result, title=title, generated_at_ns=generated_at_ns, csv_sha384=csv_sha384)
    csv_path, pdf_path = folder / f"{name}.csv", folder / f"{name}.pdf"
    write_atomic(csv_path, table)
    write_atomic(pdf_path, pdf)
    claims = {
        "report": "tco",
        "csv_sha384": csv_sha384,
        "pdf_sha384": hashlib.sha384(pdf).hexdigest(),
        "orders": result.total.orders,
        "total": minor_text(result.total.total),
        "notional": minor_text(result.total.notional),
        "schedules": list(schedules),
    }
    return ReportPaths(
        csv=csv_path,
        pdf=pdf_path,
        csv_seal=seal_file(csv_path, keyring, media_type="text/csv", claims=claims, clock=clock),
        pdf_seal=seal_file(
            pdf_path, keyring, media_type="application/pdf", claims=claims, clock=clock
        ),
    )


@dataclass(frozen=True, slots=True)
class ReportCheck:
    """What validating a report found: number of orders and the total, as sealed and recomputed."""

    orders: int
    total: str


def validate_report(csv_path: Path, keyring: Keyring) -> ReportCheck:
    """Verify a report: both seals, that CSV and PDF belong together, and the control totals.

    Args:
        csv_path: The report's CSV; PDF and seals stand beside it.
        keyring: The site's keyring.

    Raises:
        SealError: A seal does not hold.
        ReportError: The files do not belong together, or the lines do not add up.
    """
    sealed = verify_file(csv_path, keyring)
    pdf = verify_file(csv_path.with_suffix(".pdf"), keyring)
    if sealed.claims != pdf.claims or sealed.claims.get("pdf_sha384") != pdf.sha384:
        raise ReportError(
            "CSV and PDF are of two different reports",
            where=str(csv_path),
            remedy="put the PDF back that was made with this CSV",
        )
    rows = list(csv.DictReader(io.StringIO(csv_path.read_text("utf-8"), newline="")))
    *orders, total = rows
    parts = [name for name in total if name.endswith("_quote") and name not in _AMOUNTS]
    for number, row in enumerate(rows, start=2):
        if sum(from_minor_text(row[n]) for n in parts) != from_minor_text(row["total_quote"]):
            raise _wrong("the components do not sum to the total", f"{csv_path}:{number}")
    for name in (*parts, *_AMOUNTS):
        if sum(from_minor_text(row[name]) for row in orders) != from_minor_text(total[name]):
            raise _wrong(f"column {name} does not sum to its total", f"{csv_path}:{len(rows) + 1}")
    stated = (sealed.claims.get("orders"), sealed.claims.get("total"))
    if stated != (len(orders), total["total_quote"]):
        raise _wrong("the totals are not the sealed ones", str(csv_path))
    return ReportCheck(len(orders), total["total_quote"])


def _wrong(what: str, where: str) -> ReportError:
    return ReportError(what, where=where, remedy="write the report again: oem tco analyze")
