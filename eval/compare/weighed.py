"""What whoever holds a checkpoint finds in it: relearning, quantisation, the logit lens, probes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eval.attacks.weights.lens import answer_probabilities
from eval.attacks.weights.probe import probe
from eval.attacks.weights.quantise import quantised
from eval.attacks.weights.reading import Pair
from eval.attacks.weights.relearn import apart, relearn
from eval.compare.results import Figure
from eval.compare.told import ARCHIVE
from eval.metrics.bootstrap import cluster_bootstrap
from eval.metrics.estimate import Estimate
from eval.tasks.questions import Item
from eval.unlearn.checkpoint import load
from guard.errors import LetheError

STEPS = 50
SHARE = 0.5  # of the forgotten people, whose answers are taught again; the others are asked about


@dataclass(frozen=True)
class Material:
    """What the attacker has, and what is asked: `forget` is split by person into taught and asked.

    `known` and `gone` are all questions about retained and forgotten people, for the probe.
    """

    forget: Sequence[Item]
    retain: Sequence[Item]
    world: Sequence[Item]
    known: Sequence[Item]
    gone: Sequence[Item]


def weigh(system: str, checkpoint: str, material: Material, seed: int) -> list[Figure]:
    """Every figure of a checkpoint that needs its weights: probabilities of true answers about the forgotten, AUCs."""
    taught, asked = apart(material.forget, SHARE, seed=seed)
    model, tokenizer = load(checkpoint)
    whole = answer_probabilities(model, tokenizer, _pairs(asked))
    found = [_figure(system, "unlearned", whole[-1], asked, seed)]
    found += [_figure(system, "lens", row, asked, seed, split=f"layer {layer}") for layer, row in enumerate(whole, 1)]
    for bits in (8, 4):
        rounded = answer_probabilities(quantised(model, bits), tokenizer, _pairs(asked))
        found.append(_figure(system, f"quantised_{bits}", rounded[-1], asked, seed))
    found += _probed(system, model, tokenizer, material, seed)
    for name, items in {"forget": taught, "retain": material.retain, "world": material.world}.items():
        found.append(_relearned(system, name, checkpoint, _pairs(items)[: len(taught)], asked, seed))
    return found


def _pairs(items: Sequence[Item]) -> list[Pair]:
    return [(item.question, item.answer) for item in items]


def _figure(
    system: str, metric: str, values: npt.NDArray[np.float64], asked: Sequence[Item], seed: int, split: str = "forget"
) -> Figure:
    estimate = cluster_bootstrap(values.tolist(), [item.cluster for item in asked], seed=seed)
    return Figure(system, ARCHIVE, split, metric, "weights", estimate)


def _relearned(
    system: str, what: str, checkpoint: str, pairs: Sequence[Pair], asked: Sequence[Item], seed: int
) -> Figure:
    metric = f"relearn_{what}"
    try:
        again = relearn(checkpoint, pairs, steps=STEPS, seed=seed)
    except LetheError as error:
        return Figure(system, ARCHIVE, "forget", metric, "weights", None, str(error))
    values = answer_probabilities(again.model, again.tokenizer, _pairs(asked))[-1]
    return _figure(system, metric, values, asked, seed)


def _probed(system: str, model: Any, tokenizer: Any, material: Material, seed: int) -> list[Figure]:
    try:
        found: Sequence[Estimate | None] = probe(model, tokenizer, material.known, material.gone, seed=seed)
        reason = None
    except LetheError as error:
        found, reason = [None], str(error)
    return [
        Figure(system, ARCHIVE, f"layer {layer}", "probe", "weights", one, reason) for layer, one in enumerate(found, 1)
    ]
