"""Forget quality: whether truth ratios could come from a model that was retrained without the forget set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from scipy import stats


@dataclass(frozen=True)
class ForgetQuality:
    """The two-sample Kolmogorov-Smirnov test: `distance` is D in [0, 1]; the counts are of truth ratios.

    TOFU reports `p_value`. It falls with the number of questions at the same D, so only equal counts compare, and a
    high one is no proof of likeness.
    """

    distance: float
    p_value: float
    unlearned: int
    retrained: int


@dataclass(frozen=True)
class Spread:
    """D between every two retrained models, and its ends: how far apart never having learned already is."""

    distances: tuple[float, ...]
    low: float
    high: float


def forget_quality(unlearned: Sequence[float], retrained: Sequence[float]) -> ForgetQuality:
    """Compare raw truth ratios of the forget set (TOFU, Maini et al. 2024, section 2.2.2).

    R and 1/R give the same test.

    Raises:
        ValueError: a side without truth ratios.
    """
    if not unlearned or not retrained:
        raise ValueError("forget quality needs truth ratios of both models")
    found = stats.ks_2samp(unlearned, retrained)
    return ForgetQuality(float(found.statistic), float(found.pvalue), len(unlearned), len(retrained))


def spread(retrained: Sequence[Sequence[float]]) -> Spread | None:
    """Return D between the truth ratios of every two seeds of the retrained model; None where there is one or none."""
    distances = tuple(forget_quality(one, other).distance for one, other in combinations(retrained, 2))
    return Spread(distances, min(distances), max(distances)) if distances else None
