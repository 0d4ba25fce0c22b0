"""The decisions report for people: counts, reasons, the closest calls, and the replay's answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from oem_security.clock import rfc3339
from oem_tco.decision.orchestrator import Reason, Verdict
from oem_tco.decision.record import ReplayResult
from oem_tco.report.decisions import LoggedDecision
from oem_tco.report.figures import bars, height_ratio
from oem_tco.report.page import Page

_MOST = 40


def decision_pdf(
    decisions: Sequence[LoggedDecision],
    replayed: ReplayResult,
    *,
    title: str,
    generated_at_ns: int,
    csv_sha384: str,
    inputs: Mapping[str, str],
) -> bytes:
    """Return the PDF of the report; the same arguments give the same bytes.

    Args:
        decisions: The verdicts, in the order of the log.
        replayed: Result of replaying the same log.
        title: Title of the document.
        generated_at_ns: Time it stands for, UTC nanoseconds.
        csv_sha384: Digest of the CSV it belongs to.
        inputs: Name to SHA-384 of the log.
    """
    made = f"{rfc3339(generated_at_ns)[:19]}Z"
    page = Page(title, csv_sha384=csv_sha384, subtitle=f"as of {made}")
    counts = Counter(one.verdict for one in decisions)
    page.text(
        f"As of {made}. {len(decisions)} decisions: {counts[Verdict.ACCEPT]} accepted, "
        f"{counts[Verdict.REJECT]} rejected, {counts[Verdict.DO_NOTHING]} left in favour of an "
        "alternative or of doing nothing."
    )
    page.text(
        f"Every decision was recomputed from its own record: {replayed.checked} recomputed, "
        f"{len(replayed.differences)} differences."
    )
    if replayed.differences:
        page.heading("Differences")
        page.table(
            ("where", "field", "logged", "recomputed"),
            [(d.where, d.field, d.logged, d.recomputed) for d in replayed.differences[:_MOST]],
            texts=4,
        )
    _reasons(page, decisions)
    for name in ("strategy", "profile", "symbol", "venue"):
        _by(page, name, decisions)
    _closest(page, decisions)
    page.heading("Policies")
    policies = Counter(one.policy_digest for one in decisions)
    page.table(
        ("policy, first 16 digits of SHA-384", "decisions"),
        [(digest, count) for digest, count in sorted(policies.items())],
    )
    schedules = sorted({one.inputs.estimate.schedule_version or "estimated" for one in decisions})
    page.heading("What this was made from")
    page.lines(
        [
            *(f"{name}: SHA-384 {digest}" for name, digest in sorted(inputs.items())),
            f"fee schedules: {', '.join(schedules) or 'none'}",
        ]
    )
    return page.pdf()


def _reasons(page: Page, decisions: Sequence[LoggedDecision]) -> None:
    seen = Counter(reason for one in decisions for reason in one.body["reasons"])
    known = [(reason.value, seen[reason.value]) for reason in Reason if seen[reason.value]]
    if not known:
        return
    png = bars(
        [name for name, _ in known],
        [count for _, count in known],
        title="Why candidates were not accepted",
        unit="decisions (one may have several reasons)",
    )
    page.heading("Reasons")
    page.figure(png, ratio=height_ratio(png))


def _by(page: Page, name: str, decisions: Sequence[LoggedDecision]) -> None:
    groups: dict[str, list[LoggedDecision]] = {}
    for one in decisions:
        groups.setdefault(str(getattr(one.inputs.candidate, name)), []).append(one)
    rows = []
    for value, own in sorted(groups.items()):
        counts = Counter(one.verdict for one in own)
        edge = sum(float(one.body["net_edge_bps"]) for one in own) / len(own)
        cost = sum(one.inputs.estimate.expected_bps for one in own) / len(own)
        rows.append(
            (value or "(none)", len(own), *(counts[v] for v in Verdict), f"{cost:.2f}",
             f"{edge:+.2f}")
        )  # fmt: skip
    page.heading(f"By {name}")
    page.table(
        (name, "decisions", "accepted", "rejected", "nothing", "mean cost, bps",
         "mean net edge, bps"),
        rows,
    )  # fmt: skip


def _closest(page: Page, decisions: Sequence[LoggedDecision]) -> None:
    """List the accepted decisions that were nearest to a refusal by their net edge."""
    accepted = [one for one in decisions if one.verdict is Verdict.ACCEPT]
    near = sorted(
        (float(one.body["margins"]["net_edge"]), one.seq, one)
        for one in accepted
        if "net_edge" in one.body["margins"]
    )[:10]
    if not near:
        return
    page.heading("Accepted with the least room")
    page.table(
        ("decision", "strategy", "symbol", "net edge, bps", "room, bps", "stressed, bps", "prob."),
        [
            (
                one.body["decision_id"],
                one.inputs.candidate.strategy,
                one.inputs.candidate.symbol,
                f"{float(one.body['net_edge_bps']):+.2f}",
                f"{room:+.2f}",
                f"{float(one.body['stressed_net_edge_bps']):+.2f}",
                f"{one.inputs.candidate.probability:.3f}",
            )
            for room, _, one in near
        ],
        texts=3,
    )
