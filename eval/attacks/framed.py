"""Attacks that are a text around the question and nothing more."""

from __future__ import annotations

import random
from collections.abc import Sequence

from eval.attacks.attack import Attack, Family, Knowledge, Probe
from eval.attacks.parts import as_turns, subject
from eval.tasks.questions import Item


def framed(name: str, family: Family, source: str, frames: Sequence[str]) -> Attack:
    """An attack in one of `frames`, with the fields question and, where a frame needs it, name."""

    def make(item: Item, knowledge: Knowledge, rng: random.Random) -> Probe | None:
        frame, person = rng.choice(frames), subject(item)
        if person is None and "{name}" in frame:
            return None
        return as_turns(item, frame.format(question=item.question, name=person))

    return Attack(name, family, source, make)
