"""The fits of a policy: one that serves, and others that know nothing of what they score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from classifiers.encoder import Floats
from classifiers.features import Features, Spelling, joined, spelling_counts, unit_words
from classifiers.head import Head, fit_head
from classifiers.index import Known
from classifiers.nearness import Nearness
from classifiers.training import CLEAN, FOLDS, Request, Training

if TYPE_CHECKING:
    from classifiers.tuned import Tuned

_MANY_TOPICS = 50


@dataclass(frozen=True)
class Fitted:
    """What serves, and the worst log-odds (requests x topics) of held-out requests."""

    spelling: Spelling
    head: Head
    asked: list[Request]
    worst: Floats
    tuned: Tuned | None = None


def fit_heads(
    training: Training,
    texts: Sequence[str],
    vectors: Floats,
    examples: Sequence[Known],
    topics: int,
    *,
    secret: bytes,
    expecting: Callable[[int], Callable[[int], None]] | None = None,
) -> Fitted:
    """Fit the head on everything, and once without each fold, to score it (cross-conformal: Vovk 2015).

    Of many topics, whose heads take longer than all else, only the first fold is scored. `vectors` (texts x width) are
    of `texts`; `examples` are the neighbours that serve, all among `texts`. `expecting` is told how many heads will be
    fitted, and gives what to tell of them.
    """
    spelt = spelling_counts(texts, secret=secret)
    row = {text: number for number, text in enumerate(texts)}

    def nearness(fold: int, words: sp.csr_matrix) -> Nearness:
        held = training.held(fold)
        kept = [example for example in examples if example.window not in held]
        rows = [row[example.window] for example in kept]
        return Nearness(vectors[rows], words[rows], [example.label for example in kept], topics)

    def fit(fold: int) -> tuple[Spelling, Head, Callable[[list[str]], Floats]]:
        # Rarity is learnt from fitted texts alone; the held-out ones must stay as new to the head as a caller's.
        samples = training.without(fold)
        rows = [row[sample.text] for sample in samples]
        spelling = Spelling.fit(spelt, rows, secret=secret)
        features = joined(vectors, spelling.weighed(spelt))
        head = fit_head(features.take(rows), [sample.label for sample in samples], topics)
        return spelling, head, scores(head, features, unit_words(features.sparse), fold)

    def scores(head: Head, features: Features, words: sp.csr_matrix, fold: int) -> Callable[[list[str]], Floats]:
        near = nearness(fold, words)

        def score(found: list[str]) -> Floats:
            rows = [row[text] for text in found]
            return head.logits(features.take(rows)) + near.logits(vectors[rows], words[rows])

        return score

    asked: list[Request] = []
    worst: list[Floats] = []
    folds = sorted({r.fold for r in training.requests if r.fold < (FOLDS if topics <= _MANY_TOPICS else 1)})
    done = expecting(len(folds) + 1) if expecting else lambda _: None
    for fold in folds:
        held = [request for request in training.requests if request.fold == fold]
        asked += held
        worst.append(_worst(held, fit(fold)[2]))
        done(1)
    # Nothing is in a fold of this number.
    spelling, head, _ = fit(FOLDS)
    done(1)
    return Fitted(spelling, head, asked, np.concatenate(worst))


def fit_tuned(
    training: Training,
    fitted: Fitted,
    encoder: Path,
    *,
    expecting: Callable[[int], Callable[[int], None]],
) -> Fitted:
    """Train a sequence classifier without the first fold, measure it, then go on with the topics' part of that fold.

    Training once for every fold would take too long. So the fold's clean texts are never learnt, and what serves is
    calibrated on them; the catch is that of the classifier before it went on, on the scale that it came to. `expecting`
    is told how many texts a round reads, and gives what to tell of them.
    """
    # Imported when needed: torch takes seconds, which the head does without.
    from classifiers.tuned import EPOCHS, Tuned

    known = training.without(0)
    clean = {sample.text for sample in known if sample.label == CLEAN}
    everything = [s for s in training.samples if s.label != CLEAN or s.text in clean]
    tuned = Tuned.new(encoder, fitted.head.topics)
    advance = expecting(int(EPOCHS * len(known)) + len(everything))
    tuned.train([s.text for s in known], [s.label for s in known], progress=advance)
    held = [request for request in training.requests if request.fold == 0]
    about = [request for request in held if request.topic != CLEAN]
    others = [request for request in held if request.topic == CLEAN]
    measured, before = _worst(about, tuned.logits), _worst(others, tuned.logits)
    tuned.train([s.text for s in everything], [s.label for s in everything], epochs=1.0, progress=advance)
    after = _worst(others, tuned.logits)
    worst = np.concatenate([_rescaled(measured, before, after), after])
    return Fitted(fitted.spelling, fitted.head, [*about, *others], worst, tuned)


def _rescaled(scores: Floats, before: Floats, after: Floats) -> Floats:
    """Scores of an earlier state of a classifier on the scale of a later one, by where clean requests stand in both.

    Training further makes scores more extreme, so that the later threshold says nothing of the earlier scores.
    """
    low, high = np.sort(before.max(axis=1)), np.sort(after.max(axis=1))
    beyond = np.clip(scores - low[-1], 0, None)
    return np.asarray(np.interp(scores, low, high) + beyond, dtype=np.float32)


def _worst(asked: Sequence[Request], logits: Callable[[list[str]], Floats]) -> Floats:
    """The highest log-odds of each request's windows (requests x topics)."""
    texts = list(dict.fromkeys(window for request in asked for window in request.windows))
    row = {text: number for number, text in enumerate(texts)}
    found = logits(texts)
    return np.stack([found[[row[window] for window in request.windows]].max(axis=0) for request in asked])
