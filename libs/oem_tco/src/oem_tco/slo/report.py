"""The service level report: one JSON document, sealed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from oem_security.clock import Clock, rfc3339
from oem_security.envelope.seal import seal_file
from oem_security.files import write_atomic
from oem_security.keys.keyring import Keyring
from oem_tco.slo.measure import SloStatus


def slo_report(statuses: Sequence[SloStatus]) -> dict[str, Any]:
    """Return the report as JSON-ready values; the same statuses give the same report."""
    return {
        "report": "slo",
        "met": all(status.met is not False for status in statuses),
        "slos": [
            {**status.to_record(), "as_of": rfc3339(status.at_ns) if status.total else None}
            for status in statuses
        ],
    }


def write_slo_report(
    statuses: Sequence[SloStatus], path: Path, keyring: Keyring, *, clock: Clock | None = None
) -> Path:
    """Write and seal the report; returns the seal's path.

    Args:
        statuses: Every service level.
        path: Where to write; its folder is made.
        keyring: The site's keyring, which seals.
        clock: Tells the time of sealing.
    """
    report = slo_report(statuses)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, (json.dumps(report, indent=1, sort_keys=True) + "\n").encode())
    claims = {"report": "slo", "met": report["met"]}
    return seal_file(path, keyring, media_type="application/json", claims=claims, clock=clock)
