"""Which venues an order may go to, and in which order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from oem_exec.errors import BadSettings, NoRoute


@dataclass(frozen=True, slots=True)
class Route:
    """One rule.

    Attributes:
        symbol: Shell pattern of symbols, such as `BTC/*`.
        profile: Shell pattern of risk profiles.
        venues: Venue names in order of preference; the next is tried after a definite refusal or
            on an open breaker only.
    """

    symbol: str = "*"
    profile: str = "*"
    venues: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.venues or len(set(self.venues)) != len(self.venues):
            raise BadSettings(
                "a route names no venue, or one twice",
                where=f"{self.symbol} {self.profile}",
                remedy="name each venue once, the preferred first",
            )


@dataclass(frozen=True, slots=True)
class RouteTable:
    """Rules in order; the first that matches decides.

    Example:
        >>> fast = Route("BTC/*", "aggressive", ("kraken",))
        >>> table = RouteTable((fast, Route(venues=("paper",))))
        >>> table.venues("BTC/USDT", "balanced")
        ('paper',)
    """

    routes: tuple[Route, ...]

    def venues(self, symbol: str, profile: str) -> tuple[str, ...]:
        """Return the venues for a symbol and profile; raises `NoRoute`."""
        for route in self.routes:
            if fnmatchcase(symbol, route.symbol) and fnmatchcase(profile, route.profile):
                return route.venues
        raise NoRoute(
            "no route matches", where=f"{symbol} {profile}", remedy="add one to the route table"
        )

    def check(self, venues: Iterable[str]) -> None:
        """Raise `BadSettings` when a route names a venue that is not there."""
        known = set(venues)
        for route in self.routes:
            for name in route.venues:
                if name not in known:
                    raise BadSettings(
                        f"route to unknown venue {name!r}",
                        where=f"{route.symbol} {route.profile}",
                        remedy=f"use one of {', '.join(sorted(known))}",
                    )
