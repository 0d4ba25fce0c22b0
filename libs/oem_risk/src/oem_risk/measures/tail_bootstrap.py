"""How far the mean of a few worst losses may lie from the truth.

The mean of a tail of k losses is skewed, and its resamples never go beyond the largest loss seen:
percentile intervals (BCa too) are too short where k is small. Two things mend that:

- the resamples are drawn from the sample with its upper tail replaced by a generalised Pareto law
  (Pickands 1975; fitted by probability-weighted moments, Hosking, Wallis, Technometrics 29, 1987),
  so that they reach beyond the largest loss as often as fresh samples would;
- each resample's error is divided by its own standard error (bootstrap-t; Efron 1982; Hall,
  "Theoretical comparison of bootstrap confidence intervals", Annals of Statistics 16, 1988).

Only the largest losses of a resample matter. They are drawn directly, as the smallest of n uniform
numbers by exponential spacings (Rényi 1953), so a resample costs k numbers and not n.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from oem_risk.measures.estimate import Floats

RESAMPLES = 2_000
LEAST_BOUNDED = 10
"""Fewest observations of which a tail mean is given an interval."""
_LEAST_SCALED = 8
"""Fewest losses of which the error of a tail mean is estimated."""
_SHAPES = (0.2, 0.6)
"""The fitted shape is kept here: a short sample's estimate is biased towards tails that end."""
_AT_A_TIME = 2_000_000


@dataclass(frozen=True, slots=True)
class SmoothTail:
    """A sample's losses with a generalised Pareto law beyond a threshold.

    Attributes:
        losses: (n,) largest first.
        share: Share of the losses beyond the threshold.
        threshold: A loss.
        shape: Of the law, in [0.2, 0.6].
        scale: Of the law, above 0.
    """

    losses: Floats
    share: float
    threshold: float
    shape: float
    scale: float

    @classmethod
    def of(cls, losses: Floats, count: float) -> SmoothTail:
        """Fit the law to the largest losses: a tenth of the sample, at least twice the tail.

        Args:
            losses: (n,) largest first.
            count: Size of the tail that will be averaged, n (1 - level).
        """
        n = losses.size
        kept = min(max(math.ceil(2 * count), math.ceil(n / 10), _LEAST_SCALED), n - 1)
        threshold = float(losses[kept])
        excess = losses[:kept] - threshold
        mean = float(excess.mean())
        # probability-weighted moments; the largest has the smallest probability of excess
        rest = (np.arange(1, kept + 1) - 0.35) / kept
        weighted = float((excess * rest).mean())
        gap = mean - 2 * weighted
        shape = 2 - mean / gap if gap > 0 else _SHAPES[1]
        shape = min(max(shape, _SHAPES[0]), _SHAPES[1])
        # the mean excess is kept whatever the shape
        scale = max(mean * (1 - shape), 1e-12 * max(abs(threshold), 1e-300))
        return cls(losses, kept / n, threshold, shape, scale)

    def loss(self, probability: Floats) -> Floats:
        """Return the loss exceeded with a probability."""
        far = np.minimum(probability / self.share, 1.0)
        inner = np.minimum((probability * self.losses.size).astype(np.int64), self.losses.size - 1)
        beyond = self.threshold + self.scale / self.shape * (far**-self.shape - 1)
        return np.where(probability < self.share, beyond, self.losses[inner])

    def mean_beyond(self, tail: float) -> float:
        """Return the mean of the losses exceeded with probability `tail`, below `share`."""
        edge = float(self.loss(np.array(tail)))
        return (edge + self.scale - self.shape * self.threshold) / (1 - self.shape)


def tail_mean(largest: Floats, count: float) -> Floats:
    """Return the mean of the `count` largest losses, the last with its fraction.

    Args:
        largest: (..., at least floor(count) + 1) losses, largest first.
        count: Above 0.
    """
    whole = math.floor(count)
    edge = largest[..., whole]
    return np.asarray(edge + (largest[..., :whole] - edge[..., None]).sum(axis=-1) / count)


def tail_error(largest: Floats, count: float, tail: float) -> Floats:
    """Return the standard error of the mean of the largest losses.

    Its asymptotic variance is that of the excess over value at risk, over n (1 - level)^2
    (Scaillet 2004). Of fewer than eight losses it is scaled from the eight largest.

    Args:
        largest: (..., ranks needed) losses, largest first; see `ranks_needed`.
        count: n (1 - level).
        tail: 1 - level.
    """
    used = max(count, float(_LEAST_SCALED))
    whole = math.floor(used)
    excess = largest[..., :whole] - largest[..., whole, None]
    first = excess.sum(axis=-1) / used
    second = np.square(excess).sum(axis=-1) / used
    tail = min(tail * used / count, 1.0)
    return np.asarray(np.sqrt(np.maximum(second - tail * np.square(first), 0.0) / count))


def ranks_needed(count: float, n: int) -> int:
    """Return how many of the largest losses the mean and its error are made from."""
    return min(math.floor(max(count, float(_LEAST_SCALED))) + 1, n)


def studentised_draws(
    tail: SmoothTail, count: float, rng: np.random.Generator, resamples: int = RESAMPLES
) -> Floats:
    """Return (resamples,) errors of the tail's mean over their own standard errors."""
    n = tail.losses.size
    ranks, share = ranks_needed(count, n), count / n
    truth = tail.mean_beyond(share)
    parts, done = [], 0
    batch = max(1, _AT_A_TIME // ranks)
    while done < resamples:
        rows = min(batch, resamples - done)
        spacing = np.cumsum(rng.standard_exponential((rows, ranks)), axis=1)
        rest = rng.standard_gamma(n + 1 - ranks, rows)
        drawn = tail.loss(spacing / (spacing[:, -1:] + rest[:, None]))
        error = tail_error(drawn, count, share)
        parts.append((tail_mean(drawn, count) - truth) / np.maximum(error, 1e-300))
        done += rows
    return np.concatenate(parts)


def tail_mean_interval(
    losses: Floats, count: float, confidence: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Return the interval of the mean of the `count` largest of a sample's losses.

    Args:
        losses: (n,) largest first, at least ten, not all the same.
        count: n (1 - level).
        confidence: In (0, 1).
        rng: Source of the resamples.
    """
    n = losses.size
    drawn = studentised_draws(SmoothTail.of(losses, count), count, rng)
    rest = (1 - confidence) / 2
    below, above = np.quantile(drawn, [rest, 1 - rest])
    value = float(tail_mean(losses, count))
    error = float(tail_error(losses[: ranks_needed(count, n)], count, count / n))
    return value - float(above) * error, value - float(below) * error
