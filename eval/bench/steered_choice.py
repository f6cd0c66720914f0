"""How far each action of `eval.bench.steered` leaves a system from retrained, and its table."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence

from rich.table import Table

from eval.bench.steered_material import GIVEN, Material
from eval.bench.steered_rows import FLUENCY, FORGET
from eval.compare.results import BARE, Figure
from eval.compare.scores import Likelihood
from eval.compare.told import RECALL
from eval.metrics.estimate import Estimate

CHOOSE, REPORT = "choosing", "reporting"
_KEPT = {
    "utility": ("all", "model_utility"),
    "retain": ("retain", RECALL),
    "neighb.": ("neighbour", RECALL),
    "world": ("world", RECALL),
}
# What is shown of the forgotten, by its column.
_SHOWN = {
    "recall": RECALL,
    **{name: name for name in (*GIVEN, "leak@1", "leak@16")},
    "prob.": "probability",
    "truth r.": "truth_ratio",
    "D": "forget_quality_D",
    "ES": "extraction_strength",
    "Min-K": "mia_min_k",
    "dist.-2": FLUENCY,
}
# No distance by the mean of truth ratios, which does not grow with what is known, nor by fluency.
_FORGOTTEN = tuple(metric for metric in _SHOWN.values() if metric not in ("truth_ratio", FLUENCY))


def halves(material: Material, seed: int) -> dict[str, set[str]]:
    """The forgotten people in two halves: one to choose an action by, one to report it on."""
    people = sorted({item.cluster for item in material.splits[FORGET]})
    random.Random(seed).shuffle(people)
    middle = len(people) // 2
    return {CHOOSE: set(people[:middle]), REPORT: set(people[middle:])}


def of_people(likely: Mapping[str, Sequence[Likelihood]], people: Collection[str]) -> dict[str, list[Likelihood]]:
    """Those likelihoods on what is forgotten which are about some people, and all others."""
    return {name: [one for one in own if one.split != FORGET or one.cluster in people] for name, own in likely.items()}


def distances(figures: Sequence[Figure], models: Sequence[str], actions: Sequence[str]) -> dict[str, float]:
    """How far an action leaves the forgotten outside the range of the retrained seeds, as a share of the way from there
    to bare: 0 within it, 1 as far as bare; the mean of all figures that set bare apart.

    `models` are bare and the seeds.
    """
    value = {(f.system, f.metric): f.estimate.value for f in figures if f.split == FORGET and f.estimate}
    seeds = [name for name in models if name != BARE]
    told = [metric for metric in _FORGOTTEN if all((name, metric) in value for name in models)]

    def beyond(metric: str, system: str) -> float:
        range_ = [value[name, metric] for name in seeds]
        return max(0.0, value[system, metric] - max(range_), min(range_) - value[system, metric])

    apart = [metric for metric in told if beyond(metric, BARE) > 0]
    return {name: sum(beyond(metric, name) / beyond(metric, BARE) for metric in apart) / len(apart) for name in actions}


def table(title: str, names: Sequence[str], figures: Sequence[Figure], far: Mapping[str, float]) -> Table:
    """A row a system, with 95% intervals by person."""
    made = Table(title=f"{title} (below: 95% interval, by person)", title_justify="left")
    places = {title: (FORGET, metric) for title, metric in _SHOWN.items()} | _KEPT
    for column in ("system", "distance", *places):
        made.add_column(column, no_wrap=True)
    for name in names:
        own = {(f.split, f.metric): f.estimate for f in figures if f.system == name}
        distance = f"{far[name]:.3f}" if name in far else "-"
        made.add_row(name, distance, *(_cell(own.get(place)) for place in places.values()))
    return made


def _cell(estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    span = "" if estimate.low is None else f"\n{estimate.low:.2f} {estimate.high:.2f}"
    return f"{estimate.value:.3f}{span}"
