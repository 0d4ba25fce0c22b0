"""Which exchanges are reached, where and with whose keys, as a file or a command line says it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from oem_exec.errors import BadSettings
from oem_exec.model.enums import InstrumentKind
from oem_security.clock import Clock

if TYPE_CHECKING:
    from oem_exec.ccxt_venue.venue import CcxtVenue


class VenueAccess(BaseModel):
    """One exchange and how it is reached.

    Attributes:
        exchange: Venue of the capability table.
        name: Name in routes and stores; empty takes the exchange's.
        base_url: Scheme, host and port in place of the exchange's own; empty keeps them.
        kind: Spot or linear perpetuals.
        api_key: Key; empty for public data alone.
        secret_file: File with the secret; it is read when the venue is opened.
        password_file: File with the passphrase where the venue has one.
        timeout_s: Longest time for one HTTP request, seconds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    exchange: str
    name: str = ""
    base_url: Annotated[str, Field(pattern=r"^(https?://[^/@?#]+)?$")] = ""
    kind: InstrumentKind = InstrumentKind.SPOT
    api_key: str = Field(default="", repr=False)
    secret_file: Path | None = None
    password_file: Path | None = None
    timeout_s: float = Field(default=8.0, gt=0.0, le=60.0)


def read_accesses(path: Path) -> tuple[VenueAccess, ...]:
    """Return the venues of a JSON file, a list of objects; raises `BadSettings`."""
    try:
        found = TypeAdapter(tuple[VenueAccess, ...]).validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise BadSettings("there is no such file", where=str(path), remedy="name one") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise BadSettings(
            f"venue {'.'.join(map(str, first['loc']))}: {first['msg']}",
            where=str(path),
            remedy="give a list of objects with exchange, base_url, api_key and secret_file",
        ) from error
    return found


def open_venues(
    accesses: Iterable[VenueAccess], clock: Clock | None = None
) -> tuple[CcxtVenue, ...]:
    """Return the venues; nothing is asked of them yet.

    Raises:
        BadSettings: A venue is unknown, two share a name, or a file with a secret is not there.
        VenueNotInstalled: ccxt is missing.
    """
    from oem_exec.ccxt_venue.venue import CcxtSettings, CcxtVenue

    accesses = list(accesses)
    names = [access.name or access.exchange for access in accesses]
    if len(set(names)) < len(names):
        raise BadSettings(
            "two venues share a name", where=", ".join(names), remedy="give each its own `name`"
        )
    return tuple(
        CcxtVenue(
            CcxtSettings(
                access.exchange,
                access.api_key,
                _text_of(access.secret_file),
                _text_of(access.password_file),
                base_url=access.base_url,
                kind=access.kind,
                timeout_s=access.timeout_s,
                name=access.name,
            ),
            clock,
        )
        for access in accesses
    )


def _text_of(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(
            "a file with a secret cannot be read", where=str(path), remedy="check path and mode"
        ) from error
