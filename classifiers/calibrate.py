"""From log-odds to probabilities, and the threshold that a target false-flag rate asks for."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import beta
from sklearn.linear_model import LogisticRegression

from classifiers.encoder import Floats
from guard.errors import ConfigError


@dataclass(frozen=True)
class Calibration:
    """probability = sigmoid(slope * logit + offset); a request is flagged when a logit exceeds `threshold`."""

    slope: float
    offset: float
    threshold: float

    def probabilities(self, logits: Floats) -> npt.NDArray[np.float64]:
        """Probabilities that the topic is alive, in the shape of `logits`."""
        return np.asarray(1 / (1 + np.exp(-np.clip(self.slope * logits + self.offset, -60, 60))), dtype=np.float64)


@dataclass(frozen=True)
class Figures:
    """What the held-out sample says. Rates are of requests; the interval is 95% (Clopper-Pearson)."""

    negatives: int
    target_rate: float
    false_flags: float
    false_flags_low: float
    false_flags_high: float
    smallest_certifiable_rate: float
    positives: int
    caught: float
    caught_low: float
    caught_high: float
    brier: float

    def as_dict(self) -> dict[str, float | int]:
        """For the manifest."""
        return asdict(self)


def split_groups(groups: Sequence[str], share: float, seed: int) -> npt.NDArray[np.bool_]:
    """True for the held-out items: whole groups, drawn until they hold `share` of the items."""
    names = sorted(set(groups))
    random.Random(seed).shuffle(names)
    sizes = dict.fromkeys(names, 0)
    for group in groups:
        sizes[group] += 1
    held: set[str] = set()
    count = 0
    for name in names:
        if count >= share * len(groups):
            break
        held.add(name)
        count += sizes[name]
    return np.array([group in held for group in groups], dtype=bool)


def conformal_threshold(scores: Floats, rate: float) -> float:
    """The split-conformal quantile: a new clean request scores above it with probability at most `rate`.

    Vovk et al. 2005, with `scores` one maximum per held-out clean request, exchangeable with what is to come.

    Raises:
        ConfigError: the sample is too small to certify `rate`.
    """
    n = len(scores)
    rank = math.ceil((n + 1) * (1 - rate))
    if rank > n:
        raise ConfigError(
            f"{n} held-out clean questions cannot certify a false-flag rate of {rate:g}; "
            f"set false_flag_rate to {1 / (n + 1):.4f} or more, or add questions to `retain`"
        )
    return float(np.sort(scores)[rank - 1])


def strictest_threshold(scores: Floats, sorts: Sequence[str], rate: float) -> float:
    """The highest of the thresholds for all requests together and for each sort that is large enough to certify `rate`.

    Retained questions share every word but the names with forgotten ones: pooled with easy ones they would be flagged
    far more often than `rate`.
    """
    found = [conformal_threshold(scores, rate)]
    for sort in sorted(set(sorts)):
        own = scores[[item == sort for item in sorts]]
        if len(own) + 1 >= 1 / rate:
            found.append(conformal_threshold(own, rate))
    return max(found)


def fit_probability(positives: Floats, negatives: Floats) -> tuple[float, float]:
    """Platt scaling (Platt 1999) on held-out log-odds: (slope, offset)."""
    scores = np.concatenate([positives, negatives])[:, None]
    labels = np.concatenate([np.ones(len(positives)), np.zeros(len(negatives))])
    model = LogisticRegression(C=1.0).fit(scores, labels)
    # A slope that is not positive would turn the order of topics around; it comes from samples without signal only.
    return max(float(model.coef_[0, 0]), 1e-3), float(model.intercept_[0])


def interval(hits: int, count: int) -> tuple[float, float]:
    """Clopper-Pearson 95% interval of a share."""
    low = 0.0 if hits == 0 else float(beta.ppf(0.025, hits, count - hits + 1))
    high = 1.0 if hits == count else float(beta.ppf(0.975, hits + 1, count - hits))
    return low, high


def measure(calibration: Calibration, positives: Floats, negatives: Floats, rate: float) -> Figures:
    """Figures on held-out requests; for negatives the threshold's own sample, so they check it, not prove it."""
    flags, hits = int((negatives > calibration.threshold).sum()), int((positives > calibration.threshold).sum())
    low, high = interval(flags, len(negatives))
    caught_low, caught_high = interval(hits, len(positives))
    errors = np.concatenate([1 - calibration.probabilities(positives), calibration.probabilities(negatives)])
    return Figures(
        negatives=len(negatives),
        target_rate=rate,
        false_flags=flags / len(negatives),
        false_flags_low=low,
        false_flags_high=high,
        smallest_certifiable_rate=1 / (len(negatives) + 1),
        positives=len(positives),
        caught=hits / len(positives),
        caught_low=caught_low,
        caught_high=caught_high,
        brier=float(np.mean(errors**2)),
    )
