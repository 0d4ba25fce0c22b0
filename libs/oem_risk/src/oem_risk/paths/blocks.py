"""Paths in blocks: each block has its own seed, so the result does not depend on who computes it.

Only what a block is reduced to leaves it: no paths x steps matrix of a whole run ever exists.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from oem_risk.errors import LabProblem, RunCancelled

Floats = NDArray[np.float64]
T = TypeVar("T")
Reduced = Callable[[np.random.Generator, int, int], tuple[Floats, Floats, Floats] | None]
"""A model's `reduced(rng, paths, steps)`, where it has one: a shorter way to what
`reduce_log_returns` makes of its paths; None, with nothing drawn, where it is not shorter."""
BLOCK_PATHS = 256
"""Paths generated and reduced together; each block has its own seed."""
_AHEAD = 8
CACHED = 1 << 15
"""Numbers worked on at a time, so that they stay in a core's cache."""


def block_rng(seed: int, block: int) -> np.random.Generator:
    """Return the generator of one block, the same whoever computes it and in whatever order."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(block,))))


class PathModel(Protocol):
    """A model of one price; it can be pickled, so that other processes can draw from it.

    Attributes:
        stepwise: Whether it works step by step on all paths at once, and so is best asked for many
            paths; others are asked for as many as stay in the cache.
    """

    stepwise: ClassVar[bool]

    def log_returns(self, rng: np.random.Generator, paths: int, steps: int) -> Floats:
        """Return log returns of shape (paths, steps); the array belongs to the caller."""
        ...


@dataclass(frozen=True, slots=True)
class PathBlock:
    """What is kept of a block.

    Attributes:
        first: Index of its first path in the run.
        terminal: (paths,) last price over the first.
        max_drawdown: (paths,) deepest fall from the peak, a share in [0, 1).
        lowest: (paths,) lowest price over the first, at most 1.
    """

    first: int
    terminal: Floats
    max_drawdown: Floats
    lowest: Floats


def simulate_paths(
    model: PathModel,
    *,
    paths: int,
    steps: int,
    seed: int,
    executor: Executor | None = None,
    progress: Callable[[int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[PathBlock]:
    """Yield the blocks of a run in order; memory does not grow with the number of paths.

    Args:
        model: The model; it must be picklable for an executor of processes.
        paths: Number of paths, at least 1.
        steps: Steps of each, at least 1.
        seed: Of the run; the same seed gives the same bits for any executor.
        executor: Where blocks are computed; None is here and now. A `ProcessPoolExecutor` or
            Dask's `Client.get_executor()` will do. A few blocks are computed ahead.
        progress: Called with the number of paths done after each block.
        cancelled: Asked before each block; True ends the run.

    Raises:
        LabProblem: No paths or no steps.
        RunCancelled: `cancelled` said so.
    """
    if paths < 1 or steps < 1:
        raise LabProblem(
            f"{paths} paths of {steps} steps",
            where="paths",
            remedy="ask for at least one path and one step",
        )
    sizes = (min(BLOCK_PATHS, paths - first) for first in range(0, paths, BLOCK_PATHS))
    jobs = ((model, size, steps, seed, number) for number, size in enumerate(sizes))
    done = 0
    for block in in_order(compute_block, jobs, executor, cancelled=cancelled):
        done += block.terminal.size
        if progress is not None:
            progress(done)
        yield block


def in_order(
    work: Callable[..., T],
    jobs: Iterable[tuple[object, ...]],
    executor: Executor | None,
    *,
    cancelled: Callable[[], bool] | None = None,
) -> Generator[T, None, None]:
    """Yield `work(*job)` of each job in order, a few computed ahead by the executor.

    Whoever closes the iterator, or stops it by an error, cancels what has not begun.

    Args:
        work: A function that can be pickled.
        jobs: Its arguments; taken as they are needed, so there may be any number.
        executor: Where it runs; None is here and now.
        cancelled: Asked before each result; True ends the run.

    Raises:
        RunCancelled: `cancelled` said so.
    """
    waiting: deque[Future[T]] = deque()
    upcoming = iter(jobs)
    try:
        while True:
            if cancelled is not None and cancelled():
                raise RunCancelled(
                    "the run was cancelled", where="simulation", remedy="start it again"
                )
            if executor is None:
                if (job := next(upcoming, None)) is None:
                    return
                yield work(*job)
                continue
            while len(waiting) < _AHEAD and (job := next(upcoming, None)) is not None:
                waiting.append(executor.submit(work, *job))
            if not waiting:
                return
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def compute_block(model: PathModel, paths: int, steps: int, seed: int, block: int) -> PathBlock:
    """Return one block of a run."""
    rng = block_rng(seed, block)
    reduced: Reduced | None = getattr(model, "reduced", None)
    if reduced is not None:
        found = reduced(rng, BLOCK_PATHS, steps)
        if found is not None:
            return PathBlock(block * BLOCK_PATHS, *(column[:paths] for column in found))
    # a slice at a time, drawn and reduced while it is in the cache; an even number of paths, so
    # that antithetic pairs stay together, and always a whole block, so that a longer run begins
    # with the same paths
    rows = BLOCK_PATHS if model.stepwise else max(2, CACHED // steps // 2 * 2)
    parts = [
        reduce_log_returns(model.log_returns(rng, min(rows, BLOCK_PATHS - first), steps))
        for first in range(0, BLOCK_PATHS, rows)
    ]
    columns = [np.concatenate(column)[:paths] for column in zip(*parts, strict=True)]
    return PathBlock(block * BLOCK_PATHS, *columns)


def reduce_log_returns(moves: Floats) -> tuple[Floats, Floats, Floats]:
    """Return terminal price, maximum drawdown and lowest price of paths that start at 1.

    Args:
        moves: (paths, steps) log returns; overwritten.
    """
    np.add.accumulate(moves, axis=1, out=moves)
    peaks = np.maximum.accumulate(moves, axis=1)
    trough = moves.min(axis=1)
    np.subtract(peaks, moves, out=peaks)
    # the start is a peak too: a fall from it is minus the trough
    deepest = np.maximum(np.maximum(peaks.max(axis=1), -trough), 0.0)
    return np.exp(moves[:, -1]), -np.expm1(-deepest), np.exp(np.minimum(trough, 0.0))
