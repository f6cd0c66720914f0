"""Parts that keep groups whole."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def part_groups(groups: Sequence[str], shares: Sequence[float], seed: int) -> npt.NDArray[np.int_]:
    """The part of each item: 1, 2, ... for the shares in order, 0 for the rest.

    Groups are whole. A part takes groups until it holds its share of the items, and at least one while part 0 keeps
    one too.
    """
    sizes = Counter(groups)
    names = sorted(sizes)
    random.Random(seed).shuffle(names)
    part: dict[str, int] = {}
    for number, share in enumerate(shares, 1):
        count = 0
        while len(names) > 1 and (count == 0 or count + sizes[names[-1]] / 2 < share * len(groups)):
            name = names.pop()
            part[name] = number
            count += sizes[name]
    return np.array([part.get(group, 0) for group in groups], dtype=np.int_)


def fold_groups(groups: Sequence[str], folds: int, seed: int) -> list[int]:
    """The fold of each item, 0 to `folds` - 1, about equally large and groups whole; fewer folds for few groups."""
    return [int(part) for part in part_groups(groups, [1 / folds] * (folds - 1), seed)]
