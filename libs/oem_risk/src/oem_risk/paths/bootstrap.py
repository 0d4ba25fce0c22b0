"""The block bootstrap: history in pieces, so that what follows what is kept.

Sources: Politis, Romano, "The stationary bootstrap", JASA 89 (1994) and "A circular block
resampling procedure for stationary data" (1992); Künsch, "The jackknife and the bootstrap for
general stationary observations", Annals of Statistics 17 (1989), the moving blocks.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from oem_risk.errors import LabProblem
from oem_risk.paths.block_extremes import Indices, Stretches, reduce_blocks
from oem_risk.paths.blocks import Floats

_LEAST_LOOKED_UP = 5
"""Mean length from which looking blocks up is sooner than walking their steps."""


class BlockKind(enum.StrEnum):
    """How blocks are drawn."""

    STATIONARY = "stationary"
    CIRCULAR = "circular"
    MOVING = "moving"


@dataclass(frozen=True, slots=True)
class BootstrapModel:
    """Paths made of blocks of one history.

    Attributes:
        history: (observations,) log returns, at least two.
        block: Mean length (stationary) or length in steps, at least 1.
        kind: How blocks are drawn.
    """

    stepwise: ClassVar[bool] = False

    history: Floats
    block: float
    kind: BlockKind = BlockKind.STATIONARY

    def __post_init__(self) -> None:
        history = self.history
        if history.ndim != 1 or history.size < 2 or not np.isfinite(history).all():
            raise LabProblem(
                f"a history of shape {history.shape}",
                where="history",
                remedy="give at least two finite returns",
            )
        if not 1 <= self.block <= history.size:
            raise LabProblem(
                f"a block of {self.block} in a history of {history.size}",
                where="block",
                remedy="give a length of at least 1 and at most the history's",
            )

    def log_returns(self, rng: np.random.Generator, paths: int, steps: int) -> Floats:
        starts, lengths, _ = self._blocks(rng, paths, steps)
        index = _indices(starts, lengths).reshape(paths, steps)
        # no index is out of bounds; saying so spares numpy a look at each of them
        whole = np.resize(self.history, self.history.size + int(lengths.max()))
        return whole.take(index, mode="clip")

    def reduced(
        self, rng: np.random.Generator, paths: int, steps: int
    ) -> tuple[Floats, Floats, Floats] | None:
        """Return what `reduce_log_returns` makes of `log_returns`; None where that is sooner."""
        if self.block < _LEAST_LOOKED_UP:
            return None
        starts, lengths, first = self._blocks(rng, paths, steps)
        stretches = Stretches.of(self.history, int(lengths.max()))
        return reduce_blocks(stretches, starts, lengths, first)

    def _blocks(
        self, rng: np.random.Generator, paths: int, steps: int
    ) -> tuple[Indices, Indices, Indices]:
        """Return start and length of the blocks of all paths, and each path's first block."""
        return drawn_blocks(
            rng, self.kind, paths=paths, steps=steps, observations=self.history.size,
            block=self.block,
        )  # fmt: skip


def drawn_blocks(
    rng: np.random.Generator,
    kind: BlockKind,
    *,
    paths: int,
    steps: int,
    observations: int,
    block: float,
) -> tuple[Indices, Indices, Indices]:
    """Return start and length of the blocks of all paths, and each path's first block.

    A block may run on past the end of the history, where it goes round.
    """
    if kind is BlockKind.STATIONARY:
        begins, first = _stationary_begins(rng, paths, steps, block)
        lengths = np.diff(begins, append=paths * steps)
        return rng.integers(0, observations, begins.size), lengths, first
    length = math.floor(block)
    count = -(-steps // length)
    # circular blocks wrap at the end; moving blocks start where they fit
    starts = observations if kind is BlockKind.CIRCULAR else observations - length + 1
    lengths = np.full((paths, count), length)
    lengths[:, -1] = steps - (count - 1) * length
    return (
        rng.integers(0, starts, size=paths * count), lengths.reshape(-1),
        np.arange(0, paths * count, count),
    )  # fmt: skip


def block_indices(
    rng: np.random.Generator,
    kind: BlockKind,
    *,
    paths: int,
    steps: int,
    observations: int,
    block: float,
) -> NDArray[np.int64]:
    """Return bootstrap indices of shape (paths, steps) into `observations` rows.

    Raises:
        LabProblem: A number is below 1, or a block is longer than the history.
    """
    if min(paths, steps, observations) < 1 or not 1 <= block <= observations:
        raise LabProblem(
            f"{paths} paths of {steps} steps in blocks of {block} from {observations} rows",
            where="block",
            remedy="ask for at least one path and step, and blocks no longer than the history",
        )
    starts, lengths, _ = drawn_blocks(
        rng, kind, paths=paths, steps=steps, observations=observations, block=block
    )
    return _indices(starts, lengths).reshape(paths, steps) % observations


def stationary_indices(
    rng: np.random.Generator, *, paths: int, steps: int, observations: int, mean_block: float
) -> NDArray[np.int64]:
    """Return bootstrap indices of shape (paths, steps) into a history of `observations` rows.

    Each index follows its predecessor, wrapping at the end, or with probability `1/mean_block`
    starts a new block anywhere.
    """
    return block_indices(
        rng, BlockKind.STATIONARY, paths=paths, steps=steps, observations=observations,
        block=mean_block,
    )  # fmt: skip


def _indices(starts: Indices, lengths: Indices) -> Indices:
    """Return the index of each step; it runs on past the end of the history."""
    ends = np.cumsum(lengths)
    index = np.repeat(starts - ends + lengths, lengths)
    index += np.arange(index.size)
    return index


def _stationary_begins(
    rng: np.random.Generator, paths: int, steps: int, mean_block: float
) -> tuple[Indices, Indices]:
    """Return where blocks begin in the steps of all paths, and each path's first block.

    All paths are one long series of blocks; as a geometric length forgets how long it has lasted,
    cutting it at the end of each path leaves the lengths geometric.
    """
    total = paths * steps
    begins = np.arange(0, total, steps)
    if mean_block <= 1:
        return np.arange(total), begins
    expected = total / mean_block
    count = math.ceil(expected + 6 * math.sqrt(expected) + 6)
    cuts = np.cumsum(_geometric(rng, mean_block, count))
    while cuts[-1] < total:
        cuts = np.concatenate([cuts, cuts[-1] + np.cumsum(_geometric(rng, mean_block, count))])
    cuts = cuts[cuts < total]
    # a cut where a path begins makes a block of no length, which does no harm
    first = np.searchsorted(cuts, begins) + np.arange(paths)
    return np.sort(np.concatenate([begins, cuts]), kind="stable"), first


def _geometric(rng: np.random.Generator, mean: float, count: int) -> NDArray[np.int64]:
    """Return geometric lengths of a mean above 1: exponential ones, rounded up."""
    lengths = rng.standard_exponential(count)
    lengths /= -math.log1p(-1.0 / mean)
    np.ceil(lengths, out=lengths)
    return np.maximum(lengths, 1.0).astype(np.int64)  # an exponential number may be 0
