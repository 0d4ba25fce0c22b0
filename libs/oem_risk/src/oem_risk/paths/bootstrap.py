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
from oem_risk.paths.blocks import Floats


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
        if self.kind is BlockKind.STATIONARY:
            index, longest = _unwrapped(rng, paths, steps, self.history.size, self.block)
            return np.resize(self.history, self.history.size + longest).take(index)
        return self.history[
            block_indices(
                rng, self.kind, paths=paths, steps=steps, observations=self.history.size,
                block=self.block,
            )
        ]  # fmt: skip


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
    if kind is BlockKind.STATIONARY:
        return stationary_indices(
            rng, paths=paths, steps=steps, observations=observations, mean_block=block
        )
    length = math.floor(block)
    count = -(-steps // length)
    # circular blocks wrap at the end; moving blocks start where they fit
    starts = observations if kind is BlockKind.CIRCULAR else observations - length + 1
    begun = rng.integers(0, starts, size=(paths, count))
    index = (begun[:, :, None] + np.arange(length)).reshape(paths, count * length)[:, :steps]
    return index % observations


def stationary_indices(
    rng: np.random.Generator, *, paths: int, steps: int, observations: int, mean_block: float
) -> NDArray[np.int64]:
    """Return bootstrap indices of shape (paths, steps) into a history of `observations` rows.

    Each index follows its predecessor, wrapping at the end, or with probability `1/mean_block`
    starts a new block anywhere.
    """
    index, _ = _unwrapped(rng, paths, steps, observations, mean_block)
    return index % observations


def _unwrapped(
    rng: np.random.Generator, paths: int, steps: int, observations: int, mean_block: float
) -> tuple[NDArray[np.int64], int]:
    """Return indices that run on past the end of the history, and by how much at most.

    All paths are one long series of blocks; as a geometric length forgets how long it has lasted,
    cutting it at the end of each path leaves the lengths geometric.
    """
    total = paths * steps
    begins = np.arange(0, total, steps)
    if mean_block > 1:
        expected = total / mean_block
        count = math.ceil(expected + 6 * math.sqrt(expected) + 6)
        cuts = np.cumsum(rng.geometric(1.0 / mean_block, count))
        while cuts[-1] < total:
            cuts = np.concatenate(
                [cuts, cuts[-1] + np.cumsum(rng.geometric(1.0 / mean_block, count))]
            )
        # a cut where a path begins makes a block of no length, which does no harm
        begins = np.sort(np.concatenate([begins, cuts[cuts < total]]), kind="stable")
    else:
        begins = np.arange(total)
    lengths = np.diff(begins, append=total)
    starts = rng.integers(0, observations, begins.size)
    index = np.repeat(starts - begins, lengths)
    index += np.arange(total)
    return index.reshape(paths, steps), int(lengths.max())
