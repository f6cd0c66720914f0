"""What a policy's classifier is fitted and calibrated on."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from classifiers.augment import distinct, variants
from classifiers.clean import clean_requests
from classifiers.data import Example
from classifiers.gather import Gathered
from classifiers.parts import fold_groups, part_groups
from classifiers.windows import request_windows, windows
from guard.conversation import single

# What calibrates was never seen by what scores it: of so many heads each is fitted without one fold of the groups.
FOLDS = 4
PROBABILITY, THRESHOLD = 1, 0
_PROBABILITY_SHARE = 0.25
CLEAN = -1
_EACH = 8
_MOST_TOPIC_VARIANTS = 4000
_FEWEST_CLEAN_VARIANTS, _MOST_CLEAN_VARIANTS = 800, 4000
_MOST_RETAIN = 2500
_MOST_ANSWERS = 1000
_MOST_JOINED, _JOINED = 800, 4
_MOST_CALIBRATING = 3000
# Requests of each larger size that set a threshold: somewhat more than the target rate needs at least.
_FEWEST_LARGER, _MOST_LARGER, _SPARE = 150, 1500, 1.0


@dataclass(frozen=True)
class Sample:
    """A training text: `label` is a topic's number or `CLEAN`, `fold` that of its group."""

    text: str
    label: int
    fold: int


@dataclass(frozen=True)
class Request:
    """A request that calibrates: about topic number `topic` or `CLEAN`, scored by what its fold was kept from.

    `part` is `PROBABILITY`, or `THRESHOLD` for what sets the thresholds and measures the catch. `sort` is retained,
    general or topic. What is not `drawn` sets thresholds, but is no evidence of its own.
    """

    topic: int
    windows: tuple[str, ...]
    group: str
    sort: str
    fold: int
    part: int
    drawn: bool = True


@dataclass
class Training:
    """Training samples, and requests to calibrate with."""

    samples: list[Sample] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def texts(self) -> list[str]:
        """Every text once, in a stable order."""
        asked = (window for request in self.requests for window in request.windows)
        return list(dict.fromkeys([*(sample.text for sample in self.samples), *asked]))

    def held(self, fold: int) -> set[str]:
        """What is asked or fitted in a fold: texts that are no neighbours of those asked in it."""
        return self._asked(fold) | {sample.text for sample in self.samples if sample.fold == fold}

    def without(self, fold: int) -> list[Sample]:
        """The samples that know nothing of a fold; a frame or a short form may say by chance what is asked in it."""
        asked = self._asked(fold)
        return [sample for sample in self.samples if sample.fold != fold and sample.text not in asked]

    def _asked(self, fold: int) -> set[str]:
        return {window for request in self.requests if request.fold == fold for window in request.windows}


def build_training(gathered: Gathered, near: Sequence[Example], rng: random.Random, rate: float) -> Training:
    """Part, choose and vary the examples; `near` are the clean ones nearest to any topic, nearest first.

    `rate` is the target false-flag rate, on which depends how many requests calibrate.
    """
    training = Training()
    retained, general = _folded(gathered.retained, rng), _folded(gathered.general, rng)
    hard = _hard_first(gathered, near)
    fitted = _Fitted(_fitted_retained(gathered.retained, hard, rng), gathered.general, retained | general)
    made = _add_topics(training, gathered, fitted, rng)
    _add_clean(training, fitted, hard, made, rng)
    _add_requests(training, gathered, fitted, rng, rate)
    return training


def base_texts(examples: Sequence[Example]) -> list[str]:
    """The first window of each question: what neighbours are looked for with."""
    return [next(iter(windows(example.question)), "") for example in examples]


class _Fitted:
    """Clean examples that are fitted, and the fold of every clean example."""

    def __init__(self, retained: list[Example], general: list[Example], fold: Mapping[int, int]) -> None:
        self.examples = [*retained, *general]
        self._fold = fold
        self._company: list[list[Example]] = [[] for _ in range(FOLDS)]
        for example in self.examples:
            self._company[self.fold(example)].append(example)

    def fold(self, example: Example) -> int:
        """The fold of a clean example."""
        return self._fold[id(example)]

    def company(self, fold: int) -> list[Example]:
        """What may stand beside an example of a fold without telling of another."""
        return self._company[fold] or self.examples


def _folded(examples: Sequence[Example], rng: random.Random) -> dict[int, int]:
    folds = fold_groups([example.group for example in examples], FOLDS, rng.randrange(1 << 30))
    return {id(example): fold for example, fold in zip(examples, folds, strict=True)}


def _hard_first(gathered: Gathered, near: Sequence[Example]) -> list[Example]:
    """Namesakes of the topics before what is only alike in meaning."""
    namesake = {id(example) for example in gathered.namesakes()}
    return sorted(near, key=lambda example: id(example) not in namesake)


def _fitted_retained(retained: list[Example], hard: Sequence[Example], rng: random.Random) -> list[Example]:
    """The hard ones, and others drawn up to a bound."""
    if len(retained) <= _MOST_RETAIN:
        return retained
    near = {id(example) for example in hard[:_MOST_RETAIN]}
    first = [example for example in retained if id(example) in near]
    rest = [example for example in retained if id(example) not in near]
    return first + rng.sample(rest, _MOST_RETAIN - len(first))


def _add_topics(training: Training, gathered: Gathered, fitted: _Fitted, rng: random.Random) -> int:
    """Each topic's examples in many forms; a topic's own are asked too, `extra` ones never. Returns how many forms."""
    made = 0
    count = sum(len(topic.own) + len(topic.extra) for topic in gathered.topics)
    each = min(_MOST_TOPIC_VARIANTS / count, _EACH)
    for number, topic in enumerate(gathered.topics):
        groups = _families(topic.own)
        folds = fold_groups(groups, FOLDS, rng.randrange(1 << 30))
        folds += [rng.randrange(FOLDS) for _ in topic.extra]
        halves = part_groups(groups, [0.5], rng.randrange(1 << 30)).tolist()
        for example, fold in zip([*topic.own, *topic.extra], folds, strict=True):
            made_of = variants(example, fitted.company(fold), rng, _some(each, rng))
            # Of a variant in two windows one may hold company only, which is not the topic.
            texts = [example.question, *(text for text in made_of if len(windows(text)) == 1)]
            if distinct(example.answer):
                texts.append(example.answer)
            made += len(made_of)
            training.samples += [Sample(w, number, fold) for text in texts for w in windows(text)]
        for example, fold, part in zip(topic.own, folds, halves, strict=False):
            asked = tuple(request_windows(single(example.question)))
            training.requests.append(Request(number, asked, f"{number}:{example.group}", "topic", fold, part))
    return made


def _add_clean(training: Training, fitted: _Fitted, hard: Sequence[Example], made: int, rng: random.Random) -> None:
    """Clean texts in the same forms as the topics', at least as many; half of the variants go to hard neighbours."""
    budget = min(_MOST_CLEAN_VARIANTS, max(_FEWEST_CLEAN_VARIANTS, made))
    texts = [(example.question, fitted.fold(example)) for example in fitted.examples]
    varied: list[tuple[str, int]] = []

    def vary(example: Example, count: int) -> None:
        fold = fitted.fold(example)
        varied.extend((text, fold) for text in variants(example, fitted.company(fold), rng, count))

    for example in hard:
        if len(varied) >= budget / 2:
            break
        vary(example, _EACH)
    while len(varied) < budget:
        vary(rng.choice(fitted.examples), 1)
    answers = [(e.answer, fitted.fold(e)) for e in fitted.examples if e.answer and not e.passage]
    texts += varied + rng.sample(answers, min(_MOST_ANSWERS, len(answers)))
    # What stands in long texts and earlier turns is read in windows across its borders.
    for fold in range(FOLDS):
        beside = [text for text, own in texts if own == fold]
        texts += [("\n".join(rng.choices(beside, k=_JOINED)), fold) for _ in range(_MOST_JOINED // FOLDS) if beside]
    training.samples += [Sample(window, CLEAN, fold) for text, fold in texts for window in windows(text)]


def _add_requests(training: Training, gathered: Gathered, fitted: _Fitted, rng: random.Random, rate: float) -> None:
    """Clean requests; those of one fold and part keep company with their like alone."""
    larger = min(_MOST_LARGER, max(_FEWEST_LARGER, math.ceil(_SPARE / rate)))
    cells: dict[tuple[int, int], tuple[list[Example], list[Example]]] = {}
    for place, examples in enumerate((gathered.retained, gathered.general)):
        if len(examples) > _MOST_CALIBRATING:
            examples = rng.sample(examples, _MOST_CALIBRATING)
        groups = [example.group for example in examples]
        parts = part_groups(groups, [_PROBABILITY_SHARE], rng.randrange(1 << 30)).tolist()
        for example, part in zip(examples, parts, strict=True):
            cells.setdefault((fitted.fold(example), part), ([], []))[place].append(example)
    for (fold, part), (retained, general) in sorted(cells.items()):
        share = _PROBABILITY_SHARE if part == PROBABILITY else 1
        count = math.ceil(larger * share / FOLDS)
        for asked in clean_requests(retained, general, count, rng, names=gathered.names):
            training.requests.append(Request(CLEAN, asked.windows, asked.group, asked.sort, fold, part, asked.drawn))


def _families(own: Sequence[Example]) -> list[str]:
    groups = [example.group for example in own]
    return groups if len(set(groups)) >= FOLDS else [example.question for example in own]


def _some(mean: float, rng: random.Random) -> int:
    """A whole number whose expectation is `mean`."""
    return int(mean) + (rng.random() < mean - int(mean))
