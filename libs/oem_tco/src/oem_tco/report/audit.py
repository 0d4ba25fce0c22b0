"""Writing the reports that are made from signed logs: decisions and incidents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from oem_security.clock import Clock
from oem_security.keys.keyring import Keyring
from oem_tco.decision.record import replay
from oem_tco.report.decisions import decision_sheet, logged_decisions
from oem_tco.report.files import Provenance, ReportPaths, write_sealed
from oem_tco.report.incidents import LogRecord, find_incidents, incident_sheet


def write_decision_report(
    records: Iterable[LogRecord],
    folder: Path,
    keyring: Keyring,
    *,
    inputs: Mapping[str, str] | None = None,
    name: str = "decisions",
    title: str = "Decisions",
    clock: Clock | None = None,
) -> ReportPaths:
    """Write and seal the decisions report; every decision is recomputed and differences are named.

    The report stands for the time of the log's last record, so that the same log gives the same
    bytes.

    Args:
        records: A decision log, in order; other kinds than decisions are passed over.
        folder: Where to write; it is made.
        keyring: The site's keyring, which seals.
        inputs: Name to SHA-384 of the log.
        name: File name without ending.
        title: Title of the PDF.
        clock: Tells the time of sealing.

    Raises:
        ReplayError: A decision record is not one that this library wrote.
    """
    from oem_tco.report.decision_pdf import decision_pdf

    kept = tuple(records)
    decisions = logged_decisions(
        (f"{r.log}:{r.seq + 1}", r.seq, r.time_ns, r.kind, r.body) for r in kept
    )
    replayed = replay((f"{r.log}:{r.seq + 1}", r.kind, r.body) for r in kept)
    versions = {one.inputs.estimate.schedule_version for one in decisions}
    made_from = Provenance(
        max((r.time_ns for r in kept), default=0),
        dict(inputs or {}),
        tuple(sorted(version for version in versions if version)),
        {"recomputed": replayed.checked, "differences": len(replayed.differences)},
    )

    def pdf(csv_sha384: str) -> bytes:
        return decision_pdf(
            decisions,
            replayed,
            title=title,
            generated_at_ns=made_from.generated_at_ns,
            csv_sha384=csv_sha384,
            inputs=made_from.inputs,
        )

    sheet = decision_sheet(decisions)
    return write_sealed("decisions", sheet, pdf, folder / name, keyring, made_from, clock=clock)


def write_incident_report(
    records: Iterable[LogRecord],
    folder: Path,
    keyring: Keyring,
    *,
    inputs: Mapping[str, str] | None = None,
    name: str = "incidents",
    title: str = "Incidents",
    clock: Clock | None = None,
) -> ReportPaths:
    """Write and seal the incidents report of one or several logs.

    Args are those of `write_decision_report`; the records of several logs follow one another.
    """
    from oem_tco.report.incident_pdf import incident_pdf

    kept = tuple(records)
    incidents = find_incidents(kept)
    made_from = Provenance(
        max((r.time_ns for r in kept), default=0),
        dict(inputs or {}),
        (),
        {"records": len(kept)},
    )

    def pdf(csv_sha384: str) -> bytes:
        return incident_pdf(
            incidents,
            title=title,
            generated_at_ns=made_from.generated_at_ns,
            csv_sha384=csv_sha384,
            inputs=made_from.inputs,
        )

    sheet = incident_sheet(incidents)
    return write_sealed("incidents", sheet, pdf, folder / name, keyring, made_from, clock=clock)
