"""Fee schedules as data files: effective dates, tiers, discounts, sign conventions."""

from __future__ import annotations

import datetime as dt
import enum
import tomllib
from decimal import Decimal
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from oem_security.clock import NS_PER_SECOND
from oem_tco.errors import ScheduleError


class SignConvention(enum.StrEnum):
    """What a positive fee means in a venue's own reports."""

    POSITIVE_IS_COST = "positive_is_cost"
    NEGATIVE_IS_COST = "negative_is_cost"


def _exact(value: object) -> object:
    # a TOML float has lost its digits already: 0.1 % must be written as "0.001"
    if isinstance(value, float):
        raise ValueError('write the number as text, such as "0.001", so that it stays exact')
    return value


Exact = Annotated[Decimal, BeforeValidator(_exact)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tier(_Part):
    """One row of a ladder: reached when both minima are met, or either where `requires` says so.

    Attributes:
        name: The venue's name for it.
        min_volume: 30-day volume from which it applies, in the schedule's `volume_currency`.
        min_holdings: Holdings of the schedule's `holdings_asset` from which it applies.
        maker: Rate as a share of notional; negative is a rebate.
        taker: Rate as a share of notional.
    """

    name: str
    min_volume: Exact = Field(default=Decimal(0), ge=0)
    min_holdings: Exact = Field(default=Decimal(0), ge=0)
    maker: Exact = Field(gt=Decimal("-0.05"), lt=Decimal("0.05"))
    taker: Exact = Field(gt=Decimal("-0.05"), lt=Decimal("0.05"))


class Discount(_Part):
    """A factor on positive rates when fees are paid in an asset; rebates are not discounted."""

    asset: str
    factor: Exact = Field(gt=0, le=1)


class ScheduleVersion(_Part):
    """One schedule between two instants; `until` None means until the next version."""

    version: str
    effective: dt.datetime
    until: dt.datetime | None = None
    source: str
    volume_currency: str
    holdings_asset: str = ""
    requires: Literal["both", "either"] = "both"
    symbols: tuple[str, ...] = ()
    """Symbols it applies to; empty means every symbol of the market."""
    tiers: tuple[Tier, ...] = Field(min_length=1)
    discounts: tuple[Discount, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> ScheduleVersion:
        for name, moment in (("effective", self.effective), ("until", self.until)):
            if moment is not None and moment.tzinfo is None:
                raise ValueError(f"{name} needs an offset, such as 2022-06-01T08:00:00Z")
        if self.until is not None and self.until <= self.effective:
            raise ValueError("until must be later than effective")
        names = [tier.name for tier in self.tiers]
        if len(set(names)) != len(names):
            raise ValueError("two tiers have the same name")
        ladder = [(tier.min_volume, tier.min_holdings) for tier in self.tiers]
        if ladder != sorted(ladder):
            raise ValueError("tiers must rise in volume and holdings")
        if any(tier.min_holdings for tier in self.tiers) and not self.holdings_asset:
            raise ValueError("min_holdings needs holdings_asset")
        return self

    @cached_property
    def effective_ns(self) -> int:
        return _ns(self.effective)

    @cached_property
    def until_ns(self) -> int | None:
        return None if self.until is None else _ns(self.until)

    def tier_named(self, name: str) -> Tier | None:
        return next((tier for tier in self.tiers if tier.name.lower() == name.lower()), None)

    def tier_for(self, volume: Decimal, holdings: Decimal) -> Tier:
        """Return the highest tier whose conditions hold; the first tier needs none."""
        reached = self.tiers[0]
        for tier in self.tiers[1:]:
            met = (volume >= tier.min_volume, holdings >= tier.min_holdings)
            if all(met) if self.requires == "both" else any(met):
                reached = tier
        return reached


class VenueSchedule(_Part):
    """All versions of one venue's fees for one market, as one file holds them."""

    venue: str
    market: str
    sign: SignConvention = SignConvention.POSITIVE_IS_COST
    sign_note: str = ""
    version: tuple[ScheduleVersion, ...] = ()

    def overlaps(self) -> list[str]:
        """Return a line for every pair of versions that claim the same instant and symbols."""
        lines = []
        ordered = sorted(self.version, key=lambda v: v.effective_ns)
        for i, first in enumerate(ordered):
            for second in ordered[i + 1 :]:
                ends = first.until_ns
                begin_together = first.effective_ns == second.effective_ns
                if not begin_together and (ends is None or ends <= second.effective_ns):
                    continue  # an open end is closed by the next version
                if set(first.symbols) & set(second.symbols) or first.symbols == second.symbols:
                    lines.append(f"{first.version} runs into {second.version}")
        return lines


def load_schedule(text: str, where: str) -> VenueSchedule:
    """Return the schedule of one TOML text; raises ScheduleError naming each wrong field."""
    try:
        schedule = VenueSchedule.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ScheduleError(f"not TOML: {error}", where=where, remedy="mend the file") from None
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or 'file'}: {item['msg']}" for item in error.errors()
        )
        raise ScheduleError(wrong, where=where, remedy="mend the named fields") from None
    if overlaps := schedule.overlaps():
        raise ScheduleError(
            "; ".join(overlaps), where=where, remedy="end one version where the next begins"
        )
    return schedule


def load_folder(folder: Path) -> tuple[VenueSchedule, ...]:
    """Return the schedules of every `*.toml` in a folder, by file name."""
    files = sorted(folder.glob("*.toml"))
    if not files:
        raise ScheduleError("no fee schedule", where=str(folder), remedy="name a folder of *.toml")
    return tuple(load_schedule(path.read_text("utf-8"), str(path)) for path in files)


def shipped_schedules() -> tuple[VenueSchedule, ...]:
    """Return the schedules that come with the library."""
    folder = resources.files("oem_tco.fees").joinpath("schedules")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    return tuple(load_schedule(folder.joinpath(n).read_text("utf-8"), n) for n in names)


def _ns(moment: dt.datetime) -> int:
    since = moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    seconds = since.days * 86_400 + since.seconds
    return seconds * NS_PER_SECOND + since.microseconds * 1_000
