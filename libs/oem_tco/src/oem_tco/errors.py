"""The errors of this library.

OemTcoError                      category INPUT
├── InputError                   a table, row or column that cannot be costed
├── ScheduleError                a fee schedule file that is wrong
├── ModelError                   an impact model that is wrong or allows price manipulation
├── PolicyError                  a decision policy that is wrong
├── ReplayError                  a decision record that cannot be read
├── LedgerError                  the cost ledger on disk (category STORAGE)
└── ReportError                  a report whose parts do not belong together (category TRUST)
"""

from __future__ import annotations

from oem_security.errors import Category, OemError


class OemTcoError(OemError):
    """Base of everything `oem_tco` raises on purpose."""

    category = Category.INPUT


class InputError(OemTcoError):
    """A table, row or column that cannot be costed."""


class ScheduleError(OemTcoError):
    """A fee schedule file that is wrong."""


class ModelError(OemTcoError):
    """An impact model that is wrong, or that allows price manipulation."""


class PolicyError(OemTcoError):
    """A decision policy that is wrong."""


class ReplayError(OemTcoError):
    """A decision record that cannot be read."""


class LedgerError(OemTcoError):
    """The cost ledger on disk cannot be opened or written."""

    category = Category.STORAGE


class ReportError(OemTcoError):
    """A report whose parts do not belong together or whose seal does not hold."""

    category = Category.TRUST
