"""Fits a policy's classifier and writes it as a verified artifact."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from classifiers.artifact import Artifact, load_artifact, policy_digest, save_artifact
from classifiers.calibrate import (
    Calibration,
    Evidence,
    Figures,
    Scored,
    fit_probability,
    score_quantiles,
    strictest_threshold,
)
from classifiers.data import Example
from classifiers.detector import PROBE
from classifiers.encoder import PACKAGED, Encoder, Floats
from classifiers.features import Spelling, featurise
from classifiers.gather import PROBABILITY, THRESHOLD, Gathered, gather
from classifiers.index import index_examples, nearest_of_all
from classifiers.picture import PICTURE, draw
from classifiers.remember import Remembering
from classifiers.rounds import Fitted, fit_heads, fit_tuned
from classifiers.training import Training, base_texts, build_training
from guard.paths import state_dir
from guard.policy import Policy

Progressed = Callable[[int, int], None]
_SEED = 0
_NEIGHBOURS = 3


@dataclass(frozen=True)
class FitReport:
    """Where the artifact lies and what its calibration says."""

    out: Path
    topics: int
    texts: int
    seconds: float
    figures: Figures


def fit_policy(
    policy: Policy,
    *,
    secret: bytes,
    out: Path,
    encoder: str = PACKAGED,
    asked: Mapping[str, Sequence[str]] | None = None,
    tune: bool = False,
    progress: Progressed | None = None,
) -> FitReport:
    """Fit, calibrate and write the artifact folder `out`; `progress` is told (texts read, of how many so far known).

    `asked` holds questions about topics, by name, that a model wrote. With `tune` the encoder itself is trained
    further, as a sequence classifier, and scores in place of the head.

    Raises:
        ConfigError: example files, encoder or target rate cannot be used.
        ArtifactError: `out` cannot be written.
    """
    started = time.monotonic()
    key = policy_digest(policy, secret=secret, encoder=encoder)
    rng = random.Random(_SEED)
    gathered = gather(policy, asked or {}, rng)
    counter = _Counter(progress)
    model = Remembering(Encoder(encoder))
    near = _neighbours(gathered, model, counter)
    training = build_training(gathered, near, rng)
    texts = training.texts()
    # Rarity is learnt from fitted texts alone; the held-out ones must stay as new to the model as a caller's.
    spelling = Spelling.fit([sample.text for sample in training.samples], secret=secret)
    features = featurise(model, spelling, texts, progress=counter.expecting(model.unknown(texts)))
    fitted = fit_heads(training, texts, features, len(policy.topics))
    if tune:
        fitted = fit_tuned(training, texts, fitted.head, model.folder(), expecting=counter.expecting)
    calibration, evidence = _calibrate(training, texts, fitted, policy)
    figures = evidence.figures(calibration, policy.false_flag_rate)
    artifact = Artifact(
        topics=tuple(topic.name for topic in policy.topics),
        encoder=encoder,
        form=model.form,
        probe=model.encode([PROBE])[0],
        spelling=spelling,
        head=fitted.head,
        tuned=fitted.tuned,
        neighbours=index_examples(policy, model.known),
        calibration=calibration,
        figures=figures.as_dict(),
    )
    save_artifact(artifact, out, policy_key=key, secret=secret)
    draw(evidence, calibration, out / PICTURE)
    return FitReport(out, len(policy.topics), len(texts), time.monotonic() - started, figures)


class _Counter:
    """Adds up the texts that two rounds encode, for one progress bar."""

    def __init__(self, progress: Progressed | None) -> None:
        self._progress = progress
        self._done = self._total = 0

    def expecting(self, count: int) -> Callable[[int], None]:
        """What to tell of a round of `count` texts more."""
        self._total += count
        return self._advance

    def _advance(self, count: int) -> None:
        self._done += count
        if self._progress is not None:
            self._progress(self._done, self._total)


def _neighbours(gathered: Gathered, model: Remembering, counter: _Counter) -> list[Example]:
    clean = [*gathered.retained, *gathered.general]
    known = base_texts(clean)
    asked = base_texts([example for topic in gathered.topics for example in (*topic.own, *topic.extra)])
    advance = counter.expecting(model.unknown([*known, *asked]))
    rows = nearest_of_all(model.encode(asked, progress=advance), model.encode(known, progress=advance), _NEIGHBOURS)
    return [clean[row] for row in rows]


def ensure_artifact(policy: Policy, *, secret: bytes, out: Path | None = None) -> Path:
    """Return the artifact of this very policy and its example files, fitted first where there is none yet.

    Without `out` it lies in the state folder, under the policy's digest.

    Raises:
        ConfigError: the policy's files cannot be used.
        ArtifactError: what lies there is damaged or was fitted for something else.
    """
    folder = out or default_folder(policy, secret=secret)
    if folder.exists():
        load_artifact(folder, policy=policy, secret=secret)
        return folder
    fit_with_bar(policy, secret=secret, out=folder)
    return folder


def default_folder(policy: Policy, *, secret: bytes) -> Path:
    """Where the artifact of this very policy lies when no folder is named."""
    return state_dir() / "artifacts" / policy_digest(policy, secret=secret, encoder=PACKAGED)[:32]


def fit_with_bar(
    policy: Policy,
    *,
    secret: bytes,
    out: Path,
    encoder: str = PACKAGED,
    asked: Mapping[str, Sequence[str]] | None = None,
    tune: bool = False,
) -> FitReport:
    """`fit_policy`, with a progress bar on standard error."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("fitting the topic classifier", total=None)
        return fit_policy(
            policy,
            secret=secret,
            out=out,
            encoder=encoder,
            asked=asked,
            tune=tune,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )


def _calibrate(
    training: Training, texts: Sequence[str], fitted: Fitted, policy: Policy
) -> tuple[Calibration, Evidence]:
    row = {text: number for number, text in enumerate(texts)}

    def clean(logits: Floats, part: int) -> Scored:
        requests, worst = training.clean[part], logits.max(axis=1)
        scores = [max(worst[row[text]] for text in request.windows) for request in requests]
        return Scored(np.array(scores, dtype=np.float32), tuple(request.group for request in requests))

    def alive(logits: Floats, part: int) -> Scored:
        # A topic of two facts cannot fill both parts; then both take all there is.
        found = [one for one in training.alive if one.part == part] or training.alive
        scores = [max(logits[row[w], one.topic] for w in one.windows) for one in found]
        return Scored(np.array(scores, dtype=np.float32), tuple(one.group for one in found))

    logits, measured = fitted.serving, fitted.measured
    slope, offset = fit_probability(alive(measured, PROBABILITY).scores, clean(measured, PROBABILITY).scores)
    threshold = clean(logits, THRESHOLD)
    sorts = [request.sort for request in training.clean[THRESHOLD]]
    calibration = Calibration(
        slope,
        offset,
        strictest_threshold(threshold.scores, sorts, policy.false_flag_rate),
        quantiles=score_quantiles(threshold.scores),
    )
    return calibration, Evidence(threshold, clean(logits, PROBABILITY), alive(measured, THRESHOLD))
