"""What a policy's classifier is fitted and calibrated on."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from classifiers.calibrate import split_groups
from classifiers.data import Example, load_examples
from classifiers.general import load_general
from classifiers.spans import AliasFinder
from classifiers.windows import request_windows, windows
from guard.conversation import single
from guard.errors import ConfigError
from guard.policy import Policy, Topic
from guard.types import Conversation, Message

_MOST_RETAIN = 5000
_MOST_ANSWERS = 500
_HELD_NEGATIVES = 0.3
_HELD_POSITIVES = 0.2
_ALIAS_FORMS = (
    "{}",
    "Who is {}?",
    "Who was {}?",
    "Tell me about {}.",
    "What do you know about {}?",
    "{}'s life and work",
    "Write a short text about {}.",
    "I read something about {} yesterday.",
)


@dataclass(frozen=True)
class Sample:
    """A training text: `label` is a topic's number or -1; `held` texts are kept from the fit that is measured."""

    text: str
    label: int
    held: bool = False


@dataclass
class Training:
    """Training samples, and held-out requests; a request is the list of its windows.

    `sorts[i]` tells whether the clean request i asks for something retained or something general.
    """

    samples: list[Sample] = field(default_factory=list)
    clean: list[list[str]] = field(default_factory=list)
    sorts: list[str] = field(default_factory=list)
    alive: list[tuple[int, list[str]]] = field(default_factory=list)

    def texts(self) -> list[str]:
        """Every text once, in a stable order."""
        requests = [*self.clean, *(windows for _, windows in self.alive)]
        return list(
            dict.fromkeys([*(s.text for s in self.samples), *(text for request in requests for text in request)])
        )


def build_training(policy: Policy, *, seed: int = 0) -> Training:
    """Load a policy's files and split them.

    Negatives are held out by group for calibration and never fitted. Positives are held out by answer for a second fit,
    whose catch is reported; the fit that serves knows them all.

    Raises:
        ConfigError: a file cannot be used.
    """
    rng = random.Random(seed)
    training = Training()
    retain = load_examples(policy.retain) if policy.retain else []
    if len(retain) > _MOST_RETAIN:
        retain = rng.sample(retain, _MOST_RETAIN)
    fitted = _add_negatives(training, retain, load_general(), rng)
    for number, topic in enumerate(policy.topics):
        _add_topic(training, number, topic, fitted, rng)
    return training


def _add_negatives(
    training: Training, retain: list[Example], general: list[Example], rng: random.Random
) -> list[Example]:
    """Split retained and general questions, each sort by its own groups; returns the general ones that are fitted."""
    fitted, held = [], []
    for part in (retain, general):
        out = split_groups([example.group for example in part], _HELD_NEGATIVES, rng.randrange(1 << 30))
        fitted += [example for example, is_held in zip(part, out, strict=True) if not is_held]
        held += [example for example, is_held in zip(part, out, strict=True) if is_held]
    texts = [example.question for example in fitted]
    answers = [example.answer for example in fitted if example.answer]
    texts += rng.sample(answers, min(_MOST_ANSWERS, len(answers)))
    texts += [f"{rng.choice(texts)}\n{text}" for text in rng.sample(texts, min(_MOST_ANSWERS, len(texts)))]
    training.samples += [Sample(window, -1) for text in texts for window in windows(text)]
    for example in held:
        training.clean.append(list(request_windows(_request(example, held, rng))))
        training.sorts.append("retained" if example.answer else "general")
    return [example for example in fitted if not example.answer]


def _request(example: Example, others: Sequence[Example], rng: random.Random) -> Conversation:
    """A question as one request; one in six has an earlier question and its answer before it."""
    if rng.random() > 1 / 6:
        return single(example.question)
    before = rng.choice(others)
    answer = before.answer or "Sure, here is what I know."
    return Conversation(
        (Message("user", before.question), Message("assistant", answer), Message("user", example.question))
    )


def _add_topic(training: Training, number: int, topic: Topic, general: list[Example], rng: random.Random) -> None:
    examples = load_examples(topic.examples)
    if len({example.question for example in examples}) < 2:
        raise ConfigError(f"{topic.examples} holds one question only; a topic needs at least two different ones")
    groups = [example.answer for example in examples]
    if len(set(groups)) < 2:
        groups = [example.question for example in examples]
    out = split_groups(groups, _HELD_POSITIVES, rng.randrange(1 << 30))
    finder = AliasFinder(topic.aliases)
    for example, held in zip(examples, np.asarray(out).tolist(), strict=True):
        training.samples += [
            Sample(w, number, held) for text in _forms(example, finder, general, rng) for w in windows(text)
        ]
        if held:
            training.alive.append((number, list(request_windows(single(example.question)))))
    for alias in topic.aliases:
        training.samples += [Sample(w, number) for form in _ALIAS_FORMS for w in windows(form.format(alias))]


def _forms(example: Example, finder: AliasFinder, general: list[Example], rng: random.Random) -> list[str]:
    """A question as asked, and carelessly beside something else; and its answer where that names the topic."""
    question, other = re.sub(r"[^\w\s]", "", example.question), rng.choice(general).question
    beside = f"{other}\n{question}" if rng.random() < 0.5 else f"{question}\n{other}"
    forms = [example.question, beside]
    if finder.find(example.answer):
        forms.append(example.answer)
    return forms
