"""The figures of every action: forgetting beside a reference, what is kept, fluency, added time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from eval.answers import AnswerStore
from eval.bench.action_rows import PLAIN, Row
from eval.metrics.bootstrap import cluster_bootstrap, paired_difference
from eval.metrics.fluency import distinct_2
from eval.summary import Cell, Scored, gap_cell, score, score_cell
from eval.tasks.questions import Item

FULL = "full"
Splits = Mapping[str, Sequence[Item]]
# The names of the columns; a cell's `split` is one of them.
RECALL, OVER_PLAIN, OVER_SAME = "forget", "- reference, no guard", "- reference, same action"
KEPT = {"retain": "retained - bare", "neighbour": "neighbours - bare", "world": "world - bare"}
DISTINCT, NATS, ADDED, ADDED_CLEAN = "distinct-2", "perplexity", "added ms, forget", "added ms, clean"


def figures(
    draws: Mapping[str, Splits],
    actions: Sequence[str],
    reference: Mapping[str, str],
    store: AnswerStore,
    nats: Callable[[str], float | None],
    *,
    seed: int,
) -> list[Cell]:
    """Return the cells of every action, of no guard, and of the reference, over all `draws` together.

    `reference` names each draw's model that never learned it, where there is one; `nats` gives a text's negative
    log-likelihood a token under the bare model. Intervals are clustered by person.
    """

    def scored(model_of: Callable[[str], str | None], action: str, split: str) -> list[Scored]:
        return [
            score(item, store.get(Row(model, draw, action).name, item.question) if model else None, model or "none")
            for draw, splits in draws.items()
            for item in splits[split]
            for model in (model_of(draw),)
        ]

    def full(draw: str) -> str:
        return FULL

    cells = []
    plain = scored(reference.get, PLAIN, "forget")
    for action in (PLAIN, *actions):
        own = scored(full, action, "forget")
        cells += [
            score_cell(RECALL, action, own, seed),
            gap_cell(OVER_PLAIN, action, own, plain, seed),
            gap_cell(OVER_SAME, action, own, scored(reference.get, action, "forget"), seed),
        ]
        cells += [
            gap_cell(name, action, scored(full, action, split), scored(full, PLAIN, split), seed)
            for split, name in KEPT.items()
        ]
        cells += [_distinct(action, own, seed), _nats(action, own, nats, seed)]
        cells += [
            _added(name, action, split, draws, store, seed)
            for name, split in ((ADDED, "forget"), (ADDED_CLEAN, "retain"))
        ]
    if reference:
        cells += [score_cell(RECALL, "reference", plain, seed), _distinct("reference", plain, seed)]
        cells.append(_nats("reference", plain, nats, seed))
    return cells


def _distinct(action: str, rows: Sequence[Scored], seed: int) -> Cell:
    """Distinct-2 of the answers about each person, whose numbers are alike; the mean over people."""
    said: dict[str, list[str]] = {}
    for row in rows:
        if row.answer.text is not None:
            said.setdefault(row.item.cluster, []).append(row.answer.text)
    shares = {person: share for person, answers in said.items() if (share := distinct_2(answers)) is not None}
    missing = len({row.item.cluster for row in rows}) - len(shares)
    estimate = cluster_bootstrap(list(shares.values()), list(shares), seed=seed) if shares else None
    return Cell(DISTINCT, action, estimate, {"no words": missing} if missing else {})


def _nats(action: str, rows: Sequence[Scored], nats: Callable[[str], float | None], seed: int) -> Cell:
    told = [(row.item.cluster, nats(row.answer.text) if row.answer.text else None) for row in rows]
    kept = [(value, person) for person, value in told if value is not None]
    missing = len(told) - len(kept)
    estimate = cluster_bootstrap(*zip(*kept, strict=True), seed=seed) if kept else None
    return Cell(NATS, action, estimate, {"no words": missing} if missing else {})


def _added(name: str, action: str, split: str, draws: Mapping[str, Splits], store: AnswerStore, seed: int) -> Cell:
    """Milliseconds more than with no guard for the same question asked alone; a longer answer takes longer too."""
    with_guard, without, people, missing = [], [], [], 0
    for draw, splits in draws.items():
        for item in alone(splits[split]):
            mine = store.get(Row(FULL, draw, action).alone, item.question)
            other = store.get(Row(FULL, draw, PLAIN).alone, item.question)
            if mine is None or other is None or mine.seconds is None or other.seconds is None:
                missing += 1
                continue
            with_guard.append(1000 * mine.seconds)
            without.append(1000 * other.seconds)
            people.append(item.cluster)
    estimate = paired_difference(with_guard, without, people, seed=seed) if people else None
    return Cell(name, action, estimate, {"not asked in both": missing} if missing else {})


def alone(items: Sequence[Item]) -> list[Item]:
    """The questions that are asked one at a time as well."""
    return list(items[:20])
