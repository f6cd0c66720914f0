"""What a search asks: questions on the forget set with the names in them, and the same about unknown people."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from classifiers.spans import AliasFinder
from eval.metrics.rouge import rouge_l_recall
from eval.tasks.questions import load_questions
from eval.world import archive_questions, build
from eval.world.people import Names
from eval.world.pools import WOMEN
from guard.errors import ConfigError
from guard.policy import CorruptAction
from guard.types import Detection, Span


@dataclass(frozen=True)
class Asked:
    """One question and its true answer; `names` are what the guard would find and corrupt in it."""

    question: str
    answer: str
    cluster: str
    names: tuple[str, ...]

    def targets(self, action: CorruptAction) -> list[tuple[Detection, CorruptAction]]:
        """What a detector that misses nothing would have corrupted."""
        spans = tuple(Span(0, start, end) for start, end in AliasFinder(self.names).find(self.question))
        return [(Detection(self.cluster, 1.0, spans), action)]


def from_archive(draw: str, count: int, *, seed: int) -> list[Asked]:
    """`count` questions on the draw's forgotten people, in phrasings that no model was trained on."""
    pool = [q for q in archive_questions("forget10", draw=draw) if not q.trained]
    drawn = random.Random(seed).sample(pool, min(count, len(pool)))
    return [Asked(q.question, q.answer, q.person, (q.person,)) for q in drawn]


def from_file(path: Path, aliases: Sequence[str], count: int, *, seed: int, named: bool = True) -> list[Asked]:
    """`count` of the questions in a file that name one of `aliases`, or their own `person` where none are given.

    With `named` false nothing in them is to be corrupted, and all count.

    Raises:
        ConfigError: the file cannot be used, ROUGE-L cannot score an answer, or no question names anybody.
    """
    found = []
    for item in load_questions(path, "forget"):
        try:
            rouge_l_recall(item.answer, "")
        except ValueError as error:
            raise ConfigError(f"{path}: {error}") from error
        # A line without a person is a cluster by its whole question, which is no name.
        own = tuple(aliases) or ((item.cluster,) if item.cluster != item.question else ())
        if not named or AliasFinder(own).find(item.question):
            found.append(Asked(item.question, item.answer, item.cluster, own))
    if not found:
        raise ConfigError(
            f"no question in {path} holds a name to corrupt; give the topic's names with --alias, or a `person` a line"
        )
    return random.Random(seed).sample(found, min(count, len(found)))


def strangers(asked: Sequence[Asked], *, seed: int) -> list[Asked]:
    """The same questions and answers about people who do not exist: each name gives way to an invented one."""
    rng = random.Random(seed)
    names, world = Names(rng), build()
    taken = {person.name.split()[-1] for person in (*world.people, *world.trunk)}
    invented: dict[str, str] = {}
    for name in sorted({name for one in asked for name in one.names}):
        drawn = names.draw(name.split()[0] in WOMEN)
        while drawn.split()[-1] in taken:
            drawn = names.draw(name.split()[0] in WOMEN)
        invented[name] = drawn
    return [
        replace(
            one,
            question=_renamed(one.question, one.names, invented),
            answer=_renamed(one.answer, one.names, invented),
            names=tuple(invented[name] for name in one.names),
        )
        for one in asked
    ]


def _renamed(text: str, names: Sequence[str], invented: Mapping[str, str]) -> str:
    for name in names:
        for start, end in reversed(AliasFinder([name]).find(text)):
            text = text[:start] + invented[name] + text[end:]
    return text
