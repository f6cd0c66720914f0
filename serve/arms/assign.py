"""Which arm a caller gets: always the same one, and nothing that the caller says about it counts."""

from __future__ import annotations

import math

from guard.secret import digest
from serve.arms.schema import Arm, Experiment


def assign(experiment: Experiment, secret: bytes, key: bytes) -> Arm:
    """The arm of one caller: each with the probability of its share, over the callers.

    Every arm draws its own time from an exponential law whose rate is its weight, and the first one wins (weighted
    rendezvous hashing: Schindelhauer and Schomaker 2005, "Weighted Distributed Hash Tables", the logarithmic method).
    So an arm that gains weight only takes callers, one that loses only gives them up, and their order is of no account.
    """

    def time(arm: Arm) -> float:
        return -math.log(_uniform(digest(secret, b"arm", experiment.experiment.encode(), arm.name.encode(), key)))

    return min((arm for arm in experiment.arms if arm.weight), key=lambda arm: time(arm) / arm.weight)


def _uniform(drawn: bytes) -> float:
    """In (0, 1), never at its ends."""
    return ((int.from_bytes(drawn[:8]) >> 12) + 0.5) / 2**52
