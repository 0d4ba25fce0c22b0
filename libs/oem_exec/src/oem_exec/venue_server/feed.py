"""What drives the imitation exchange while it serves: recorded markets, or a script."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from oem_exec.errors import BadSettings
from oem_exec.model.enums import Side
from oem_exec.model.instrument import Instrument
from oem_exec.simulation.exchange import SimExchange
from oem_exec.simulation.market import Refusal
from oem_exec.simulation.recording import Recording, read_recording
from oem_exec.simulation.replay import Replayer
from oem_exec.simulation.walk import synthetic_book
from oem_exec.venue_server.faults import FaultRule
from oem_security.clock import Clock

_BREATH = 400
"""Events played in one turn of the event loop at most, so that requests are answered meanwhile."""

Positive = Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]
Level = tuple[Positive, Positive]


class _Step(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    at_s: float = Field(ge=0.0, allow_inf_nan=False)
    symbol: str = ""


class BookStep(_Step):
    """The whole outside book."""

    do: Literal["book"]
    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()


class RepriceStep(_Step):
    """A fresh book made around a price."""

    do: Literal["reprice"]
    price: Positive
    depth: Positive = Decimal(1000)
    spread_bps: Positive = Decimal(2)


class TradeStep(_Step):
    """A trade of others; it fills resting orders and wakes stops."""

    do: Literal["trade"]
    price: Positive
    size: Positive
    side: Side


class CancelStep(_Step):
    """The venue cancels every open order of a symbol, as it does before a halt."""

    do: Literal["cancel_orders"]


class FaultsStep(_Step):
    """Fault rules that replace the present ones."""

    do: Literal["faults"]
    rules: tuple[FaultRule, ...] = ()


ScriptStep = Annotated[
    BookStep | RepriceStep | TradeStep | CancelStep | FaultsStep, Field(discriminator="do")
]


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """What drives the exchange.

    Attributes:
        recordings: One symbol's recorded events each.
        script: Steps in order of time.
        speed: Seconds of the recording in one second; 0 plays as fast as it can.
        loop: Begin again at the end.
    """

    recordings: tuple[Recording, ...] = ()
    script: tuple[ScriptStep, ...] = ()
    speed: float = 1.0
    loop: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.speed <= 1e6:
            raise BadSettings(f"speed {self.speed}", where="feed", remedy="give 0 to 1000000")


def read_script(path: Path) -> tuple[ScriptStep, ...]:
    """Return the steps of a JSON file in order of time; raises `BadSettings`."""
    adapter: TypeAdapter[tuple[ScriptStep, ...]] = TypeAdapter(tuple[ScriptStep, ...])
    try:
        steps = adapter.validate_json(path.read_bytes())
    except OSError as error:
        raise BadSettings("the script cannot be read", where=str(path), remedy="name it") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise BadSettings(
            f"step {'.'.join(map(str, first['loc']))}: {first['msg']}",
            where=str(path),
            remedy="see docs/reference/exec-venue-server.md",
        ) from error
    return tuple(sorted(steps, key=lambda step: step.at_s))


def feed_of(
    instrument: Instrument,
    files: Mapping[str, Path | None],
    script: Path | None = None,
    *,
    speed: float = 1.0,
    loop: bool = False,
) -> FeedSettings | None:
    """Return the feed of files as a command line names them, None when it names none.

    Args:
        instrument: Symbol, tick and lot of the recorded files.
        files: `books`, `trades`, `quotes`, `bars` to a Parquet file or None.
        script: JSON file of steps.
        speed: See `FeedSettings`.
        loop: See `FeedSettings`.
    """
    named = {name: path for name, path in files.items() if path is not None}
    if not named and script is None:
        return None
    recordings = (read_recording(instrument, **named),) if named else ()
    return FeedSettings(recordings, read_script(script) if script else (), speed, loop)


@dataclass(slots=True)
class FeedProgress:
    """How far a feed is."""

    played: int = 0
    rounds: int = 0
    done: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class _Due:
    at_s: float
    act: Callable[[int], object]


class FeedPlayer:
    """Plays recordings and a script side by side, in step with the clock.

    Args:
        settings: What to play, and how fast.
        exchange: Where it happens.
        clock: The venue's time, which recorded events get.
        set_faults: Takes the rules of a script's `faults` step.

    Raises:
        BadSettings: A recording or step names a symbol that is not traded.
    """

    def __init__(
        self,
        settings: FeedSettings,
        exchange: SimExchange,
        clock: Clock,
        set_faults: Callable[[Sequence[FaultRule]], object],
    ) -> None:
        self._settings = settings
        self._exchange = exchange
        self._clock = clock
        self._set_faults = set_faults
        self.progress = FeedProgress()
        for symbol in [r.symbol for r in settings.recordings] + [s.symbol for s in settings.script]:
            if symbol and symbol not in exchange.markets:
                raise BadSettings(
                    f"{symbol} is not traded here",
                    where="feed",
                    remedy=f"use {', '.join(exchange.markets)}",
                )

    async def run(self) -> None:
        """Play to the end, or for ever with `loop`; what stops it is in `progress.error`."""
        while True:
            try:
                await self._round()
            except Refusal as refusal:
                self.progress.error = refusal.text
                return
            self.progress.rounds += 1
            if not self._settings.loop:
                self.progress.done = True
                return
            await asyncio.sleep(0)

    async def _round(self) -> None:
        speed, started, since = self._settings.speed, time.monotonic(), 0
        for due in self._dues():
            if speed:
                ahead = due.at_s / speed - (time.monotonic() - started)
                if ahead > 0:
                    await asyncio.sleep(ahead)
                    since = 0
            since += 1
            if since >= _BREATH:
                await asyncio.sleep(0)
                since = 0
            due.act(self._clock.now_ns())
            self.progress.played += 1

    def _dues(self) -> Iterator[_Due]:
        """Yield everything in order of time; recordings begin together."""
        dues = [_Due(step.at_s, partial(self._perform, step)) for step in self._settings.script]
        for recording in self._settings.recordings:
            replayer = Replayer(self._exchange, recording)
            start = recording.events[0].time_ns
            dues += [
                _Due((event.time_ns - start) / 1e9, partial(replayer.play, event))
                for event in recording.events
            ]
        dues.sort(key=lambda due: due.at_s)
        yield from dues

    def _perform(self, step: ScriptStep, now: int) -> None:
        if isinstance(step, FaultsStep):
            self._set_faults(step.rules)
            return
        symbol = step.symbol or next(iter(self._exchange.markets))
        rules = self._exchange.markets[symbol].instrument

        def on_grid(levels: Sequence[tuple[Decimal, Decimal]]) -> list[tuple[Decimal, Decimal]]:
            return [(rules.round_price(p), rules.round_quantity(q)) for p, q in levels]

        if isinstance(step, BookStep):
            self._exchange.feed_book(symbol, on_grid(step.bids), on_grid(step.asks), now)
        elif isinstance(step, RepriceStep):
            made = synthetic_book(step.price, spread_bps=step.spread_bps, depth=step.depth)
            self._exchange.feed_book(symbol, on_grid(made.bids), on_grid(made.asks), now)
        elif isinstance(step, TradeStep):
            ((price, size),) = on_grid([(step.price, step.size)])
            self._exchange.feed_trade(symbol, price, size, step.side, now)
        else:
            for order in self._exchange.all_open(symbol):
                self._exchange.cancel(order)
