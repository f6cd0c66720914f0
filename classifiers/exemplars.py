"""Exemplars for in-context unlearning, from a policy's example files, found by the artifact's index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import numpy as np

from classifiers.data import Example, load_examples
from classifiers.encoder import Encoder, Floats
from classifiers.index import RETAINED, Neighbours
from classifiers.spans import AliasFinder
from classifiers.windows import request_windows
from classifiers.words import NAME
from guard.errors import ConfigError
from guard.normalise import normalise
from guard.policy import IculAction, Policy, Topic
from guard.secret import digest
from guard.types import Conversation, Exemplar

# Above this cosine an example is taken for what is asked. In the embedded archive, 86% of questions in unseen wordings
# have a wording of their own fact above it, and 31% one of another fact: that costs no more than a less near exemplar.
# Prompts that ask for a label share most of their words, so there only the same text is the same item.
SAME_ITEM = 0.85
# The nearest questions mostly ask for the same kind of thing, farther ones less and less.
_ANSWERS = 6
_MOST_LABELS = 20
_MOST_TEXTS = 16
_MOST_RETAINED = 256


@dataclass(frozen=True)
class _Subject:
    """A topic's `examples` by row of the index, and its `answers`; `labels` where these are classes, not facts."""

    examples: dict[int, Example]
    answers: frozenset[str]
    labels: tuple[str, ...]
    finder: AliasFinder

    def is_asked(self, example: Example, cosine: float, asked: Set[str]) -> bool:
        """Whether the example, at most so near to a text that is asked, is the asked item itself."""
        return _plain(example.question) in asked or (not self.labels and cosine >= SAME_ITEM)


class IndexedExemplars:
    """See `guard.types.Exemplars`. Safe to share between threads."""

    def __init__(self, neighbours: Neighbours, encoder: Encoder, policy: Policy, *, secret: bytes) -> None:
        """Read the files of `policy`, indexed as `neighbours` with vectors of `encoder`; `secret` picks wrong answers.

        Raises:
            ConfigError: a topic has no examples with answers, or nothing retained can be shown.
        """
        self._neighbours = neighbours
        self._encoder = encoder
        self._secret = secret
        named = AliasFinder([alias for topic in policy.topics for alias in topic.aliases])
        retained = self._answered(RETAINED, load_examples(policy.retain) if policy.retain else [])
        # What tells of a topic is no example of anything else.
        self._retained = {row: e for row, e in retained.items() if not named.find(f"{e.question}\n{e.answer}")}
        labels = {_plain(example.answer): example.answer for example in self._retained.values()}
        self._subjects: dict[str, _Subject] = {}
        self._wrong: dict[int, str | None] = {}
        for number, topic in enumerate(policy.topics):
            for action in topic.actions:
                if isinstance(action, IculAction):
                    self._subjects[topic.name] = self._subject(number, topic, labels)
                    _check(topic, action, self._subjects[topic.name], self._retained)

    def nearest(
        self, topic: str, conversation: Conversation, *, forget: int, retain: int, wrong: bool
    ) -> tuple[tuple[Exemplar, ...], tuple[Exemplar, ...]]:
        """See `guard.types.Exemplars.nearest`."""
        subject = self._subjects[topic]
        texts = list(request_windows(conversation))
        # In a long request the windows that name the topic are those that ask about it.
        texts = ([text for text in texts if subject.finder.find(text)] or texts)[:_MOST_TEXTS]
        vectors = self._encoder.encode(texts)
        asked = {_plain(text) for text in texts}
        near = (
            (e, self._wrong_answer(topic, subject, row) if wrong else "")
            for row, e in self._others(subject, vectors, asked)
        )
        forgotten = (
            Exemplar(e.question, answer, topic, tuple(subject.finder.find(e.question) or [(0, len(e.question))]))
            for e, answer in near
            if answer is not None
        )
        kept = (Exemplar(e.question, e.answer) for e in self._kept(subject, vectors, asked))
        return tuple(islice(forgotten, forget)), tuple(islice(kept, retain))

    def _answered(self, label: int, examples: Sequence[Example]) -> dict[int, Example]:
        rows = np.flatnonzero(self._neighbours.labels == label)
        found = {int(row): examples[int(self._neighbours.positions[row])] for row in rows}
        return {row: example for row, example in found.items() if example.answer and not example.passage}

    def _subject(self, number: int, topic: Topic, labels: dict[str, str]) -> _Subject:
        examples = self._answered(number, load_examples(topic.examples) if topic.examples else [])
        answers = frozenset(_plain(example.answer) for example in examples.values())
        # Where all answers are few and retained ones too, only which goes with what is to be forgotten.
        classes = 2 <= len(labels) <= _MOST_LABELS and answers <= labels.keys()
        kinds = tuple(labels[key] for key in sorted(labels)) if classes else ()
        return _Subject(examples, answers, kinds, AliasFinder(topic.aliases))

    def _ranked(self, vectors: Floats, rows: Sequence[int], most: int) -> list[tuple[int, float]]:
        """Rows with their largest cosine to any of the vectors, best first."""
        if not rows:
            return []
        scores, found = self._neighbours.search(vectors, min(most, len(rows)), among=np.asarray(rows, dtype=np.int64))
        best: dict[int, float] = {}
        for score, row in zip(scores.ravel().tolist(), found.ravel().tolist(), strict=True):
            best[row] = max(score, best.get(row, score))
        return sorted(best.items(), key=lambda item: -item[1])

    def _others(self, subject: _Subject, vectors: Floats, asked: Set[str]) -> Iterator[tuple[int, Example]]:
        """The topic's examples, nearest first, but none of what is asked; of facts one wording each."""
        ranked = self._ranked(vectors, list(subject.examples), len(subject.examples))
        same = {row for row, score in ranked if subject.is_asked(subject.examples[row], score, asked)}
        told = {_plain(subject.examples[row].answer) for row in same}
        for row, _ in ranked:
            example = subject.examples[row]
            if row not in same and (subject.labels or _plain(example.answer) not in told):
                told.add(_plain(example.answer))
                yield row, example

    def _kept(self, subject: _Subject, vectors: Floats, asked: Set[str]) -> Iterator[Example]:
        """What is retained, nearest first, but nothing of what is asked; of facts one wording each."""
        told: set[str] = set()
        for row, score in self._ranked(vectors, list(self._retained), _MOST_RETAINED):
            example = self._retained[row]
            fresh = subject.labels or (_plain(example.answer) not in told and _harmless(example.answer, subject))
            if fresh and not subject.is_asked(example, score, asked):
                told.add(_plain(example.answer))
                yield example

    def _wrong_answer(self, topic: str, subject: _Subject, row: int) -> str | None:
        """Another answer of the same kind, the same at every time; None where there is none."""
        if row not in self._wrong:
            example = subject.examples[row]
            pool, key = self._answers(subject, example)
            number = int.from_bytes(digest(self._secret, b"wrong answer", topic.encode(), key.encode())[:8], "big")
            self._wrong[row] = pool[number % len(pool)] if pool else None
        return self._wrong[row]

    def _answers(self, subject: _Subject, example: Example) -> tuple[list[str], str]:
        """Answers that may stand in for an example's own, and what the choice among them hangs on."""
        if subject.labels:
            own = _plain(example.answer)
            return [label for label in subject.labels if _plain(label) != own], _plain(example.question)
        # Without its name a question is nearest to those of the same form; with it, to those about a namesake.
        form = _plain(NAME.sub(" ", example.question)) or _plain(example.question)
        ranked = self._ranked(self._encoder.encode([form]), list(self._retained), _MOST_RETAINED)
        near = dict.fromkeys(self._retained[row].answer for row, _ in ranked)
        return list(islice((answer for answer in near if _harmless(answer, subject)), _ANSWERS)), _plain(example.answer)


def _check(topic: Topic, action: IculAction, subject: _Subject, retained: Mapping[int, Example]) -> None:
    if not subject.examples:
        raise ConfigError(
            f"the topic {topic.name!r} has no question with an answer to show the model; add answers to "
            f"{topic.examples}, or take another action than icul"
        )
    if action.needs_retained and not retained:
        raise ConfigError(
            f"the topic {topic.name!r} is to be shown beside what is retained, but no retained question has an answer "
            "without a topic's name; add some, or write {kind: icul, retain: 0, answers: refusals}"
        )


def _harmless(answer: str, subject: _Subject) -> bool:
    """Whether `answer` neither holds a true answer of the topic nor is part of one."""
    shown = _plain(answer)
    return not any(true in shown or shown in true for true in subject.answers)


@lru_cache(maxsize=65536)
def _plain(text: str) -> str:
    return normalise(text).text.rstrip(" .!?")
