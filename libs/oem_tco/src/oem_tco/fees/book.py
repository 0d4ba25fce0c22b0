"""One commission API over every schedule; what is missing is estimated, never 0."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from oem_security.clock import NS_PER_SECOND
from oem_tco.errors import InputError, ScheduleError
from oem_tco.fees.schedule import (
    ScheduleVersion,
    SignConvention,
    VenueSchedule,
    load_folder,
    shipped_schedules,
)
from oem_tco.money import EXACT
from oem_tco.terms import Liquidity, Provenance


@dataclass(frozen=True, slots=True)
class FeeAccount:
    """What a venue knows of the account when it sets the rate.

    Attributes:
        volume_30d: Traded in the last 30 days, in the schedule's volume currency.
        holdings: Asset to amount held.
        pay_fees_in: Asset in which fees are paid; empty means the quote currency.
        tier: The tier by name, when the venue tells it; empty means derive it.
    """

    volume_30d: Decimal = Decimal(0)
    holdings: Mapping[str, Decimal] = field(default_factory=dict)
    pay_fees_in: str = ""
    tier: str = ""


@dataclass(frozen=True, slots=True)
class Commission:
    """A commission rate with its range and where it comes from.

    Attributes:
        rate: Share of notional, positive is a cost.
        low_rate: Lowest plausible rate; equal to `rate` where a schedule names it.
        high_rate: Highest plausible rate.
        tier: Name of the tier; empty for an estimate.
        schedule_version: Such as `binance/spot/2022-06-01`; empty for an estimate.
        provenance: SCHEDULE or ESTIMATED.
        discount: Factor applied for the asset fees are paid in, 1 where none.
        note: Why it is an estimate.
    """

    rate: Decimal
    low_rate: Decimal
    high_rate: Decimal
    tier: str
    schedule_version: str
    provenance: Provenance
    discount: Decimal = Decimal(1)
    note: str = ""

    def amount(self, notional: Decimal) -> Decimal:
        """Return the commission on a notional in the quote currency.

        Example:
            >>> rate = Decimal("0.00055")
            >>> c = Commission(rate, rate, rate, "", "", Provenance.ESTIMATED)
            >>> c.amount(Decimal("0.5") * Decimal("95900.1"))
            Decimal('26.3725275')
        """
        return EXACT.multiply(notional, self.rate)


@dataclass(frozen=True, slots=True)
class FallbackRates:
    """What is assumed where no schedule applies: the entry tier of large venues, and its range."""

    maker: Decimal = Decimal("0.001")
    taker: Decimal = Decimal("0.001")
    low: Decimal = Decimal("-0.00025")
    high: Decimal = Decimal("0.006")


class FeeBook:
    """Every known schedule, asked through `commission`.

    Example:
        >>> import datetime as dt
        >>> book = FeeBook.shipped()
        >>> vip4 = FeeAccount(tier="VIP 4")
        >>> book.commission("binance", "spot", "maker", dt.date(2022, 6, 1), vip4).rate
        Decimal('0.0002')
        >>> book.commission("binance", "spot", "maker", dt.date(2022, 5, 31), vip4).rate
        Decimal('0.0007')
    """

    def __init__(
        self, schedules: tuple[VenueSchedule, ...], fallback: FallbackRates | None = None
    ) -> None:
        self._schedules: dict[tuple[str, str], VenueSchedule] = {}
        for schedule in schedules:
            key = (schedule.venue, schedule.market)
            if key in self._schedules:
                raise ScheduleError(
                    "two files for one market",
                    where=f"{key[0]}/{key[1]}",
                    remedy="keep all versions of a market in one file",
                )
            self._schedules[key] = schedule
        self._fallback = fallback or FallbackRates()

    @classmethod
    def shipped(cls) -> FeeBook:
        """Return the schedules that come with the library."""
        return cls(shipped_schedules())

    @classmethod
    def from_folder(cls, folder: Path, *, with_shipped: bool = True) -> FeeBook:
        """Return the schedules of a folder; a market named there replaces the shipped one."""
        own = load_folder(folder)
        named = {(s.venue, s.market) for s in own}
        kept = shipped_schedules() if with_shipped else ()
        return cls((*own, *(s for s in kept if (s.venue, s.market) not in named)))

    @property
    def schedules(self) -> tuple[VenueSchedule, ...]:
        return tuple(self._schedules[key] for key in sorted(self._schedules))

    def versions(self) -> tuple[str, ...]:
        """Return the names of every version, as a report's sidecar lists them."""
        return tuple(f"{s.venue}/{s.market}/{v.version}" for s in self.schedules for v in s.version)

    def commission(
        self,
        venue: str,
        market: str,
        liquidity: Liquidity | str,
        at: int | dt.date,
        account: FeeAccount | None = None,
        symbol: str = "",
    ) -> Commission:
        """Return the commission rate of a fill.

        Args:
            venue: Venue id, such as `binance`.
            market: `spot`, `linear` or `inverse`.
            liquidity: Maker or taker.
            at: UTC nanoseconds of the fill; or a date, which means the end of that day.
            account: Volume, holdings and tier; an empty account is in the first tier.
            symbol: For schedules that differ by symbol.

        Returns:
            The rate of the schedule in effect; else a fallback with a range and a note.
        """
        account = account or FeeAccount()
        liquidity = Liquidity(liquidity)
        schedule = self._schedules.get((venue, market))
        if schedule is None:
            return self._estimate(liquidity, f"no schedule for {venue}/{market}")
        at_ns = at if isinstance(at, int) else _end_of_day_ns(at)
        version = _in_effect(schedule, at_ns, symbol)
        if version is None:
            return self._estimate(liquidity, f"no {venue}/{market} schedule at that time", schedule)
        if account.tier:
            tier = version.tier_named(account.tier)
            if tier is None:
                return self._estimate(
                    liquidity, f"{venue}/{market} has no tier {account.tier!r}", schedule
                )
        else:
            held = account.holdings.get(version.holdings_asset, Decimal(0))
            tier = version.tier_for(account.volume_30d, held)
        rate = tier.maker if liquidity is Liquidity.MAKER else tier.taker
        discount = next(
            (d.factor for d in version.discounts if d.asset == account.pay_fees_in), Decimal(1)
        )
        if rate > 0:
            rate *= discount
        else:
            discount = Decimal(1)
        name = f"{venue}/{market}/{version.version}"
        return Commission(rate, rate, rate, tier.name, name, Provenance.SCHEDULE, discount)

    def changes(self, venue: str, market: str) -> tuple[int, ...]:
        """Return the instants, UTC nanoseconds, at which a market's rates may change, ascending."""
        schedule = self._schedules.get((venue, market))
        if schedule is None:
            return ()
        begins = {v.effective_ns for v in schedule.version}
        return tuple(
            sorted(begins | {v.until_ns for v in schedule.version if v.until_ns is not None})
        )

    def volume_steps(self, venue: str, market: str) -> tuple[Decimal, ...]:
        """Return the 30-day volumes at which a market's tier may change, ascending."""
        schedule = self._schedules.get((venue, market))
        versions = () if schedule is None else schedule.version
        return tuple(sorted({tier.min_volume for v in versions for tier in v.tiers}))

    def volume_currency(self, venue: str, market: str) -> str:
        """Return the currency a market counts volume in; empty where no schedule says.

        Raises:
            ScheduleError: Its versions count in different ones.
        """
        schedule = self._schedules.get((venue, market))
        found = sorted({v.volume_currency for v in schedule.version}) if schedule else []
        if len(found) > 1:
            raise ScheduleError(
                f"volume is counted in {', '.join(found)}",
                where=f"{venue}/{market}",
                remedy="give the tier or the volume of the account instead",
            )
        return found[0] if found else ""

    def fee_cost(self, venue: str, market: str, reported: Decimal) -> Decimal:
        """Return a fee as the venue reports it with the sign of a cost (positive) or rebate.

        A venue without schedule is taken to report costs as positive, as most do.
        """
        schedule = self._schedules.get((venue, market))
        flipped = schedule is not None and schedule.sign is SignConvention.NEGATIVE_IS_COST
        return -reported if flipped else reported

    def _estimate(
        self, liquidity: Liquidity, note: str, schedule: VenueSchedule | None = None
    ) -> Commission:
        fallback = self._fallback
        rate = fallback.maker if liquidity is Liquidity.MAKER else fallback.taker
        low, high = fallback.low, fallback.high
        if schedule is not None and schedule.version:
            # the venue is known, only the date or the tier is not: its own ladder bounds the rate
            known = [
                tier.maker if liquidity is Liquidity.MAKER else tier.taker
                for version in schedule.version
                for tier in version.tiers
            ]
            low = min(known) - abs(min(known)) / 2
            # a rebate that no schedule vouches for is not assumed: the general rate stands
            if max(known) > 0:
                rate, high = max(known), max(known) * Decimal("1.5")
        return Commission(rate, low, max(high, rate), "", "", Provenance.ESTIMATED, note=note)


def traded_volume(trades: Iterable[tuple[int, Decimal]], at_ns: int, *, days: int = 30) -> Decimal:
    """Return what was traded in the days before an instant, for `FeeAccount.volume_30d`.

    The window rolls: it is open at its old end and does not hold the instant itself, so that a fill
    is charged by what was traded before it. A venue that sets tiers once a day is asked with the
    last midnight.

    Args:
        trades: UTC nanoseconds and notional in the schedule's `volume_currency`, any order.
        at_ns: The instant.
        days: Length of the window, above 0.

    Raises:
        InputError: A notional is negative or not finite, or the window is empty.

    Example:
        >>> day = 86_400 * NS_PER_SECOND
        >>> traded_volume([(0, Decimal(5)), (day, Decimal(7)), (30 * day, Decimal(9))], 30 * day)
        Decimal('7')
    """
    if days <= 0:
        raise InputError(f"{days} days", where="days", remedy="give at least one day")
    since = at_ns - days * 86_400 * NS_PER_SECOND
    total = Decimal(0)
    for time_ns, notional in trades:
        if not notional.is_finite() or notional < 0:
            raise InputError(
                f"a notional is {notional}", where=f"trade at {time_ns}", remedy="give its size"
            )
        if since < time_ns < at_ns:
            total = EXACT.add(total, notional)
    return total


def _in_effect(schedule: VenueSchedule, at_ns: int, symbol: str) -> ScheduleVersion | None:
    # a version for named symbols goes before a general one; once it ends, the general one holds.
    # Within each kind a version closes the one before it, so an ended version leaves a gap.
    begun = [v for v in schedule.version if v.effective_ns <= at_ns]
    named = [v for v in begun if symbol in v.symbols]
    general = [v for v in begun if not v.symbols]
    for kind in (named, general):
        latest = max(kind, key=lambda v: v.effective_ns, default=None)
        if latest is not None and (latest.until_ns is None or at_ns < latest.until_ns):
            return latest
    return None


def _end_of_day_ns(day: dt.date) -> int:
    days = (day - dt.date(1970, 1, 1)).days
    return (days + 1) * 86_400 * NS_PER_SECOND - 1
