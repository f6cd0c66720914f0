"""Figures of the answers that came through the endpoint: recall, gaps, under- and over-forgetting, what tells apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from eval.answers import Answer, AnswerStore
from eval.compare.plan import Plan
from eval.compare.results import BARE, RETRAINED, Figure
from eval.metrics.answered import answered
from eval.metrics.apart import Shown, apart
from eval.metrics.bootstrap import cluster_bootstrap, paired_difference
from eval.metrics.estimate import Estimate
from eval.metrics.fluency import distinct_2
from eval.tasks.questions import Item

ARCHIVE = "archive"
RECALL = "rouge_l_recall"


@dataclass(frozen=True)
class Told:
    """One answer with its score in [0, 1]; None is unscored, for `reason`."""

    item: Item
    answer: Answer | None
    score: float | None
    reason: str | None = None


def told(store: AnswerStore, system: str, items: Sequence[Item]) -> list[Told]:
    """The system's answers to the items, scored by their form."""
    found = []
    for item in items:
        answer = store.get(system, item.question)
        if answer is None or answer.text is None:
            found.append(Told(item, answer, None, answer.reason if answer else "not asked"))
            continue
        try:
            found.append(Told(item, answer, answered(item.form, item.answer, answer.text)))
        except ValueError as error:
            found.append(Told(item, answer, None, str(error)))
    return found


def answer_figures(plan: Plan, store: AnswerStore, system: str, nats: Callable[[str], float | None]) -> list[Figure]:
    """Every figure of one system that needs nothing but its answers; `nats` is a text's under the bare model."""
    found = []
    for task, splits in {ARCHIVE: plan.splits, **plan.further}.items():
        for split, items in splits.items():
            own = told(store, system, items)
            found.append(_mean(system, task, split, own, plan.seed))
            for other in (RETRAINED, BARE):
                if system != other:
                    found.append(_gap(system, task, split, own, told(store, other, items), other, plan.seed))
    own = told(store, system, plan.splits["forget"])
    reference = told(store, RETRAINED, plan.splits["forget"])
    found += _forgetting(system, own, reference, plan.seed)
    found += _fluency(system, own, nats, plan.seed)
    if system != RETRAINED:
        found += _apart(system, own, reference, plan.seed)
    every = [one for items in plan.splits.values() for one in told(store, system, items)]
    return [*found, _latency(system, every)]


def _mean(system: str, task: str, split: str, own: Sequence[Told], seed: int) -> Figure:
    rows = [(one.score, one.item.cluster) for one in own if one.score is not None]
    estimate = cluster_bootstrap(*zip(*rows, strict=True), seed=seed) if rows else None
    return Figure(system, task, split, RECALL, "system", estimate, _missing(own))


def _gap(
    system: str, task: str, split: str, own: Sequence[Told], theirs: Sequence[Told], versus: str, seed: int
) -> Figure:
    rows = [
        (a.score, b.score, a.item.cluster)
        for a, b in zip(own, theirs, strict=True)
        if a.score is not None and b.score is not None
    ]
    estimate = paired_difference(*zip(*rows, strict=True), seed=seed) if rows else None
    reason = None if len(rows) == len(own) else f"{len(own) - len(rows)} questions not scored in both"
    return Figure(system, task, split, RECALL, "system", estimate, reason, versus=versus)


def _forgetting(system: str, own: Sequence[Told], reference: Sequence[Told], seed: int) -> list[Figure]:
    """How far each person's mean lies above retrained's (under-forgetting) or below it (over-forgetting).

    Means of the positive and of the negative parts, so that one person told too much of and one forgotten too well do
    not cancel. Chance alone makes both positive: hold them against those of the other retrained seeds.
    """
    gaps: dict[str, list[float]] = {}
    for a, b in zip(own, reference, strict=True):
        if a.score is not None and b.score is not None:
            gaps.setdefault(a.item.cluster, []).append(a.score - b.score)
    means = [float(np.mean(values)) for values in gaps.values()]
    found = []
    for metric, sign in (("under_forgetting", 1), ("over_forgetting", -1)):
        parts = [max(0.0, sign * mean) for mean in means]
        estimate = cluster_bootstrap(parts, list(gaps), seed=seed) if parts else None
        found.append(Figure(system, ARCHIVE, "forget", metric, "system", estimate, None if parts else _missing(own)))
    return found


def _fluency(system: str, own: Sequence[Told], nats: Callable[[str], float | None], seed: int) -> list[Figure]:
    texts = [(one.answer.text, one.item.cluster) for one in own if one.answer and one.answer.text]
    different = distinct_2([text for text, _ in texts])
    figures = [
        Figure(system, ARCHIVE, "forget", "distinct_2", "system", _point(different, len(texts)), _none(different))
    ]
    surprise = [(value, cluster) for text, cluster in texts if (value := nats(text)) is not None]
    if not surprise:
        return [*figures, Figure(system, ARCHIVE, "forget", "perplexity", "system", None, "no answer has a token")]
    estimate = cluster_bootstrap(*zip(*surprise, strict=True), seed=seed)
    shown = Estimate(
        float(np.exp(estimate.value)),
        None if estimate.low is None else float(np.exp(estimate.low)),
        None if estimate.high is None else float(np.exp(estimate.high)),
        estimate.questions,
        estimate.clusters,
    )
    return [*figures, Figure(system, ARCHIVE, "forget", "perplexity", "system", shown)]


def _apart(system: str, own: Sequence[Told], reference: Sequence[Told], seed: int) -> list[Figure]:
    """How well a classifier tells the system's answers about the forgotten from retrained's."""

    def shown(one: Told) -> Shown:
        answer = one.answer
        return Shown(answer.text if answer else None, {"latency": answer.seconds if answer else None})

    views = apart(
        [shown(one) for one in own],
        [shown(one) for one in reference],
        [one.item.question for one in own],
        [one.item.cluster for one in own],
        seed=seed,
    )
    return [
        Figure(system, ARCHIVE, "forget", f"apart_{view.name}", "system", view.auc, view.reason, versus=RETRAINED)
        for view in views
    ]


def _latency(system: str, own: Sequence[Told]) -> Figure:
    seconds = [one.answer.seconds for one in own if one.answer and one.answer.seconds is not None]
    median = float(np.median(seconds)) if seconds else None
    return Figure(system, ARCHIVE, "all", "latency_median_s", "system", _point(median, len(seconds)), _none(median))


def _point(value: float | None, questions: int) -> Estimate | None:
    return None if value is None else Estimate(value, None, None, questions, questions)


def _none(value: float | None) -> str | None:
    return "nothing was answered" if value is None else None


def _missing(own: Sequence[Told]) -> str | None:
    counts = Counter(one.reason or "unknown" for one in own if one.score is None)
    return ", ".join(f"{count} x {reason}" for reason, count in counts.items()) or None
