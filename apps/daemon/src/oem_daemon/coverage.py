"""What past orders taught about the cost estimate, kept from one run to the next."""

from __future__ import annotations

import json
from pathlib import Path

from oem_security.files import write_atomic
from oem_tco import CoverageTracker


def load_coverage(path: Path) -> CoverageTracker:
    """Return the tracker of the last clean stop, or a new one.

    The file only sharpens estimates; one that cannot be read is as good as none, and every order
    that follows teaches again.
    """
    try:
        return CoverageTracker.from_record(json.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return CoverageTracker()


def save_coverage(tracker: CoverageTracker, path: Path) -> None:
    """Write the tracker for the next run."""
    write_atomic(path, json.dumps(tracker.to_record()).encode() + b"\n")
