"""The error tree of `oem_risk`.

OemError
└── RiskError
    ├── DataProblem        market data is missing, malformed or unusable      (input)
    ├── ProfileProblem     a risk profile is unknown or contradicts itself    (input)
    ├── LabProblem         a simulation was asked for that cannot be run      (input)
    └── OperatorRequired   only a named operator may do this                  (state)
"""

from __future__ import annotations

from oem_security.errors import Category, OemError


class RiskError(OemError):
    """Base of everything `oem_risk` raises on purpose."""


class DataProblem(RiskError):
    """Market data is missing, malformed or unusable."""


class ProfileProblem(RiskError):
    """A risk profile is unknown or contradicts itself."""


class LabProblem(RiskError):
    """A simulation was asked for that cannot be run."""


class OperatorRequired(RiskError):
    """Only a named operator may do this."""

    category = Category.STATE
