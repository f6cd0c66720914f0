"""Membership inference: how much a text looks like one the model was trained on, from its token scores.

Every score here is higher for a likelier member, and an AUC (`eval.metrics.auc`) has members as its positives: 0.5
is no leak, above it members stand out. OpenUnlearning's scores are losses, lower for members; its AUCs agree.
"""

from __future__ import annotations

import zlib as compression
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from eval.metrics.tokens import TokenScores

# The share of tokens that Min-K% and Min-K%++ look at, as OpenUnlearning and MUSE have it.
SHARE = 0.4
# Where the model is all but certain there is no spread to divide by; the floor is OpenUnlearning's (variance 1e-6).
_LEAST_STD = 1e-3


def loss(scores: TokenScores) -> float:
    """Return the mean log-probability a token (Yeom et al. 2018), at most 0."""
    return float(scores.logprobs.mean())


def zlib(scores: TokenScores) -> float:
    """Return the mean log-probability a token over the text's zlib-compressed bytes (Carlini et al. 2021)."""
    return loss(scores) / len(compression.compress(scores.text.encode()))


def min_k(scores: TokenScores) -> float:
    """Return the mean log-probability of the least likely `SHARE` of tokens (Min-K% Prob, Shi et al. 2023)."""
    return _lowest(scores.logprobs)


def min_k_plus_plus(scores: TokenScores) -> float:
    """Return the same mean over log-probabilities standardised by what the model expects at each place.

    Min-K%++, Zhang et al. 2024, equation 3.
    """
    return _lowest((scores.logprobs - scores.means) / np.maximum(scores.stds, _LEAST_STD))


# As OpenUnlearning names them.
MEMBERSHIP: Mapping[str, Callable[[TokenScores], float]] = {
    "mia_loss": loss,
    "mia_zlib": zlib,
    "mia_min_k": min_k,
    "mia_min_k_plus_plus": min_k_plus_plus,
}


def privleak(auc_unlearned: float, auc_retrained: float) -> float | None:
    """Return MUSE's PrivLeak, in per cent: how far the unlearned model's AUC lies from the retrained one's.

    Both AUCs are of the forget set (members) against texts never seen, higher for likelier members. MUSE (Shi et al.
    2024) counts the other way round, so this is (A - B) / B with A = 1 - `auc_unlearned` and B = 1 - `auc_retrained`,
    as OpenUnlearning has it: below 0 the forget set is still remembered, above 0 it was forgotten too much, 0 is the
    retrained model. None where `auc_retrained` is 1: nothing is left to compare with.
    """
    if auc_retrained == 1.0:
        return None
    return (auc_retrained - auc_unlearned) / (1.0 - auc_retrained) * 100


def _lowest(values: npt.NDArray[np.float64]) -> float:
    kept = max(1, int(values.size * SHARE))
    return float(np.sort(values)[:kept].mean())
