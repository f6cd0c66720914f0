"""An artifact beside its operator's own traffic: has it drifted, and which threshold would the traffic ask for?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from classifiers.artifact import Artifact, fitted_for, load_artifact, save_artifact
from classifiers.calibrate import (
    Scored,
    checked_figures,
    conformal_threshold,
    interval,
    sample_figures,
    score_quantiles,
)
from classifiers.detector import score
from classifiers.encoder import Encoder, Floats
from classifiers.windows import request_windows
from guard.errors import ArtifactError, ConfigError
from guard.policy import Policy
from guard.types import Conversation

_BINS = 10
_SHIFT = 0.25
_KOLMOGOROV_1_PERCENT = 1.63


@dataclass(frozen=True)
class Prompt:
    """A request of the log; `flag` is the operator's own word on it, where there is one."""

    conversation: Conversation
    flag: bool | None = None


@dataclass(frozen=True)
class Drift:
    """A log's scores beside those of the clean calibration sample.

    `distance` is the two-sample Kolmogorov-Smirnov statistic and `critical` its 1% bound; `stability` is the
    population stability index over the sample's deciles, of which 0.25 is the customary alarm.
    """

    prompts: int
    flagged: int
    target_rate: float
    distance: float
    critical: float
    stability: float
    rows: tuple[tuple[str, float, float], ...]

    @property
    def advised(self) -> bool:
        """Whether the threshold should be set anew."""
        moved = self.distance > self.critical and self.stability > _SHIFT
        return moved or interval(self.flagged, self.prompts)[0] > self.target_rate


def drift(folder: Path, prompts: Sequence[Prompt], *, policy: Policy | None, secret: bytes) -> Drift:
    """Compare a log with the sample that the artifact's threshold came from.

    Raises:
        ArtifactError: the artifact cannot be used.
        ConfigError: the log holds no prompt.
    """
    artifact = load_artifact(folder, policy=policy, secret=secret)
    scores = _scores(artifact, prompts)
    calibration, size = artifact.calibration, int(artifact.figures["negatives"])
    reference = np.asarray(calibration.quantiles, dtype=np.float64)
    if not len(reference):
        raise ArtifactError(f"the artifact {folder} keeps no scores to compare with; run `lethe fit` again")
    levels = np.linspace(0, 1, len(reference))
    ordered = np.sort(scores)
    expected = np.interp(ordered, reference, levels)
    steps = np.arange(len(ordered) + 1) / len(ordered)
    distance = float(max((steps[1:] - expected).max(), (expected - steps[:-1]).max()))
    bins = np.searchsorted(reference[10:-1:10], scores)
    share = (np.bincount(bins, minlength=_BINS) + 0.5) / (len(scores) + 0.5 * _BINS)
    return Drift(
        prompts=len(scores),
        flagged=int((scores > calibration.threshold).sum()),
        target_rate=float(artifact.figures["target_rate"]),
        distance=distance,
        critical=_KOLMOGOROV_1_PERCENT * math.sqrt((size + len(scores)) / (size * len(scores))),
        stability=float(((share - 1 / _BINS) * np.log(share * _BINS)).sum()),
        rows=tuple(
            (f"{level:.0%}", float(np.interp(level, levels, reference)), float(np.quantile(scores, level)))
            for level in (0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
        ),
    )


def recalibrate(folder: Path, prompts: Sequence[Prompt], *, policy: Policy | None, secret: bytes) -> Artifact:
    """Set the threshold on clean traffic and write the artifact again; returns it.

    Prompts without a label count as clean, unless so many are flagged now that this cannot be.

    Raises:
        ArtifactError: the artifact cannot be used or written.
        ConfigError: the log is empty, too small for the target rate, or holds too much that is flagged.
    """
    artifact = load_artifact(folder, policy=policy, secret=secret)
    clean = [prompt for prompt in prompts if not prompt.flag]
    if prompts and not clean:
        raise ConfigError("every prompt of the log is labelled as the topic's; the threshold needs clean ones")
    scores, rate = _scores(artifact, clean), float(artifact.figures["target_rate"])
    guessed = scores[[prompt.flag is None for prompt in clean]]
    now = int((guessed > artifact.calibration.threshold).sum())
    if now and interval(now, len(guessed))[0] > rate:
        raise ConfigError(
            f"{now} of {len(guessed)} prompts without a label are flagged now, too many to be clean; give the "
            'log as JSON lines and label them with "flag": true (the topic) or false'
        )
    sample = Scored(scores, tuple("\n".join(request_windows(prompt.conversation)) for prompt in clean))
    calibration = replace(
        artifact.calibration, threshold=conformal_threshold(scores, rate), quantiles=score_quantiles(scores)
    )
    fresh = replace(
        artifact,
        calibration=calibration,
        figures={**artifact.figures, **sample_figures(sample), **checked_figures(sample, calibration.threshold)},
    )
    save_artifact(fresh, folder, policy_key=fitted_for(folder, secret=secret), secret=secret)
    return fresh


def _scores(artifact: Artifact, prompts: Sequence[Prompt]) -> Floats:
    """The highest log-odds of each prompt, over topics and windows."""
    asked = [request_windows(prompt.conversation) for prompt in prompts]
    texts = list(dict.fromkeys(window for request in asked for window in request))
    if not texts:
        raise ConfigError("the log holds no prompt; give one a line")
    found = score(artifact, Encoder(artifact.encoder, form=artifact.form), texts).max(axis=1)
    worst = dict(zip(texts, found, strict=True))
    least = min(worst.values())
    scores = [max((worst[text] for text in request), default=least) for request in asked]
    return np.array(scores, dtype=np.float32)
