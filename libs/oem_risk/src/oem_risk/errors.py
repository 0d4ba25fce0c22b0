"""The error tree of `oem_risk`.

OemError
└── RiskError
    ├── DataProblem        market data is missing, malformed or unusable      (input)
    │   └── TimeUnitMistake  times of one unit read as another                (input)
    ├── FetchProblem       a venue did not give the history asked for        (unavailable)
    │   └── VenueBusy        asking again later may help                      (unavailable)
    ├── ProfileProblem     a risk profile is unknown or contradicts itself    (input)
    ├── LabProblem         a simulation was asked for that cannot be run      (input)
    ├── RunCancelled       whoever started a run ended it                     (state)
    ├── SwitchProblem      the journal of the kill switch cannot be read      (trust)
    └── OperatorRequired   only a named operator may do this                  (state)
"""

from __future__ import annotations

from oem_security.errors import Category, OemError


class RiskError(OemError):
    """Base of everything `oem_risk` raises on purpose."""


class DataProblem(RiskError):
    """Market data is missing, malformed or unusable."""


class TimeUnitMistake(DataProblem):
    """Times were stored in one unit and read as another.

    Args:
        count: Rows concerned.
        rows: Rows in all.
        reading: What was mistaken for what.
        where: The file.
    """

    def __init__(self, count: int, rows: int, reading: str, *, where: str) -> None:
        super().__init__(
            f"{count} of {rows} timestamps are not times of market data: {reading}",
            where=where,
            remedy="import the original file again with oem data import, which tells the units "
            "apart row by row",
        )
        self.count = count
        self.rows = rows
        self.reading = reading


class FetchProblem(RiskError):
    """A venue did not give the history asked for; what was fetched so far is kept."""

    category = Category.UNAVAILABLE


class VenueBusy(FetchProblem):
    """The venue or the way to it is busy; asking again later may help.

    Args:
        what: What happened.
        where: The venue.
        wait_s: Seconds the venue asks to wait; 0 where it says nothing.
    """

    def __init__(self, what: str, *, where: str, wait_s: float = 0.0) -> None:
        super().__init__(what, where=where, remedy="try again later")
        self.wait_s = wait_s


class ProfileProblem(RiskError):
    """A risk profile is unknown or contradicts itself."""


class LabProblem(RiskError):
    """A simulation was asked for that cannot be run."""


class OperatorRequired(RiskError):
    """Only a named operator may do this."""

    category = Category.STATE


class RunCancelled(RiskError):
    """Whoever started a run ended it."""

    category = Category.STATE


class SwitchProblem(RiskError):
    """The journal of the kill switch is not one, or says what cannot be."""

    category = Category.TRUST
