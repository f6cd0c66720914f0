"""An interval for a mean, and a test of it, that hold however often one looks: a confidence sequence by betting.

Waudby-Smith and Ramdas 2024, "Estimating means of bounded random variables by betting": the hedged capital process
(their section 4) with predictable plug-in bets. If the mean is m, the capital of who bets against m is a non-negative
martingale from 1 (or less), and by Ville's inequality ever reaches 1 / alpha with probability alpha at most.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

# The most of its capital that a bet may lose; any share below 1 is valid.
_STAKE = 0.75
_POINTS = 2000


@dataclass(frozen=True)
class Known:
    """What is known of a mean difference in [-1, 1] after each pair: `low` and `high` of shape (pairs,).

    `decided` counts the pairs after which it was first known not to be 0, None where it is not.
    """

    low: Array
    high: Array
    decided: int | None


def difference(left: Array, right: Array, *, alpha: float) -> Known:
    """The mean of left - right, over pairs in their order; both of shape (pairs,), in [0, 1], at least one.

    All intervals hold at once with probability 1 - alpha if the pairs' differences have one mean, whatever went before.

    Raises:
        ValueError: unequal numbers, none, or a score outside [0, 1].
    """
    if left.shape != right.shape or not left.size:
        raise ValueError(f"need as many scores left as right and at least one, got {left.size} and {right.size}")
    if not all(((side >= 0) & (side <= 1)).all() for side in (left, right)):
        raise ValueError("scores must lie in [0, 1]")
    values = (left - right + 1) / 2
    grid = np.arange(1, _POINTS, dtype=np.float64) / _POINTS
    doubted = _log_capital(values, grid, alpha) >= np.log(1 / alpha)
    # A step further on each side, since what lies between two points was not bet against.
    low = np.where(doubted[:, 0], grid[np.argmin(doubted, axis=1)] - 1 / _POINTS, 0.0)
    high = np.where(doubted[:, -1], grid[len(grid) - 1 - np.argmin(doubted[:, ::-1], axis=1)] + 1 / _POINTS, 1.0)
    against = _log_capital(values, np.array([0.5]), alpha)[:, 0] >= np.log(1 / alpha)
    decided = int(np.argmax(against)) + 1 if against.any() else None
    return Known(2 * low - 1, 2 * high - 1, decided)


def _log_capital(values: Array, means: Array, alpha: float) -> Array:
    """Of who bet half on a greater and half on a lesser mean than each of `means`; shape (values, means)."""
    bets = _bets(values, alpha)[:, None]
    gaps = values[:, None] - means
    above = np.log1p(np.minimum(bets, _STAKE / means) * gaps)
    below = np.log1p(-np.minimum(bets, _STAKE / (1 - means)) * gaps)
    capital: Array = np.log(0.5) + np.maximum(above.cumsum(axis=0), below.cumsum(axis=0))
    return capital


def _bets(values: Array, alpha: float) -> Array:
    """Each from what came before it: sqrt(2 log(2 / alpha) / (variance so far * t log(1 + t)))."""
    t = np.arange(1, len(values) + 1)
    mean = (0.5 + values.cumsum()) / (t + 1)
    variance = (0.25 + ((values - mean) ** 2).cumsum()) / (t + 1)
    before = np.concatenate([[0.25], variance[:-1]])
    bets: Array = np.sqrt(2 * np.log(2 / alpha) / (before * t * np.log1p(t)))
    return bets
