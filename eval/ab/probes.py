"""The callers who are played, and what each asks: a draw of its own from every split."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eval.tasks.questions import Item


@dataclass(frozen=True)
class Caller:
    """A bearer token, and the questions asked with it."""

    key: str
    probes: tuple[Item, ...]


def callers(splits: Mapping[str, Sequence[Item]], *, keys: int, each: int, seed: int) -> list[Caller]:
    """So many callers, each with `each` questions of every split (all, where a split has no more).

    A caller hangs on `seed` and on its own number alone: with more keys the first ones stay who they are.
    """
    return [_caller(splits, number, each, seed) for number in range(keys)]


def _caller(splits: Mapping[str, Sequence[Item]], number: int, each: int, seed: int) -> Caller:
    key = hashlib.sha256(f"lethe-eval ab {seed} {number}".encode()).hexdigest()[:32]
    drawn = random.Random(f"{seed} {number}")
    probes = (drawn.sample(list(items), min(each, len(items))) for items in splits.values())
    return Caller(key, tuple(item for some in probes for item in some))
