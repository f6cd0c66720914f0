"""Fits a policy's classifier and writes it as a verified artifact."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.progress import TaskID

from classifiers.artifact import Artifact, check_out, load_artifact, policy_digest, save_artifact
from classifiers.calibrate import Calibration, Scored, fit_probability, size_quantiles, size_thresholds
from classifiers.data import Example
from classifiers.detector import PROBE
from classifiers.encoder import PACKAGED, Encoder
from classifiers.evidence import Evidence, Figures
from classifiers.features import unit_words
from classifiers.gather import Gathered, gather
from classifiers.index import index_examples, known_examples, nearest_of_all
from classifiers.picture import PICTURE, draw
from classifiers.progress import Bars
from classifiers.remember import Remembering
from classifiers.rounds import Fitted, fit_heads, fit_tuned
from classifiers.training import CLEAN, PROBABILITY, THRESHOLD, base_texts, build_training
from guard.paths import state_dir
from guard.policy import Policy

Progressed = Callable[[str, int, int], None]
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
    """Fit, calibrate and write the artifact folder `out`; `progress` is told (stage, steps done in it, of how many),
    of 0 where they are not counted.

    `asked` holds questions about topics, by name, that a model wrote. With `tune` the encoder itself is trained
    further, as a sequence classifier, and scores in place of the head.

    Raises:
        ConfigError: example files, encoder or target rate cannot be used.
        ArtifactError: `out` cannot be written.
    """
    started = time.monotonic()
    check_out(out)
    key = policy_digest(policy, secret=secret, encoder=encoder)
    rng = random.Random(_SEED)
    gathered = gather(policy, asked or {}, rng)
    counter = _Counter(progress)
    counter.stage("reading examples")
    model = Remembering(Encoder(encoder))
    near = _neighbours(gathered, model, counter)
    training = build_training(gathered, near, rng, policy.false_flag_rate)
    texts = training.texts()
    counter.stage("reading their variants")
    vectors = model.encode(texts, progress=counter.expecting(model.unknown(texts)))
    examples = known_examples(policy, set(texts))
    counter.stage("training")
    fitted = fit_heads(
        training, texts, vectors, examples, len(policy.topics), secret=secret, expecting=counter.expecting
    )
    if tune:
        counter.stage("tuning the encoder")
        fitted = fit_tuned(training, fitted, model.folder(), expecting=counter.expecting)
    counter.stage("calibrating and writing")
    calibration, evidence = _calibrate(fitted, policy.false_flag_rate)
    figures = evidence.figures(calibration, policy.false_flag_rate)
    artifact = Artifact(
        topics=tuple(topic.name for topic in policy.topics),
        encoder=encoder,
        form=model.form,
        probe=model.encode([PROBE])[0],
        spelling=fitted.spelling,
        head=fitted.head,
        tuned=fitted.tuned,
        neighbours=index_examples(examples, model.known),
        words=unit_words(fitted.spelling.transform([example.window for example in examples])),
        calibration=calibration,
        figures=figures.as_dict(),
    )
    save_artifact(artifact, out, policy_key=key, secret=secret)
    draw(evidence, calibration, out / PICTURE)
    return FitReport(out, len(policy.topics), len(texts), time.monotonic() - started, figures)


class _Counter:
    """Counts the steps of one stage after another."""

    def __init__(self, progress: Progressed | None) -> None:
        self._progress = progress
        self._stage = ""
        self._done = self._total = 0

    def stage(self, name: str) -> None:
        """What is done from here on."""
        self._stage = name
        self._done = self._total = 0
        self._advance(0)

    def expecting(self, count: int) -> Callable[[int], None]:
        """What to tell of the stage's `count` steps."""
        self._total = count
        return self._advance

    def _advance(self, count: int) -> None:
        self._done += count
        if self._progress is not None:
            self._progress(self._stage, self._done, self._total)


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


def default_folder(policy: Policy, *, secret: bytes, encoder: str = PACKAGED) -> Path:
    """Where the artifact of this very policy lies when no folder is named."""
    return state_dir() / "artifacts" / policy_digest(policy, secret=secret, encoder=encoder)[:32]


def fit_with_bar(
    policy: Policy,
    *,
    secret: bytes,
    out: Path,
    encoder: str = PACKAGED,
    asked: Mapping[str, Sequence[str]] | None = None,
    tune: bool = False,
) -> FitReport:
    """`fit_policy`, with a progress bar for each stage on standard error."""
    with stage_bars() as told:
        return fit_policy(policy, secret=secret, out=out, encoder=encoder, asked=asked, tune=tune, progress=told)


@contextmanager
def stage_bars() -> Iterator[Progressed]:
    """What `fit_policy` may tell its progress to: a bar for each stage on standard error."""
    with Bars() as bars:
        tasks: dict[str, TaskID] = {}

        def told(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                if tasks:
                    bars.stop_task(bars.task_ids[-1])
                tasks[stage] = bars.add_task(f"classifier, {stage}", total=None)
            bars.update(tasks[stage], completed=done, total=total or None)

        yield told


def _calibrate(fitted: Fitted, rate: float) -> tuple[Calibration, Evidence]:
    def chosen(clean: bool, part: int) -> list[int]:
        own = [i for i, one in enumerate(fitted.asked) if (one.topic == CLEAN) == clean]
        # A topic of two facts cannot fill both parts; then both take all there is.
        return [i for i in own if fitted.asked[i].part == part] or own

    def scored(rows: list[int]) -> Scored:
        asked, worst = [fitted.asked[i] for i in rows], fitted.worst[rows]
        scores = [row.max() if one.topic == CLEAN else row[one.topic] for one, row in zip(asked, worst, strict=True)]
        windows = np.array([len(one.windows) for one in asked])
        return Scored(np.array(scores, dtype=np.float32), windows, tuple(one.group for one in asked))

    def drawn(rows: list[int]) -> Scored:
        return scored([i for i in rows if fitted.asked[i].drawn])

    sample, others = chosen(True, THRESHOLD), chosen(True, PROBABILITY)
    slope, offset = fit_probability(scored(chosen(False, PROBABILITY)).scores, drawn(others).scores)
    sorts = [fitted.asked[i].sort for i in sample]
    thresholds = size_thresholds(scored(sample), sorts, rate)
    calibration = Calibration(slope, offset, thresholds, size_quantiles(scored(sample)))
    return calibration, Evidence(drawn(sample), drawn(others), scored(chosen(False, THRESHOLD)))
