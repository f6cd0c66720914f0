"""The search itself: strengths on a grid, then Brent's method between the best one's neighbours.

Liu et al. 2024 (ECO, section 3.3) descend on a gradient estimated from function values, since none can be had through
generation. The strength is one number, where bracketing needs fewer evaluations than a noisy gradient; all strengths
see the same questions and keys (common random numbers), so that they differ by strength alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import exp, log
from typing import get_args

from scipy.optimize import minimize_scalar

from eval.tune.figures import Point, Target
from guard.policy import CorruptAction
from guard.policy_actions import MEASURED, CorruptFunction

GRID = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
STEPS = 6
MOST = len(MEASURED) * (len(GRID) + STEPS) + len(get_args(CorruptFunction)) - len(MEASURED)
# More than any distance: every fluent point beats every point that is not.
_GIBBERISH = 1.0

Evaluate = Callable[[CorruptAction], Point]


def search(evaluate: Evaluate, target: Target) -> list[Point]:
    """Evaluate every function, those with a strength at up to twelve; the points in the order tried."""
    tried: dict[CorruptAction, Point] = {}

    def loss(action: CorruptAction) -> float:
        point = tried[action] = evaluate(action)
        return point.distance + (0.0 if point.fluent(target) else _GIBBERISH)

    for function in get_args(CorruptFunction):
        if function in MEASURED:
            _along(partial(_at, loss, function))
        else:
            loss(_action(function, None))
    return list(tried.values())


def best(points: list[Point], target: Target) -> Point | None:
    """The fluent point nearest to the target; None where no point is fluent."""
    return min((point for point in points if point.fluent(target)), key=lambda point: point.distance, default=None)


def _along(loss: Callable[[float], float]) -> None:
    """Look for the strength of least loss (bounded Brent; Brent 1973, "Algorithms for Minimization Without
    Derivatives", chapter 5), on the logarithm since strengths differ by factors.
    """
    losses = [loss(strength) for strength in GRID]
    place = losses.index(min(losses))
    low, high = GRID[max(place - 1, 0)], GRID[min(place + 1, len(GRID) - 1)]
    options = {"maxiter": STEPS, "xatol": 0.1}
    minimize_scalar(lambda x: loss(_told(exp(x))), bounds=(log(low), log(high)), method="bounded", options=options)


def _at(loss: Callable[[CorruptAction], float], function: CorruptFunction, strength: float) -> float:
    return loss(_action(function, strength))


def _told(strength: float) -> float:
    """The strength as a policy will say it, so that what is measured is what is served."""
    return float(f"{strength:.3g}")


def _action(function: CorruptFunction, strength: float | None) -> CorruptAction:
    if strength is None:
        return CorruptAction(kind="corrupt", function=function)
    return CorruptAction(kind="corrupt", function=function, strength=strength)
