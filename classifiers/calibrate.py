"""From log-odds to probabilities, and the threshold that a target false-flag rate asks for."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import beta
from sklearn.linear_model import LogisticRegression

from classifiers.encoder import Floats
from guard.errors import ConfigError


@dataclass(frozen=True)
class Calibration:
    """probability = sigmoid(slope * logit + offset); a request is flagged when a logit exceeds `threshold`.

    `quantiles` are 101 evenly spaced quantiles of the clean requests' scores that the threshold came from.
    """

    slope: float
    offset: float
    threshold: float
    quantiles: Sequence[float] = ()

    def probabilities(self, logits: Floats) -> npt.NDArray[np.float64]:
        """Probabilities that the topic is alive, in the shape of `logits`."""
        return np.asarray(1 / (1 + np.exp(-np.clip(self.slope * logits + self.offset, -60, 60))), dtype=np.float64)


@dataclass(frozen=True)
class Figures:
    """What the held-out requests say; rates are of requests, intervals are 95% and count groups that agree as fewer.

    The threshold comes from `negatives` requests, probabilities from others (`checked`); false flags are counted on the
    latter, catch, Brier score and reliability on what gave neither.
    """

    target_rate: float
    negatives: int
    negative_groups: int
    effective_negatives: float
    smallest_certifiable_rate: float
    certified_rate: float
    checked: int
    false_flags: float
    false_flags_low: float
    false_flags_high: float
    positives: int
    caught: float
    caught_low: float
    caught_high: float
    brier: float

    def as_dict(self) -> dict[str, float | int]:
        """For the manifest."""
        return asdict(self)


@dataclass(frozen=True)
class Scored:
    """Log-odds of requests, and the group of each; what shares a group may well agree."""

    scores: Floats
    groups: tuple[str, ...]

    def effective(self) -> float:
        """How many independent requests these are worth.

        Kish's design effect 1 + (m - 1) rho, with rho the scores' intra-class correlation (ANOVA estimator) and m
        the size of the group that a request is in, on average (Korn and Graubard 1998). Scores, not flags, give
        rho: without a flag there would be nothing to estimate it from.
        """
        _, index = np.unique(np.asarray(self.groups), return_inverse=True)
        sizes = np.bincount(index).astype(np.float64)
        n, k = len(self.scores), len(sizes)
        if k < 2 or n == k:
            return float(k)
        means = np.bincount(index, weights=self.scores) / sizes
        between = float((sizes * (means - self.scores.mean()) ** 2).sum()) / (k - 1)
        within = float(((self.scores - means[index]) ** 2).sum()) / (n - k)
        typical = (n - float((sizes**2).sum()) / n) / (k - 1)
        total = between + (typical - 1) * within
        rho = min(1.0, max(0.0, (between - within) / total)) if total > 0 else 1.0
        return n / (1 + (float((sizes**2).sum()) / n - 1) * rho)


def part_groups(groups: Sequence[str], shares: Sequence[float], seed: int) -> npt.NDArray[np.int_]:
    """The part of each item: 1, 2, ... for the shares in order, 0 for the rest.

    Groups are whole. A part takes groups until it holds its share of the items, and at least one while part 0 keeps
    one too.
    """
    sizes = Counter(groups)
    names = sorted(sizes)
    random.Random(seed).shuffle(names)
    part: dict[str, int] = {}
    for number, share in enumerate(shares, 1):
        count = 0
        while len(names) > 1 and (count == 0 or count + sizes[names[-1]] / 2 < share * len(groups)):
            name = names.pop()
            part[name] = number
            count += sizes[name]
    return np.array([part.get(group, 0) for group in groups], dtype=np.int_)


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
            f"set false_flag_rate to {1 / (n + 1):.4f} or more, or give more clean ones"
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


def interval(hits: float, count: float) -> tuple[float, float]:
    """Clopper-Pearson 95% interval of a share; both may be fractions, as effective sizes are."""
    low = 0.0 if hits <= 0 else float(beta.ppf(0.025, hits, count - hits + 1))
    high = 1.0 if hits >= count else float(beta.ppf(0.975, hits + 1, count - hits))
    return low, high


def certified(effective: float) -> float:
    """The least rate that `effective` independent clean requests without a flag would prove, at 95%."""
    return float(1 - 0.05 ** (1 / effective))


@dataclass(frozen=True)
class Evidence:
    """Held-out requests: clean ones that gave the threshold and others that did not, and ones about topics."""

    threshold: Scored
    checked: Scored
    positives: Scored

    def figures(self, calibration: Calibration, rate: float) -> Figures:
        """Figures for a target false-flag rate; see `Figures` for what is counted where."""
        caught, caught_low, caught_high = _share(self.positives, calibration.threshold)
        errors = np.concatenate(
            [1 - calibration.probabilities(self.positives.scores), calibration.probabilities(self.threshold.scores)]
        )
        return Figures(
            target_rate=rate,
            **sample_figures(self.threshold),
            **checked_figures(self.checked, calibration.threshold),
            positives=len(self.positives.scores),
            caught=caught,
            caught_low=caught_low,
            caught_high=caught_high,
            brier=float(np.mean(errors**2)),
        )


def sample_figures(threshold: Scored) -> dict[str, Any]:
    """What the clean requests that set a threshold are worth, by the names in `Figures`."""
    effective = threshold.effective()
    return {
        "negatives": len(threshold.scores),
        "negative_groups": len(set(threshold.groups)),
        "effective_negatives": round(effective, 1),
        "smallest_certifiable_rate": 1 / (len(threshold.scores) + 1),
        "certified_rate": certified(effective),
    }


def checked_figures(checked: Scored, threshold: float) -> dict[str, Any]:
    """False flags among clean requests, by the names in `Figures`."""
    flags, low, high = _share(checked, threshold)
    return {"checked": len(checked.scores), "false_flags": flags, "false_flags_low": low, "false_flags_high": high}


def score_quantiles(scores: Floats) -> tuple[float, ...]:
    """101 evenly spaced quantiles, rounded: enough to see a drift by."""
    return tuple(round(float(value), 4) for value in np.quantile(scores, np.linspace(0, 1, 101)))


def _share(sample: Scored, threshold: float) -> tuple[float, float, float]:
    share = float((sample.scores > threshold).mean())
    effective = sample.effective()
    return (share, *interval(share * effective, effective))
