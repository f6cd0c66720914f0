"""What a policy's classifier is fitted and calibrated on."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from classifiers.augment import distinct, variants
from classifiers.calibrate import part_groups
from classifiers.clean import Request, clean_requests
from classifiers.data import Example
from classifiers.gather import FITTED, PROBABILITY, THRESHOLD, Gathered, Split, split
from classifiers.windows import request_windows, windows
from guard.conversation import single

_EACH = 4
_MOST_TOPIC_VARIANTS = 4000
_FEWEST_CLEAN_VARIANTS, _MOST_CLEAN_VARIANTS = 800, 4000
_MOST_RETAIN = 2500
_MOST_ANSWERS = 1000
_MOST_JOINED, _JOINED = 200, 4
_MOST_CALIBRATING = {PROBABILITY: 400, THRESHOLD: 1200}
_HELD_SHARES = (0.12, 0.12)


@dataclass(frozen=True)
class Sample:
    """A training text: `label` is a topic's number or -1; `held` texts are kept from the fit that is measured."""

    text: str
    label: int
    held: bool = False


@dataclass(frozen=True)
class Alive:
    """A request about topic number `topic`; `part` is `PROBABILITY`, or `THRESHOLD` for what measures the catch."""

    topic: int
    windows: tuple[str, ...]
    group: str
    part: int


@dataclass
class Training:
    """Training samples, clean requests by part, and held-out requests about topics."""

    samples: list[Sample] = field(default_factory=list)
    clean: dict[int, list[Request]] = field(default_factory=dict)
    alive: list[Alive] = field(default_factory=list)

    def texts(self) -> list[str]:
        """Every text once, in a stable order."""
        requests = [request.windows for part in self.clean.values() for request in part]
        requests += [alive.windows for alive in self.alive]
        texts = [*(sample.text for sample in self.samples), *(text for request in requests for text in request)]
        return list(dict.fromkeys(texts))


def build_training(gathered: Gathered, near: Sequence[Example], rng: random.Random) -> Training:
    """Part, choose and vary the examples; `near` are the clean ones nearest to any topic, nearest first.

    Clean examples that calibrate are never fitted. A topic's are held out by family for a second fit, whose catch is
    reported; the fit that serves knows them all.
    """
    training = Training()
    clean = split(gathered, near, rng)
    known = {id(example) for part in (clean.retained, clean.general) for example in part[FITTED]}
    hard = [example for example in near if id(example) in known]
    fitted = _fitted_clean(clean, hard, rng)
    made = 0
    count = sum(len(topic.own) + len(topic.extra) for topic in gathered.topics)
    each = _MOST_TOPIC_VARIANTS / count
    for number, topic in enumerate(gathered.topics):
        held = _held(topic.own, rng)
        for example, part in zip([*topic.own, *topic.extra], [*held, *[FITTED] * len(topic.extra)], strict=True):
            made_of = variants(example, fitted, rng, _some(min(each, _EACH), rng))
            # Of a variant in two windows one may hold company only, which is not the topic.
            texts = [example.question, *(text for text in made_of if len(windows(text)) == 1)]
            if distinct(example.answer):
                texts.append(example.answer)
            made += len(made_of)
            training.samples += [Sample(w, number, part != FITTED) for text in texts for w in windows(text)]
            if part != FITTED:
                asked = tuple(request_windows(single(example.question)))
                training.alive.append(Alive(number, asked, f"{number}:{example.group}", part))
    # A frame or a short form may say by chance what a held example says.
    held_texts = {sample.text for sample in training.samples if sample.held}
    training.samples = [replace(sample, held=sample.text in held_texts) for sample in training.samples]
    _add_clean(training, fitted, hard, made, rng)
    for part, most in _MOST_CALIBRATING.items():
        retained = clean.retained[part]
        retained = rng.sample(retained, most) if len(retained) > most else retained
        training.clean[part] = clean_requests(retained, clean.general[part], rng)
    return training


def base_texts(examples: Sequence[Example]) -> list[str]:
    """The first window of each question: what neighbours are looked for with."""
    return [next(iter(windows(example.question)), "") for example in examples]


def _fitted_clean(clean: Split, hard: Sequence[Example], rng: random.Random) -> list[Example]:
    """All hard ones and general ones, and retained ones drawn up to a bound."""
    retained = clean.retained[FITTED]
    if len(retained) > _MOST_RETAIN:
        near = {id(example) for example in hard[:_MOST_RETAIN]}
        first = [example for example in retained if id(example) in near]
        rest = [example for example in retained if id(example) not in near]
        retained = first + rng.sample(rest, _MOST_RETAIN - len(first))
    return [*retained, *clean.general[FITTED]]


def _add_clean(
    training: Training, fitted: Sequence[Example], hard: Sequence[Example], made: int, rng: random.Random
) -> None:
    """Clean texts in the same forms as the topics', at least as many; half of the variants go to hard neighbours."""
    budget = min(_MOST_CLEAN_VARIANTS, max(_FEWEST_CLEAN_VARIANTS, made))
    varied: list[str] = []
    for example in hard:
        if len(varied) >= budget / 2:
            break
        varied += variants(example, fitted, rng, _EACH)
    while len(varied) < budget:
        varied += variants(rng.choice(fitted), fitted, rng, 1)
    answers = [example.answer for example in fitted if example.answer and not example.passage]
    texts = [example.question for example in fitted] + varied + rng.sample(answers, min(_MOST_ANSWERS, len(answers)))
    # What stands in long texts and earlier turns is read in windows across its borders.
    texts += ["\n".join(rng.choices(texts, k=_JOINED)) for _ in range(_MOST_JOINED)]
    training.samples += [Sample(window, -1) for text in texts for window in windows(text)]


def _held(own: Sequence[Example], rng: random.Random) -> list[int]:
    groups = [example.group for example in own]
    if len(set(groups)) < 3:
        groups = [example.question for example in own]
    return [int(part) for part in part_groups(groups, _HELD_SHARES, rng.randrange(1 << 30))]


def _some(mean: float, rng: random.Random) -> int:
    """A whole number whose expectation is `mean`."""
    return int(mean) + (rng.random() < mean - int(mean))
