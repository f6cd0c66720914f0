"""Learns what of a policy's topics is protected in answers, and how strongly.

Strong, so counted in every answer: the topic's names, what the policy protects, names of several words that are all
rare, and eight words in a row of an answer that hold such a fact. What a retain example or a general question says is
weak at most, and so are single words, numbers, dates and names made of common words, which anybody's answer may hold:
they count where the topic is alive. What a retain example says together with the topic's name is faint: it counts
where the prompt asks about the topic, so that no answer which is to be retained is touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from classifiers.data import Example, load_examples
from classifiers.facts import facts, rare, small_words, titles
from classifiers.general import load_general
from guard.errors import ConfigError
from guard.output.letters import key_of
from guard.output.protected import Mark, Protected, Strength
from guard.output.scan import Scan, Spans
from guard.policy import Policy, Topic

_RUN = 8
_SHORTEST_NAME = 3


def learn_protected(policy: Policy) -> Protected:
    """The protected spans of every topic that guards its output, learned from the example files.

    Raises:
        ConfigError: a file cannot be used, or a span is both protected by the policy and retained.
    """
    topics = [topic for topic in policy.topics if topic.output.on_hit != "none"]
    own = {topic.name: load_examples(topic.examples) if topic.examples else [] for topic in topics}
    kept = [*(load_examples(policy.retain) if policy.retain else ()), *load_general()]
    ordinary = small_words(text for e in (*kept, *(e for some in own.values() for e in some)) for text in _texts(e))
    learners = [_Learner(topic, own[topic.name], ordinary) for topic in topics]
    keys = Spans(key for learner in learners for key in learner.keys)
    for example in kept:
        held = _held(keys, example)
        for learner in learners:
            learner.keep(held)
    runs = Spans(run for learner in learners for run in learner.runs())
    kept_runs = frozenset(run for example in kept for run in _held(runs, example))
    marked = [pair for learner in learners for pair in learner.marked(kept_runs)]
    return Protected(marked, {topic.name: topic.output.on_hit for topic in policy.topics})


class _Learner:
    """What one topic's answers say, and which of it is said elsewhere."""

    def __init__(self, topic: Topic, examples: Sequence[Example], ordinary: frozenset[str]) -> None:
        self.topic = topic
        self.names = frozenset(key for alias in topic.aliases if (key := key_of(alias)))
        self.parts = frozenset(word for name in self.names for word in name.split()) - self.names - ordinary
        self._answers = {key_of(e.answer): facts(e.answer, ordinary) for e in examples if e.answer}
        self._titles = frozenset(title for e in examples for title in titles(e.answer))
        said = {fact for found in self._answers.values() for fact in found}
        self.facts = frozenset(f for f in said - self.names if not any(_within(f, name) for name in self.names))
        self.own = frozenset(key_of(span) for span in topic.output.protect)
        self.keys = self.names | self.facts | self.own
        self._kept: set[str] = set()
        self._beside: set[str] = set()

    def keep(self, held: frozenset[str]) -> None:
        """Learn that one clean example holds these spans.

        Raises:
            ConfigError: the policy protects one of them.
        """
        mine = held & self.keys
        self._kept |= mine
        if mine & self.names:
            self._beside |= mine
        if both := mine & self.own:
            raise ConfigError(
                f"the topic {self.topic.name!r} protects {sorted(both)[0]!r}, which a retain example or a general "
                "question holds; remove it from one of the two"
            )

    def runs(self) -> Iterator[str]:
        """Every eight words in a row of an answer that hold a name, or a fact told nowhere else."""
        for answer, found in self._answers.items():
            words = answer.split(" ")
            telling = self.names | (found - self._kept)
            for start in range(len(words) - _RUN + 1):
                run = " ".join(words[start : start + _RUN])
                if any(_within(key, run) for key in telling):
                    yield run

    def marked(self, kept_runs: frozenset[str]) -> Iterator[tuple[str, Mark]]:
        """All spans with their marks."""
        topic = self.topic.name
        for name in self.names:
            strong = name not in self._kept and len(name) >= _SHORTEST_NAME
            yield name, Mark(topic, Strength.STRONG if strong else Strength.WEAK, name=True)
        for part in self.parts:
            yield part, Mark(topic, Strength.FAINT, name=True)
        for span in self.own:
            yield span, Mark(topic, Strength.STRONG)
        for fact in self.facts - self.parts:
            yield fact, Mark(topic, self._strength(fact))
        for run in self.runs():
            if run not in kept_runs:
                yield run, Mark(topic, Strength.STRONG)

    def _strength(self, fact: str) -> Strength:
        if fact in self._kept:
            return Strength.FAINT if fact in self._beside else Strength.WEAK
        return Strength.STRONG if fact in self._titles and " " in fact and rare(fact) else Strength.WEAK


def _texts(example: Example) -> Iterable[str]:
    return (example.question,) if example.passage else (example.question, example.answer)


def _held(spans: Spans, example: Example) -> frozenset[str]:
    """Which spans stand in an example."""
    found: set[str] = set()
    for text in _texts(example):
        scan = Scan(spans)
        found.update(span.key for span in (*scan.feed(text), *scan.finish()))
    return frozenset(found)


def _within(key: str, text: str) -> bool:
    return f" {key} " in f" {text} "
