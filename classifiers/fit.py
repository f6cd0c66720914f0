"""Fits a policy's classifier and writes it as a verified artifact."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from classifiers.artifact import Artifact, load_artifact, policy_digest, save_artifact
from classifiers.calibrate import Calibration, Figures, fit_probability, measure, strictest_threshold
from classifiers.detector import PROBE
from classifiers.encoder import PACKAGED, Encoder, Floats
from classifiers.features import Features, Spelling, featurise
from classifiers.head import Head, fit_head
from classifiers.index import index_examples
from classifiers.training import Training, build_training
from guard.paths import state_dir
from guard.policy import Policy

Progressed = Callable[[int, int], None]


@dataclass(frozen=True)
class FitReport:
    """Where the artifact lies and what its calibration says."""

    out: Path
    topics: int
    texts: int
    seconds: float
    figures: Figures


def fit_policy(
    policy: Policy, *, secret: bytes, out: Path, encoder: str = PACKAGED, progress: Progressed | None = None
) -> FitReport:
    """Fit, calibrate and write the artifact folder `out`; `progress` is told (texts read, of how many).

    Raises:
        ConfigError: example files, encoder or target rate cannot be used.
        ArtifactError: `out` cannot be written.
    """
    started = time.monotonic()
    key = policy_digest(policy, secret=secret, encoder=encoder)
    training = build_training(policy)
    texts = training.texts()
    model = Encoder(encoder)
    # Rarity is learnt from fitted texts alone; the held-out ones must stay as new to the model as a caller's.
    spelling = Spelling.fit([sample.text for sample in training.samples], secret=secret)
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, len(texts))

    features = featurise(model, spelling, texts, progress=advance)
    head, calibration, figures = _fit(training, texts, features, policy)
    artifact = Artifact(
        topics=tuple(topic.name for topic in policy.topics),
        encoder=encoder,
        form=model.form,
        probe=model.encode([PROBE])[0],
        spelling=spelling,
        head=head,
        neighbours=index_examples(policy, dict(zip(texts, features.vectors, strict=True))),
        calibration=calibration,
        figures=figures.as_dict(),
    )
    save_artifact(artifact, out, policy_key=key, secret=secret)
    return FitReport(out, len(policy.topics), len(texts), time.monotonic() - started, figures)


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


def fit_with_bar(policy: Policy, *, secret: bytes, out: Path, encoder: str = PACKAGED) -> FitReport:
    """`fit_policy`, with a progress bar on standard error."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("fitting the topic classifier", total=None)
        return fit_policy(
            policy,
            secret=secret,
            out=out,
            encoder=encoder,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )


def _fit(training: Training, texts: list[str], features: Features, policy: Policy) -> tuple[Head, Calibration, Figures]:
    row = {text: number for number, text in enumerate(texts)}
    topics = len(policy.topics)

    def head_of(with_held: bool) -> Head:
        samples = [sample for sample in training.samples if with_held or not sample.held]
        return fit_head(features.take([row[s.text] for s in samples]), [s.label for s in samples], topics)

    def worst(head: Head) -> Floats:
        logits = head.logits(features).max(axis=1)
        return np.array([max(logits[row[text]] for text in request) for request in training.clean], dtype=np.float32)

    serving, measured = head_of(True), head_of(False)
    logits = measured.logits(features)
    alive = np.array(
        [max(logits[row[w], topic] for w in request) for topic, request in training.alive], dtype=np.float32
    )
    clean = worst(serving)
    slope, offset = fit_probability(alive, worst(measured))
    calibration = Calibration(slope, offset, strictest_threshold(clean, training.sorts, policy.false_flag_rate))
    return serving, calibration, measure(calibration, alive, clean, policy.false_flag_rate)
