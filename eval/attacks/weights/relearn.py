"""Relearning: does a little fine-tuning bring back what it does not teach?

Three kinds of text are tried, all given by the caller as questions with answers: a part of what was forgotten, apart
from what is asked afterwards (Lynch et al. 2024, arXiv:2402.16835; Hu et al. 2024, arXiv:2406.13356); benign text near
to it, such as what is retained (Hu et al. 2024); and unrelated text, such as world facts (Doshi and Stickland 2024,
arXiv:2411.12103). Whatever the same training teaches a model that never learned the facts is no relearning: measure
that model too.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.attacks.weights.reading import Pair, encoder
from eval.tasks.questions import Item
from eval.unlearn.checkpoint import load
from eval.unlearn.recipe import Recipe
from eval.unlearn.rows import Row
from eval.unlearn.streams import Schedule, Streams
from eval.unlearn.trainer import train
from guard.errors import ConfigError

_TAUGHT = "taught"


@dataclass(frozen=True)
class Relearned:
    """A model in memory, ready to be asked; `losses` are in nats a token, by time.

    `eval.unlearn.checkpoint.save` makes a folder of it that can be served.
    """

    model: Any
    tokenizer: Any
    losses: tuple[float, ...]


def apart(items: Sequence[Item], share: float, *, seed: int) -> tuple[list[Item], list[Item]]:
    """Split items by cluster: about `share` of the clusters to relearn on, the others to ask about.

    Raises:
        ConfigError: there are fewer than two clusters.
    """
    names = sorted({item.cluster for item in items})
    if len(names) < 2:
        raise ConfigError("relearning on a part of the forget set needs at least two clusters in it; give more items")
    count = min(max(1, round(share * len(names))), len(names) - 1)
    chosen = set(random.Random(seed).sample(names, count))
    return [item for item in items if item.cluster in chosen], [item for item in items if item.cluster not in chosen]


def relearn(
    checkpoint: str,
    pairs: Sequence[Pair],
    *,
    steps: int = 50,
    batch: int = 16,
    learning_rate: float = 1e-4,
    seed: int = 0,
) -> Relearned:
    """Fine-tune the checkpoint (folder or hub id, which stays as it is) on the answers of `pairs`.

    AdamW over all weights, with a warm-up of a tenth of the steps and linear decay; every pair is seen equally often,
    but for a rest drawn with `seed`. The default rate suits the embedded models; TOFU trains 7B ones at 1e-5.

    Raises:
        ConfigError: there are no pairs, one has no answer, or the model has no chat template or fast tokenizer.
        EngineError: the checkpoint cannot be loaded.
        UnlearnError: the loss is no number; lower the learning rate.
    """
    if not pairs:
        raise ConfigError("relearning needs questions with answers to train on")
    model, tokenizer = load(checkpoint)
    code = encoder(model, tokenizer)
    rows = _drawn([code.pair(question, answer) for question, answer in pairs], steps * batch, seed)
    streams = Streams({_TAUGHT: [(row,) for row in rows]})
    recipe = Recipe(learning_rate=learning_rate, epochs=1, batch=batch, micro=batch, weight_decay=0, warmup_epochs=0.1)
    with tempfile.TemporaryDirectory() as state:
        log = train(
            model,
            lambda step: {_TAUGHT: step.scores(_TAUGHT).nll},
            Schedule(streams, epochs=1, micro=batch, padding=code.padding, seed=seed),
            recipe,
            state=Path(state),
            seed=seed,
            bf16=False,
            reference=None,
            callbacks=[],
            tick=lambda done, of: None,
        )
    return Relearned(model.eval(), tokenizer, tuple(record["loss"] for record in log))


def _drawn(rows: Sequence[Row], count: int, seed: int) -> list[Row]:
    """`count` rows, each as often as the others or once more."""
    whole, rest = divmod(count, len(rows))
    return [*rows] * whole + random.Random(seed).sample(rows, rest)
