"""The incidents report for people: how many, how bad, what happened and when it was over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from oem_security.clock import NS_PER_SECOND, rfc3339
from oem_tco.report.figures import bars, height_ratio
from oem_tco.report.incidents import Incident, IncidentKind, Severity
from oem_tco.report.page import Page

_MOST = 200


def incident_pdf(
    incidents: Sequence[Incident],
    *,
    title: str,
    generated_at_ns: int,
    csv_sha384: str,
    inputs: Mapping[str, str],
) -> bytes:
    """Return the PDF of the report; the same arguments give the same bytes."""
    made = f"{rfc3339(generated_at_ns)[:19]}Z"
    page = Page(title, csv_sha384=csv_sha384, subtitle=f"as of {made}")
    counts = Counter(one.kind.severity for one in incidents)
    still = sum(one.ended_ns is None for one in incidents)
    page.text(
        f"As of {made}. {len(incidents)} incidents: "
        + ", ".join(f"{counts[severity]} {severity.value}" for severity in Severity)
        + f"; {still} still open."
    )
    kinds = Counter(one.kind for one in incidents)
    if kinds:
        shown = [kind for kind in IncidentKind if kinds[kind]]
        png = bars(
            [kind.value.replace("_", " ") for kind in shown],
            [kinds[kind] for kind in shown],
            title="Incidents by kind",
            unit="incidents",
        )
        page.figure(png, ratio=height_ratio(png))
    for severity in Severity:
        own = [one for one in incidents if one.kind.severity is severity]
        if not own:
            continue
        page.heading(severity.value.capitalize())
        page.table(
            ("began", "what", "about", "record", "over after"),
            [
                (
                    f"{rfc3339(one.began_ns)[:19]}Z",
                    one.what + (f" (by {one.operator})" if one.operator else ""),
                    one.about,
                    one.incident_id,
                    _lasted(one),
                )
                for one in own[:_MOST]
            ],
            texts=4,
            widths=(2.2, 3.8, 2.1, 1.9, 1.0),
        )
        if len(own) > _MOST:
            page.small(f"The first {_MOST} of {len(own)}; the CSV holds all.")
    page.heading("What this was made from")
    named = [f"{name}: SHA-384 {digest}" for name, digest in sorted(inputs.items())]
    page.lines(named or ["no input was named"])
    return page.pdf()


def _lasted(one: Incident) -> str:
    if one.ended_ns is None:
        return "OPEN"
    seconds = (one.ended_ns - one.began_ns) / NS_PER_SECOND
    return "at once" if not seconds else f"{seconds:,.1f} s"
