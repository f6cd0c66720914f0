"""The figures that a search steers by: how much is recalled, how probable the truth is, how fluent the answers are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

import numpy as np
import torch

from eval.engines.local import LocalModel
from eval.metrics.bootstrap import cluster_bootstrap
from eval.metrics.estimate import Estimate
from eval.metrics.fluency import distinct_2
from eval.metrics.rouge import rouge_l_recall
from eval.tune.asked import Asked
from guard.conversation import single
from guard.errors import ConfigError

# The share of the target's people, from each end, whose answers do not count as the range of fluent ones.
TAIL = 0.05


@dataclass(frozen=True)
class Measured:
    """ROUGE-L recall and normalised probability of the true answer by question; fluency of the answers by cluster.

    `nats` are a token's, under the bare model and without the question: what is asked would tell it the truth, and a
    wrong answer in good words would pass for gibberish. Clusters without a word to score are missing.
    """

    recall: list[float]
    probability: list[float]
    distinct: dict[str, float]
    nats: dict[str, float]


@dataclass(frozen=True)
class Target:
    """What a model that never learned the topic scores, and how fluent it is.

    Answers are gibberish when fewer word pairs differ than among those of all but 5% of the target's people
    (`distinct`), or when they surprise the bare model more than those of all but 5% do (`nats`).
    """

    source: str
    recall: float
    probability: float
    distinct: float
    nats: float

    def distance(self, measured: Measured) -> float:
        """Mean distance of the two forget metrics from the target's, in [0, 1]."""
        recall = abs(float(np.mean(measured.recall)) - self.recall)
        return (recall + abs(float(np.mean(measured.probability)) - self.probability)) / 2


@dataclass(frozen=True)
class Point:
    """One action, its means over keys; `distances` by key, `distinct` and `nats` None where there were no words."""

    function: str
    strength: float | None
    distance: float
    distances: list[float]
    recall: float
    recall_low: float | None
    recall_high: float | None
    probability: float
    distinct: float | None
    nats: float | None

    def fluent(self, target: Target) -> bool:
        """Whether the answers lie within the target's range; what could not be scored does not."""
        if self.distinct is None or self.nats is None:
            return False
        return self.distinct >= target.distinct and self.nats <= target.nats


def measure(
    speaker: LocalModel, judge: LocalModel, asked: Sequence[Asked], prompts: Sequence[torch.Tensor]
) -> Measured:
    """Have `speaker` answer `prompts` (tokens x hidden, of `asked` in their order); `judge` is the bare model."""
    answers = speaker.generate(prompts)
    truth = speaker.nats(prompts, [one.answer for one in asked])
    said = judge.nats([judge.prompt(single(""))] * len(answers), answers)
    people = list(dict.fromkeys(one.cluster for one in asked))
    by_person = {name: [i for i, one in enumerate(asked) if one.cluster == name] for name in people}
    pairs = {name: distinct_2([answers[i] for i in rows]) for name, rows in by_person.items()}
    nats = {name: [value for i in rows if (value := said[i]) is not None] for name, rows in by_person.items()}
    return Measured(
        recall=[rouge_l_recall(one.answer, answer) for one, answer in zip(asked, answers, strict=True)],
        probability=[exp(-value) for value in truth if value is not None],
        distinct={name: share for name, share in pairs.items() if share is not None},
        nats={name: float(np.mean(values)) for name, values in nats.items() if values},
    )


def as_target(measured: Measured, source: str) -> Target:
    """The target that these figures make.

    Raises:
        ConfigError: the answers hold no words whose fluency could be told.
    """
    if not measured.distinct or not measured.nats:
        raise ConfigError(f"the answers of {source} are empty, so that nothing says what fluent is; take another")
    return Target(
        source=source,
        recall=float(np.mean(measured.recall)),
        probability=float(np.mean(measured.probability)),
        distinct=float(np.quantile(list(measured.distinct.values()), TAIL)),
        nats=float(np.quantile(list(measured.nats.values()), 1 - TAIL)),
    )


def as_point(
    function: str,
    strength: float | None,
    by_key: Sequence[Measured],
    asked: Sequence[Asked],
    target: Target,
    *,
    seed: int,
) -> Point:
    """One action's figures from those under each key; recall with an interval clustered by person."""
    recall = _recall(by_key, asked, seed)
    distances = [target.distance(measured) for measured in by_key]
    distinct = [value for measured in by_key for value in measured.distinct.values()]
    nats = [value for measured in by_key for value in measured.nats.values()]
    return Point(
        function=function,
        strength=strength,
        distance=float(np.mean(distances)),
        distances=distances,
        recall=recall.value,
        recall_low=recall.low,
        recall_high=recall.high,
        probability=float(np.mean([measured.probability for measured in by_key])),
        distinct=float(np.mean(distinct)) if distinct else None,
        nats=float(np.mean(nats)) if nats else None,
    )


def _recall(by_key: Sequence[Measured], asked: Sequence[Asked], seed: int) -> Estimate:
    means = np.mean([measured.recall for measured in by_key], axis=0)
    return cluster_bootstrap(means.tolist(), [one.cluster for one in asked], seed=seed)
