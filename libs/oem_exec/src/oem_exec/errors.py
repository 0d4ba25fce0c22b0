"""Everything this library raises on purpose.

OemError
└── ExecError
    ├── InvalidOrder            the order breaks a rule that is known before sending
    │   └── UnknownSymbol
    ├── IntentConflict          one intent id, two contents
    ├── IllegalTransition       a state change the table does not have
    ├── NoRoute                 no venue for this symbol and profile
    ├── UnknownOrder            no such intent in the store
    ├── NotStarted              a call before `start` or after `stop`
    ├── KillSwitchEngaged       REDUCING or HALTED refuses this order
    ├── UnresolvedOrders        open intents must be resolved first
    ├── JournalFailed           the decision log refused an entry: trading stops
    ├── StoreUnavailable        the order store cannot be opened or written
    │   ├── StoreCorrupt
    │   └── StoreTooNew
    ├── VenueUnavailable        a venue cannot be reached or answered nonsense to a question
    │   └── VenueNotInstalled
    ├── StaleMarketData         market data is older than allowed
    └── BadSettings             a setting, route or capability is wrong
"""

from __future__ import annotations

from oem_security.errors import Category, OemError


class ExecError(OemError):
    """Base of everything `oem_exec` raises on purpose."""

    category = Category.INPUT


class InvalidOrder(ExecError):
    """The order breaks a rule that is known before anything is sent."""


class UnknownSymbol(InvalidOrder):
    """The venue does not trade this symbol."""


class BadSettings(ExecError):
    """A setting, route or capability is wrong."""


class IntentConflict(ExecError):
    """The same intent id was submitted before with other content."""

    category = Category.STATE


class IllegalTransition(ExecError):
    """The table of order states has no such transition."""

    category = Category.STATE


class NoRoute(ExecError):
    """No route names a venue for this symbol and profile."""


class UnknownOrder(ExecError):
    """The store knows no intent with this id."""


class NotStarted(ExecError):
    """The router has not been started, or has been stopped."""

    category = Category.STATE


class KillSwitchEngaged(ExecError):
    """The kill switch refuses this order."""

    category = Category.STATE


class UnresolvedOrders(ExecError):
    """Open intents must be resolved or reported before anything new is sent."""

    category = Category.STATE


class JournalFailed(ExecError):
    """The decision log refused an entry; trading stops until the router is started again."""

    category = Category.STORAGE


class StoreUnavailable(ExecError):
    """The order store cannot be opened or written."""

    category = Category.STORAGE


class StoreCorrupt(StoreUnavailable):
    """The order store is damaged."""


class StoreTooNew(StoreUnavailable):
    """The order store was written by a newer version."""

    category = Category.STATE


class VenueUnavailable(ExecError):
    """A venue cannot be reached, or its answer to a question cannot be used."""

    category = Category.UNAVAILABLE


class VenueNotInstalled(VenueUnavailable):
    """The package that speaks to this venue is not installed."""


class StaleMarketData(ExecError):
    """Market data is older than allowed, or there is none."""

    category = Category.UNAVAILABLE
