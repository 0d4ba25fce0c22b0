"""The error tree of the daemon.

OemError
└── OemDaemonError
    ├── ConfigError           a file or field of the configuration is wrong        (input)
    ├── DataError             market data cannot be traded on                      (input)
    ├── NotReady              a precondition of the start is not met               (state)
    ├── PortTaken             a listening address is in use                        (unavailable)
    ├── OrderRefused          the risk engine refuses an operator's order         (state)
    └── DecisionLogFailed     the decision log cannot be written; trading stopped  (storage)
"""

from __future__ import annotations

from dataclasses import dataclass

from oem_security.errors import Category, OemError


class OemDaemonError(OemError):
    """Base of everything `oem_daemon` raises on purpose."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One wrong field of a configuration file.

    Attributes:
        path: Dotted path of the field, such as `decision_engine.min_net_edge_bps`.
        line: Line in the file, counted from 1; 0 where the field is absent.
        problem: What is wrong and what is allowed.
    """

    path: str
    line: int
    problem: str

    def __str__(self) -> str:
        place = f"line {self.line}, " if self.line else ""
        return f"{place}{self.path}: {self.problem}"


class ConfigError(OemDaemonError):
    """The configuration is missing or wrong; `problems` names every wrong field."""

    category = Category.INPUT

    def __init__(
        self, what: str, *, where: str, remedy: str, problems: tuple[FieldProblem, ...] = ()
    ) -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.problems = problems


class DataError(OemDaemonError):
    """Market data is missing, empty or too broken to trade on."""

    category = Category.INPUT


class NotReady(OemDaemonError):
    """Something that must be in place before the start is not."""

    category = Category.STATE


class PortTaken(OemDaemonError):
    """A listening address is in use or not allowed."""

    category = Category.UNAVAILABLE


class OrderRefused(OemDaemonError):
    """The risk engine refuses an operator's order; every reason is named."""

    category = Category.STATE


class DecisionLogFailed(OemDaemonError):
    """The decision log cannot be written, so nothing may be traded any more."""

    category = Category.STORAGE
