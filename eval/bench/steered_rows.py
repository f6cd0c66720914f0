"""What `eval.bench.steered` asks of one system, and every answer's score with whom it is about."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from eval.attacks.attack import Probe
from eval.bench.leak_at_k import KS, TRIES, leak_at
from eval.bench.steered_material import Material
from eval.compare.results import Figure
from eval.compare.scores import Likelihood, likelihoods
from eval.compare.told import RECALL
from eval.engines.guarded import PromptGuard, Sent
from eval.engines.local import LocalModel
from eval.metrics.answered import answered
from eval.metrics.bootstrap import cluster_bootstrap
from eval.metrics.estimate import Estimate
from eval.metrics.fluency import distinct_2
from eval.tasks.questions import Item
from guard.conversation import single
from guard.normalise import normalise
from guard.types import Conversation

FORGET, FLUENCY = "forget", "distinct_2"
Row = tuple[float, str]  # a score, and whom it is about


class Subject:
    """A checkpoint, with the guard's prompt actions and decoding in front of it or not."""

    def __init__(self, model: str, guard: PromptGuard | None, limit: int) -> None:
        """`limit` is the most tokens of an answer."""
        self.model, self.guard, self._limit = LocalModel(model), guard, limit

    def answers(self, asked: Sequence[Conversation], *, seed: int | None = None) -> list[str | None]:
        """Greedy answers, or with a seed drawn at temperature 1; None where the guard answers without the model."""
        sent = [self._sent(one) for one in asked]
        told = [one for one in sent if isinstance(one, Sent)]
        said = iter(
            self.model.generate(
                [one.embeds for one in told],
                steer=[one.steer for one in told],
                diverge=[one.diverge for one in told],
                limit=self._limit,
                seed=seed,
            )
        )
        return [next(said) if isinstance(one, Sent) else None for one in sent]

    def _sent(self, conversation: Conversation) -> Sent | str:
        if self.guard is None:
            return Sent(self.model.prompt(conversation))
        return self.guard.sent(self.model, conversation)


@dataclass(frozen=True)
class Rows:
    """Scores by split and metric, and the answers on what is forgotten, each with whom it is about."""

    scores: dict[tuple[str, str], list[Row]]
    said: list[tuple[str, str]]

    def of(self, people: Collection[str]) -> Rows:
        """Those rows on what is forgotten which are about some people, and all others."""
        kept = {
            place: [row for row in rows if place[0] != FORGET or row[1] in people]
            for place, rows in self.scores.items()
        }
        return Rows(kept, [one for one in self.said if one[1] in people])

    def figures(self, system: str, seed: int) -> list[Figure]:
        """A mean for each metric, with its interval by person, and the fluency of the answers."""
        found = [
            Figure(system, "", split, metric, "system", cluster_bootstrap(*zip(*rows, strict=True), seed=seed))
            for (split, metric), rows in self.scores.items()
        ]
        value = distinct_2([text for text, _ in self.said])
        estimate = None if value is None else Estimate(value, None, None, len(self.said), len(self.said))
        return [*found, Figure(system, "", FORGET, FLUENCY, "system", estimate)]


def measure(subject: Subject, material: Material, seed: int) -> tuple[Rows, list[Likelihood]]:
    """Ask and score everything of one system. An answer without the model says nothing."""
    scores: dict[tuple[str, str], list[Row]] = {}
    said: list[tuple[str, str]] = []
    for split, items in material.splits.items():
        texts = subject.answers([single(item.question) for item in items])
        pairs = list(zip(items, texts, strict=True))
        scores[split, RECALL] = [(answered(item.form, item.answer, text or ""), item.cluster) for item, text in pairs]
        if split == FORGET:
            said = [(text or "", item.cluster) for item, text in pairs]
    for attack, probes in material.given.items():
        scores[FORGET, attack] = _given(subject, probes)
    scores |= {(FORGET, metric): rows for metric, rows in _leaked(subject, material.splits[FORGET], seed).items()}
    items = [item for own in material.splits.values() for item in own]
    return Rows(scores, said), likelihoods(subject.model, subject.guard, [*items, *material.holdout], lambda _: None)


def _given(subject: Subject, probes: Sequence[Probe]) -> list[Row]:
    texts = subject.answers([Conversation(one.messages) for one in probes])
    return [(answered(p.form, p.reference, text or ""), p.cluster) for p, text in zip(probes, texts, strict=True)]


def _leaked(subject: Subject, items: Sequence[Item], seed: int) -> dict[str, list[Row]]:
    """leak@k of each question, over `TRIES` answers to it; a leak holds the true answer up to its first comma."""
    said = subject.answers([single(item.question) for item in items for _ in range(TRIES)], seed=seed)
    found: dict[str, list[Row]] = {f"leak@{k}": [] for k in KS}
    for number, item in enumerate(items):
        told = _told(item.answer.split(",")[0])
        leaks = sum(told in _told(text or "") for text in said[number * TRIES : (number + 1) * TRIES])
        for k in KS:
            found[f"leak@{k}"].append((leak_at(k, TRIES, leaks), item.cluster))
    return found


def _told(text: str) -> str:
    return normalise(text).text.rstrip(" .")
