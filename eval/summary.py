"""From answers to figures: one cell for each split and system, gaps between systems, rates, traffic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eval.answers import Answer
from eval.detection import Flag
from eval.metrics.bootstrap import cluster_bootstrap, paired_difference
from eval.metrics.estimate import Estimate
from eval.metrics.rates import clustered_rate
from eval.metrics.rouge import rouge_l_recall
from eval.tasks.questions import Item

# Both gaps start from the guarded endpoint: how far from never having learned, and what the guard changed.
GAPS = (("guarded", "retrained"), ("guarded", "bare"))


@dataclass(frozen=True)
class Scored:
    """One question put to one system, with ROUGE-L recall in [0, 1]; None is unscored, for `reason`."""

    item: Item
    answer: Answer
    score: float | None
    reason: str | None


@dataclass(frozen=True)
class Cell:
    """A figure, or None with the count of each reason why questions are missing from it."""

    split: str
    name: str
    estimate: Estimate | None
    unscored: dict[str, int]


@dataclass(frozen=True)
class Traffic:
    """What asking one system took; latencies in seconds over answered questions, None when none was."""

    system: str
    questions: int
    requests: int
    unanswered: int
    cut_off: int
    seconds: float
    median_latency: float | None
    p95_latency: float | None


@dataclass(frozen=True)
class Summary:
    """Everything that the report shows; `scores` are ROUGE-L recalls, `gaps` differences of them."""

    scores: list[Cell]
    gaps: list[Cell]
    rates: list[Cell]
    traffic: list[Traffic]
    detection_missing: str | None

    def find(self, cells: str, split: str, name: str) -> Cell | None:
        """Return the cell of `split` and `name` among `cells` ("scores", "gaps" or "rates")."""
        found: list[Cell] = getattr(self, cells)
        return next((cell for cell in found if (cell.split, cell.name) == (split, name)), None)


def score(item: Item, answer: Answer | None, system: str) -> Scored:
    """Score one answer; whatever could not be asked or scored keeps its reason."""
    if answer is None:
        answer = Answer(system, item.question, None, None, 0, reason="not asked")
    if answer.text is None:
        return Scored(item, answer, None, answer.reason)
    try:
        return Scored(item, answer, rouge_l_recall(item.answer, answer.text), None)
    except ValueError as error:
        return Scored(item, answer, None, f"no score: {error}")


def summarise(
    scored: Mapping[str, Sequence[Scored]],
    splits: Mapping[str, Sequence[Item]],
    flags: Mapping[str, Flag] | str,
    asking_seconds: Mapping[str, float],
    *,
    seed: int,
) -> Summary:
    """Return all figures; `flags` is a sentence instead when detection was not measured."""
    cells, gaps = [], []
    for split in splits:
        rows = {system: [row for row in every if row.item.split == split] for system, every in scored.items()}
        cells += [score_cell(split, system, rows[system], seed) for system in rows]
        gaps += [gap_cell(split, gap_name(a, b), rows[a], rows[b], seed) for a, b in GAPS if a in rows and b in rows]
    rates = [] if isinstance(flags, str) else [_rate_cell(split, items, flags) for split, items in splits.items()]
    traffic = [_traffic(system, every, asking_seconds.get(system, 0.0)) for system, every in scored.items()]
    return Summary(cells, gaps, rates, traffic, flags if isinstance(flags, str) else None)


def gap_name(left: str, right: str) -> str:
    """Return how a gap is called in tables and files."""
    return f"{left} - {right}"


def score_cell(split: str, system: str, rows: Sequence[Scored], seed: int) -> Cell:
    """Return the mean score of `rows`, clustered as their items are."""
    kept = [(row.score, row.item.cluster) for row in rows if row.score is not None]
    unscored = Counter(row.reason or "unknown" for row in rows if row.score is None)
    estimate = cluster_bootstrap(*zip(*kept, strict=True), seed=seed) if kept else None
    return Cell(split, system, estimate, dict(unscored))


def gap_cell(split: str, name: str, ours: Sequence[Scored], theirs: Sequence[Scored], seed: int) -> Cell:
    """Return the mean of ours - theirs over the questions scored in both, paired in their order."""
    a, b, clusters = [], [], []
    missing = 0
    for mine, other in zip(ours, theirs, strict=True):
        if mine.score is None or other.score is None:
            missing += 1
            continue
        a.append(mine.score)
        b.append(other.score)
        clusters.append(mine.item.cluster)
    estimate = paired_difference(a, b, clusters, seed=seed) if a else None
    return Cell(split, name, estimate, {"not scored in both": missing} if missing else {})


def _rate_cell(split: str, items: Sequence[Item], flags: Mapping[str, Flag]) -> Cell:
    outcomes = [(flags[item.question], item.cluster) for item in items]
    kept = [(flag.flagged, cluster) for flag, cluster in outcomes if flag.flagged is not None]
    unscored = Counter(flag.reason or "unknown" for flag, _ in outcomes if flag.flagged is None)
    estimate = clustered_rate(*zip(*kept, strict=True)) if kept else None
    return Cell(split, "flagged", estimate, dict(unscored))


def _traffic(system: str, rows: Sequence[Scored], seconds: float) -> Traffic:
    answers = list({row.answer.question: row.answer for row in rows}.values())
    latencies = [answer.seconds for answer in answers if answer.seconds is not None]
    return Traffic(
        system=system,
        questions=len(answers),
        requests=sum(answer.attempts for answer in answers),
        unanswered=sum(answer.text is None for answer in answers),
        cut_off=sum(answer.finish_reason == "length" for answer in answers),
        seconds=seconds,
        median_latency=float(np.median(latencies)) if latencies else None,
        p95_latency=float(np.quantile(latencies, 0.95)) if latencies else None,
    )
