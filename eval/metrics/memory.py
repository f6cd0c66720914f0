"""How much of a text a model has by heart, from its token scores under teacher forcing."""

from __future__ import annotations

import numpy as np

from eval.metrics.tokens import TokenScores


def exact_memorisation(scores: TokenScores) -> float:
    """Return the share of tokens that greedy decoding would choose where they stand, in [0, 1].

    Tirumala et al. 2022, "Memorization Without Overfitting"; `exact_memorization` in OpenUnlearning.
    """
    return float(scores.top.mean())


def extraction_strength(scores: TokenScores) -> float:
    """Return 1 - k/n, in [0, 1]: of n tokens, after the first k greedy decoding writes all the rest, k being smallest.

    `extraction_strength` in OpenUnlearning, after Carlini et al. 2021, "Extracting Training Data from Large Language
    Models". Where the last token is already wrong, k is n and this is 0; OpenUnlearning's loop stops at n - 1 and
    gives 1/n there.
    """
    wrong = np.flatnonzero(~scores.top)
    prefix = int(wrong[-1]) + 1 if wrong.size else 0
    return 1.0 - prefix / scores.top.size
