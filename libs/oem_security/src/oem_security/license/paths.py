"""Where a site keeps its licence and what belongs to it."""

from __future__ import annotations

from pathlib import Path

from oem_security.values import dataclass


@dataclass(frozen=True, slots=True)
class LicensePaths:
    """Where a site keeps its licence, the vendor's keys it trusts, and its licence registry."""

    folder: Path

    @property
    def license(self) -> Path:
        return self.folder / "license.dsse.json"

    @property
    def anchors(self) -> Path:
        return self.folder / "anchors.dsse.json"

    @property
    def revocations(self) -> Path:
        return self.folder / "revocations.dsse.json"

    @property
    def registry(self) -> Path:
        return self.folder / "registry.jsonl"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def seats(self) -> Path:
        return self.folder / "seats"
