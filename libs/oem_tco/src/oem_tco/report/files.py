"""Reports on disk: CSV and PDF, each sealed, each naming the other, and validating them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oem_security.clock import Clock, rfc3339
from oem_security.envelope.seal import hash_file, seal_file, verify_file
from oem_security.files import write_atomic
from oem_security.keys.keyring import Keyring
from oem_tco.errors import ReportError
from oem_tco.ledger.analysis import TcoResult
from oem_tco.report.cost_sheet import COST_COLUMNS, check_costs, cost_sheet
from oem_tco.report.decisions import DECISION_COLUMNS, check_decisions
from oem_tco.report.incidents import INCIDENT_COLUMNS
from oem_tco.report.sheet import (
    Column,
    Sheet,
    controls_text,
    names_csv,
    read_csv,
    sheet_csv,
    wrong,
)

_NO_CHECK: Callable[[Sheet, str], None] = lambda _sheet, _where: None  # noqa: E731


@dataclass(frozen=True, slots=True)
class ReportKind:
    """A kind of report: its columns and what holds within each of its lines.

    Attributes:
        name: As the seal states it.
        columns: Columns of its CSV.
        currency: Column its totals are kept apart by; empty for one total.
        check: Raises ReportError where a line does not hold.
    """

    name: str
    columns: tuple[Column, ...]
    currency: str = ""
    check: Callable[[Sheet, str], None] = _NO_CHECK


def report_kinds() -> dict[str, ReportKind]:
    """Return every kind of report by name."""
    kinds = (
        ReportKind("tco", COST_COLUMNS, "currency", check_costs),
        ReportKind("decisions", DECISION_COLUMNS, check=check_decisions),
        ReportKind("incidents", INCIDENT_COLUMNS),
    )
    return {kind.name: kind for kind in kinds}


@dataclass(frozen=True, slots=True)
class ReportPaths:
    """The files of a report and their seals."""

    csv: Path
    pdf: Path
    csv_seal: Path
    pdf_seal: Path


@dataclass(frozen=True, slots=True)
class ReportCheck:
    """What validating a report found.

    Attributes:
        report: Kind of the report: `tco`, `decisions` or `incidents`.
        rows: Lines of the table, totals not counted.
        controls: Currency (empty where there is none) to column to its control total.
        inputs: Input name to its SHA-384 as sealed.
        schedules: Fee schedule versions as sealed.
        sealed_at: RFC 3339 time of sealing.
        changed_inputs: Inputs that were handed in and are no longer what the report was made from.
    """

    report: str
    rows: int
    controls: Mapping[str, Mapping[str, str]]
    inputs: Mapping[str, str]
    schedules: tuple[str, ...]
    sealed_at: str
    changed_inputs: tuple[str, ...] = ()

    @property
    def orders(self) -> int:
        """Number of lines; of a cost report, its orders."""
        return self.rows

    @property
    def total(self) -> str:
        """The totals in words: of a cost report the cost in each currency."""
        if self.report != "tco":
            return f"{self.rows} lines"
        return ", ".join(
            f"{sums['total_quote']} {currency}" for currency, sums in self.controls.items()
        )


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a report was made from, for its seal.

    Attributes:
        generated_at_ns: Time the report stands for, UTC nanoseconds.
        inputs: Name to SHA-384 of every input, from `digest_inputs`.
        schedules: Fee schedule versions.
        facts: Further JSON facts, such as the convention of delay.
    """

    generated_at_ns: int
    inputs: Mapping[str, str] = field(default_factory=dict)
    schedules: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def digest_inputs(paths: Sequence[Path]) -> dict[str, str]:
    """Return file name to hexadecimal SHA-384 of every file, by name.

    A folder stands for its files, named `folder/file`; files of the same name are told apart by as
    many of the folders above them as it takes. A path given twice counts once.

    Raises:
        InputError: There is no such file.
        ReportError: A folder is empty.
    """
    depths = _files(paths)
    while True:
        named: dict[str, list[Path]] = {}
        for file, depth in depths.items():
            named.setdefault("/".join(file.parts[-depth:]), []).append(file)
        alike = [file for files in named.values() if len(files) > 1 for file in files]
        if not alike:
            return {name: hash_file(files[0])[1] for name, files in sorted(named.items())}
        depths |= {file: depths[file] + 1 for file in alike}


def _files(paths: Sequence[Path]) -> dict[Path, int]:
    """Return every file and how many parts of its path name it."""
    found: dict[Path, int] = {}
    for given in paths:
        path = Path(os.path.abspath(given))  # noqa: PTH100  a link keeps its own name
        if not path.is_dir():
            found.setdefault(path, 1)
            continue
        files = [file for file in sorted(path.rglob("*")) if file.is_file()]
        if not files:
            raise ReportError("the folder is empty", where=str(given), remedy="name files")
        found |= {file: 1 + len(file.relative_to(path).parts) for file in files}
    return found


def _changed(paths: Sequence[Path], known: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of files that are not what is known under their names."""
    changed = []
    for file, depth in _files(paths).items():
        ends = ("/".join(file.parts[-n:]) for n in range(len(file.parts), 0, -1))
        name = next((end for end in ends if end in known), "/".join(file.parts[-depth:]))
        if known.get(name) != hash_file(file)[1]:
            changed.append(name)
    return tuple(changed)


def write_report(
    result: TcoResult,
    folder: Path,
    keyring: Keyring,
    *,
    generated_at_ns: int,
    schedules: tuple[str, ...] = (),
    inputs: Mapping[str, str] | None = None,
    reading: Any = None,
    name: str = "tco",
    title: str = "Trading costs",
    clock: Clock | None = None,
) -> ReportPaths:
    """Write and seal a cost report; CSV and PDF have the same bytes for the same arguments.

    Args:
        result: The analysis.
        folder: Where to write; it is made.
        keyring: The site's keyring, which seals.
        generated_at_ns: Time stated in the report, UTC nanoseconds.
        schedules: Fee schedule versions in effect, kept in the seal.
        inputs: Name to SHA-384 of every input, from `digest_inputs`.
        reading: What to show beside the sums, from `read_costs`; None reads the result alone.
        name: File name without ending.
        title: Title of the PDF.
        clock: Tells the time of sealing.

    Raises:
        StorageError: The disk refuses.
    """
    from oem_tco.report.cost_pdf import cost_pdf, read_costs

    shown = reading if reading is not None else read_costs(result)
    made_from = Provenance(
        generated_at_ns, dict(inputs or {}), schedules, {"convention": result.convention.value}
    )

    def pdf(csv_sha384: str) -> bytes:
        return cost_pdf(
            result,
            shown,
            title=title,
            generated_at_ns=generated_at_ns,
            csv_sha384=csv_sha384,
            schedules=schedules,
            inputs=made_from.inputs,
        )

    sheet = cost_sheet(result, shown.outliers)
    return write_sealed("tco", sheet, pdf, folder / name, keyring, made_from, clock=clock)


def write_sealed(
    kind: str,
    sheet: Sheet,
    pdf: Callable[[str], bytes],
    base: Path,
    keyring: Keyring,
    made_from: Provenance,
    *,
    clock: Clock | None = None,
) -> ReportPaths:
    """Write CSV and PDF beside each other and seal both with the same claims.

    Args:
        kind: Name of the report's kind.
        sheet: Its table.
        pdf: Makes the PDF from the CSV's SHA-384, which it must name.
        base: Path without ending; its folder is made.
        keyring: The site's keyring.
        made_from: Inputs, schedules and time, for the seal.
        clock: Tells the time of sealing.
    """
    table = sheet_csv(sheet)
    csv_sha384 = hashlib.sha384(table).hexdigest()
    pages = pdf(csv_sha384)
    csv_path, pdf_path = base.with_name(f"{base.name}.csv"), base.with_name(f"{base.name}.pdf")
    base.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(csv_path, table)
    write_atomic(pdf_path, pages)
    claims = {
        "report": kind,
        "csv_sha384": csv_sha384,
        "pdf_sha384": hashlib.sha384(pages).hexdigest(),
        "rows": len(sheet.rows),
        "controls": controls_text(sheet),
        "as_of": rfc3339(made_from.generated_at_ns),
        "inputs": dict(made_from.inputs),
        "schedules": list(made_from.schedules),
        "facts": dict(made_from.facts),
    }
    return ReportPaths(
        csv=csv_path,
        pdf=pdf_path,
        csv_seal=seal_file(csv_path, keyring, media_type="text/csv", claims=claims, clock=clock),
        pdf_seal=seal_file(
            pdf_path, keyring, media_type="application/pdf", claims=claims, clock=clock
        ),
    )


def validate_report(
    csv_path: Path, keyring: Keyring, *, inputs: Sequence[Path] = ()
) -> ReportCheck:
    """Verify a report: both seals, that CSV and PDF belong together, and the control totals.

    Args:
        csv_path: The report's CSV; PDF and seals stand beside it.
        keyring: The site's keyring.
        inputs: Files the report may have been made from; those whose digest is no longer the
            sealed one are named in the answer.

    Raises:
        SealError: A seal does not hold.
        ReportError: The files do not belong together, or the lines do not add up.
    """
    where = str(csv_path)
    pdf_path = csv_path.with_suffix(".pdf")
    sealed, pdf = verify_file(csv_path, keyring), verify_file(pdf_path, keyring)
    claims: Mapping[str, Any] = sealed.claims
    digests = (claims.get("csv_sha384"), claims.get("pdf_sha384"))
    together = claims == pdf.claims and digests == (sealed.sha384, pdf.sha384)
    if not together or not names_csv(pdf_path.read_bytes(), sealed.sha384):
        raise ReportError(
            "CSV and PDF are of two different reports",
            where=where,
            remedy="put the PDF back that was made with this CSV",
        )
    kind = report_kinds().get(str(claims.get("report")))
    if kind is None:
        raise wrong(f"there is no report of kind {claims.get('report')!r}", where)
    sheet = read_csv(csv_path.read_bytes(), kind.columns, kind.currency, where)
    kind.check(sheet, where)
    if (claims.get("rows"), claims.get("controls")) != (len(sheet.rows), controls_text(sheet)):
        raise wrong("the totals are not the sealed ones", where)
    stated = claims.get("inputs")
    known = {str(k): str(v) for k, v in stated.items()} if isinstance(stated, dict) else {}
    return ReportCheck(
        kind.name,
        len(sheet.rows),
        controls_text(sheet),
        known,
        tuple(map(str, claims.get("schedules") or ())),
        sealed.sealed_at,
        _changed(inputs, known),
    )
