"""How likely a model finds the right answer, and how much likelier it finds wrong ones like it (TOFU's truth ratio).

TOFU's paper writes the mean over wrong answers as an arithmetic one; its code and OpenUnlearning's, from which the
published figures come, take the mean of the log-likelihoods, a geometric one. Here it is geometric.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

# exp() stays a finite number above 0 up to here, so that a model that finds an answer impossible still has a ratio.
_FARTHEST = 700.0


def probability(nats: float) -> float:
    """Return exp(-nats), in [0, 1]: the answer's probability to the power of one over its tokens.

    `nats` is its mean negative log-likelihood a token (TOFU, Maini et al. 2024, section 2.2.1).
    """
    return math.exp(-nats)


def truth_ratio(paraphrased_nats: float, perturbed_nats: Sequence[float]) -> float:
    """Return R, above 0: the mean probability of the wrong answers over that of the right one in other words.

    TOFU, section 2.2.2. All in nats a token, so each answer is normalised by its own length. R is small where the
    truth is known; the raw R of every question is what `forget_quality` compares.

    Raises:
        ValueError: no wrong answers, or a likelihood that is not finite.
    """
    if not perturbed_nats:
        raise ValueError("a truth ratio needs at least one wrong answer")
    distance = paraphrased_nats - math.fsum(perturbed_nats) / len(perturbed_nats)
    if not math.isfinite(distance):
        raise ValueError("likelihoods must be finite; leave unscored questions out")
    return math.exp(max(-_FARTHEST, min(_FARTHEST, distance)))


def true_better(ratio: float) -> float:
    """Return max(0, 1 - R), in [0, 1], higher where the truth is better known: the form in the model's utility."""
    return max(0.0, 1.0 - ratio)


def closer_to_1_better(ratio: float) -> float:
    """Return min(R, 1/R), in [0, 1], higher where right and wrong are told apart less.

    The form in which OpenUnlearning reports `forget_truth_ratio`. It is no target: a model retrained without the
    forget set need not reach 1.
    """
    return min(ratio, 1.0 / ratio)
