"""The engine's kill switch, and its journal: where it stands outlives the process."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from oem_risk.errors import OperatorRequired, SwitchProblem
from oem_security import Clock, Journal, Keyring, SystemClock, read_journal

TRIPPED, RESET = "risk_switch.trip", "risk_switch.reset"
SUBJECT = "risk_switch"


class TradingState(enum.StrEnum):
    """Where the switch stands, from the loosest to the tightest."""

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


_TIGHTNESS = {state: rank for rank, state in enumerate(TradingState)}


def tighter(state: TradingState, than: TradingState) -> bool:
    """Return whether a state lets less through than another."""
    return _TIGHTNESS[state] > _TIGHTNESS[than]


@dataclass(frozen=True, slots=True)
class SwitchPosition:
    """Where the switch stands, who put it there, and why.

    Attributes:
        state: The state.
        reason: Why, in words.
        by: `engine`, or the operator's name.
        at_ns: When, UTC nanoseconds; 0 before it was ever moved.
    """

    state: TradingState = TradingState.ACTIVE
    reason: str = ""
    by: str = ""
    at_ns: int = 0


class Switch(Protocol):
    """A kill switch; machines tighten it, people loosen it."""

    @property
    def position(self) -> SwitchPosition:
        """Where it stands."""
        ...

    def trip(self, state: TradingState, reason: str) -> bool:
        """Tighten; returns whether it moved."""
        ...

    def reset(self, operator: str, reason: str) -> None:
        """Set back to active."""
        ...


class MemorySwitch:
    """A switch that is forgotten with the process; for simulations and embedding.

    Args:
        state: Where it stands at first.
        clock: Source of times; None is the system's.
    """

    def __init__(
        self, state: TradingState = TradingState.ACTIVE, clock: Clock | None = None
    ) -> None:
        self._position = SwitchPosition(state)
        self._clock = clock or SystemClock()

    @property
    def position(self) -> SwitchPosition:
        return self._position

    def trip(self, state: TradingState, reason: str) -> bool:
        if not tighter(state, self._position.state):
            return False
        self._position = SwitchPosition(state, reason, "engine", self._clock.now_ns())
        return True

    def reset(self, operator: str, reason: str) -> None:
        require_operator(operator)
        self._position = SwitchPosition(TradingState.ACTIVE, reason, operator, self._clock.now_ns())


class JournalledSwitch:
    """A switch whose every move is in a signed journal before it counts as made.

    A trip holds in memory at once, even if the disk then refuses the entry; a reset holds only once
    its entry is on disk. So a failing disk can tighten trading, never loosen it.

    Example:
        with JournalledSwitch.open(path, keyring) as switch:
            engine = RiskEngine(profile, switch=switch)
    """

    def __init__(self, journal: Journal, position: SwitchPosition, clock: Clock) -> None:
        self._journal = journal
        self._position = position
        self._clock = clock

    @classmethod
    def open(cls, path: Path, keyring: Keyring, *, clock: Clock | None = None) -> Self:
        """Open the journal of a switch, made where there is none, and stand where it last stood.

        Args:
            path: The journal.
            keyring: Its keys.
            clock: Source of times; None is the system's.

        Raises:
            SwitchProblem: The journal holds, but is not one of a kill switch.
            OemSecurityError: It does not hold or cannot be written: nothing is known of the switch,
                and no engine should be started without it.
        """
        if path.exists():
            replay_switch(path, keyring)  # a writer makes a new head where an old one was deleted
        journal = Journal.open(path, keyring, subject=SUBJECT, clock=clock)
        try:
            position = replay_switch(path, keyring)
        except BaseException:
            journal.close()
            raise
        return cls(journal, position, clock or SystemClock())

    @property
    def position(self) -> SwitchPosition:
        return self._position

    def trip(self, state: TradingState, reason: str) -> bool:
        if not tighter(state, self._position.state):
            return False
        self._position = SwitchPosition(state, reason, "engine", self._clock.now_ns())
        self._journal.append(TRIPPED, _body(self._position))
        return True

    def reset(self, operator: str, reason: str) -> None:
        require_operator(operator)
        position = SwitchPosition(TradingState.ACTIVE, reason, operator, self._clock.now_ns())
        self._journal.append(RESET, _body(position))
        self._position = position

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def replay_switch(path: Path, keyring: Keyring) -> SwitchPosition:
    """Return where a journal left its switch, every record verified on the way.

    Raises:
        SwitchProblem: A record of the switch does not say what it should.
        JournalError: The journal does not hold.
    """
    position = SwitchPosition()
    for record in read_journal(path, keyring, kinds=(TRIPPED, RESET), strict=True):
        body = record.body
        try:
            state = TradingState(str(body["state"]))
            position = SwitchPosition(
                state, str(body["reason"]), str(body["by"]), int(str(body["at_ns"]))
            )
        except (KeyError, TypeError, ValueError):
            raise SwitchProblem(
                f"record {record.seq} does not say where the switch was put",
                where=str(path),
                remedy="this is no journal of a kill switch: name the right file",
            ) from None
        if (record.kind == RESET) != (state is TradingState.ACTIVE):
            raise SwitchProblem(
                f"record {record.seq} is a {record.kind} to {state.value}",
                where=str(path),
                remedy="a reset is to active and by an operator, a trip is not: restore a backup",
            )
    return position


def require_operator(operator: str) -> None:
    """Refuse a reset that no person answers for.

    Raises:
        OperatorRequired: No operator is named; a machine never resets the switch.
    """
    if not operator.strip() or operator.strip().lower() == "engine":
        raise OperatorRequired(
            "the kill switch is reset by a person only",
            where="operator",
            remedy="name the operator who takes the responsibility",
        )


def _body(position: SwitchPosition) -> dict[str, object]:
    return {
        "state": position.state.value,
        "reason": position.reason,
        "by": position.by,
        "at_ns": position.at_ns,
    }
