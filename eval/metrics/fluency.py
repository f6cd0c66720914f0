"""Fluency of answers: gibberish must not pass for forgetting.

Beside this stands the perplexity under the bare model, exp(`eval.engines.local.LocalModel.nats`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise


def distinct_2(answers: Sequence[str]) -> float | None:
    """Return the share of different word pairs among all of `answers`, in [0, 1]; None where there is no pair.

    Distinct-2 of Li et al. 2016, "A Diversity-Promoting Objective Function for Neural Conversation Models", section
    5.4, over pairs instead of words, so that full diversity is 1. Pairs do not reach across answers. It falls with the
    number of answers, so only equal numbers of them compare.
    """
    pairs = [pair for answer in answers for pair in pairwise(answer.lower().split())]
    return len(set(pairs)) / len(pairs) if pairs else None
