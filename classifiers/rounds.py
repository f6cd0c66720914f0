"""The two fits of a policy: one that serves, and one that knows no held-out text and is measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from classifiers.encoder import Floats
from classifiers.features import Features
from classifiers.head import Head, fit_head
from classifiers.training import Training

if TYPE_CHECKING:
    from classifiers.tuned import Tuned


@dataclass(frozen=True)
class Fitted:
    """What serves, and the log-odds (texts x topics) of every text by what serves and by what is measured."""

    head: Head
    serving: Floats
    measured: Floats
    tuned: Tuned | None = None


def fit_heads(training: Training, texts: Sequence[str], features: Features, topics: int) -> Fitted:
    """Fit the head with and without what is held out."""
    row = {text: number for number, text in enumerate(texts)}

    def head_of(with_held: bool) -> Head:
        samples = [sample for sample in training.samples if with_held or not sample.held]
        return fit_head(features.take([row[s.text] for s in samples]), [s.label for s in samples], topics)

    serving = head_of(True)
    return Fitted(serving, serving.logits(features), head_of(False).logits(features))


def fit_tuned(
    training: Training,
    texts: Sequence[str],
    head: Head,
    encoder: Path,
    *,
    expecting: Callable[[int], Callable[[int], None]],
) -> Fitted:
    """Train a sequence classifier without what is held out, measure it, then go on with everything.

    `expecting` is told how many texts a round reads, and gives what to tell of them.
    """
    # Imported when needed: torch takes seconds, which the head does without.
    from classifiers.tuned import EPOCHS, Tuned

    known = [sample for sample in training.samples if not sample.held]
    tuned = Tuned.new(encoder, len(head.bias))
    advance = expecting(int(EPOCHS * len(known)) + len(training.samples))
    tuned.train([s.text for s in known], [s.label for s in known], progress=advance)
    measured = tuned.logits(texts)
    everything = training.samples
    tuned.train([s.text for s in everything], [s.label for s in everything], epochs=1.0, progress=advance)
    return Fitted(head, tuned.logits(texts), measured, tuned)
