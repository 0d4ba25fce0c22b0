"""Where a site keeps its licence and what belongs to it."""

from __future__ import annotations

from pathlib import Path

from oem_security.values import dataclass, field


@dataclass(frozen=True, slots=True)
class LicensePaths:
    """Where a site keeps its licence, the vendor's keys it trusts, and its licence registry.

    Attributes:
        folder: The folder of them all, `var/licenses` of a site.
        license: The licence's envelope.
        anchors: The vendor's keys that are trusted, sealed by the site.
        revocations: The vendor's newest revocation list.
        registry: The journal of what was asked for, installed and revoked.
        state: What is remembered between two looks at the licence.
        seats: Folder of the locks of processes that hold the licence.
    """

    folder: Path
    license: Path = field(init=False, repr=False, compare=False)
    anchors: Path = field(init=False, repr=False, compare=False)
    revocations: Path = field(init=False, repr=False, compare=False)
    registry: Path = field(init=False, repr=False, compare=False)
    state: Path = field(init=False, repr=False, compare=False)
    seats: Path = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, file in _FILES:
            object.__setattr__(self, name, self.folder / file)


_FILES = (
    ("license", "license.dsse.json"),
    ("anchors", "anchors.dsse.json"),
    ("revocations", "revocations.dsse.json"),
    ("registry", "registry.jsonl"),
    ("state", "state"),
    ("seats", "seats"),
)
