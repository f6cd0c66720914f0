"""From scored answers to figures: recall of each arm and split, and what tells two arms apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from eval.ab import sequence
from eval.ab.outcomes import Recorded
from eval.summary import Cell, Scored, score_cell


@dataclass(frozen=True)
class Comparison:
    """Mean recall of `left` - `right` on one split, over pairs of keys; None where there is no pair."""

    split: str
    left: str
    right: str
    value: float | None
    known: sequence.Known | None

    @property
    def pairs(self) -> int:
        """How many pairs of keys there are."""
        return 0 if self.known is None else len(self.known.low)


@dataclass(frozen=True)
class Result:
    """Everything that is shown; `alpha` bounds the chance of any false alarm in all of `comparisons`."""

    keys: Mapping[str, int]
    cells: tuple[Cell, ...]
    comparisons: tuple[Comparison, ...]
    recorded: tuple[Recorded, ...]
    alpha: float


def compare(
    asked: Sequence[tuple[str, Sequence[Scored]]],
    arms: Sequence[str],
    splits: Sequence[str],
    recorded: Sequence[Recorded],
    *,
    alpha: float,
    seed: int,
) -> Result:
    """The figures; `asked` gives, key by key in their order, the arm of each and its scored answers.

    A key's mean score on a split is one observation: keys draw their questions independently and are dealt to the arms
    by chance, so that an arm's observations are independent with one mean, and so are the differences of pairs, the
    n-th of one arm with the n-th of the other. Each comparison is tested at `alpha` over their number (Bonferroni).
    """
    cells, comparisons = [], []
    couples = list(combinations(arms, 2))
    for split in splits:
        means: dict[str, list[float]] = {arm: [] for arm in arms}
        rows: dict[str, list[Scored]] = {arm: [] for arm in arms}
        for arm, scored in asked:
            here = [row for row in scored if row.item.split == split]
            rows[arm] += here
            scores = [row.score for row in here if row.score is not None]
            means[arm] += [float(np.mean(scores))] if scores else []
        cells += [score_cell(split, arm, rows[arm], seed) for arm in arms]
        level = alpha / (len(couples) * len(splits)) if couples else alpha
        comparisons += [_comparison(split, left, right, means, level) for left, right in couples]
    keys = {arm: sum(one == arm for one, _ in asked) for arm in arms}
    return Result(keys, tuple(cells), tuple(comparisons), tuple(recorded), alpha)


def _comparison(split: str, left: str, right: str, means: Mapping[str, Sequence[float]], alpha: float) -> Comparison:
    pairs = np.array(list(zip(means[left], means[right], strict=False)), dtype=np.float64).reshape(-1, 2)
    if not len(pairs):
        return Comparison(split, left, right, None, None)
    known = sequence.difference(pairs[:, 0], pairs[:, 1], alpha=alpha)
    return Comparison(split, left, right, float((pairs[:, 0] - pairs[:, 1]).mean()), known)
