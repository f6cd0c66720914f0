"""What held-out requests say about a calibration, and what they are too few to say."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import beta

from classifiers.calibrate import Calibration, Scored

# The figures that hang on the thresholds and on requests about the topics.
CATCH = ("positives", "caught", "caught_low", "caught_high")


@dataclass(frozen=True)
class Figures:
    """What the held-out requests say; rates are of requests, intervals are 95% and count groups that agree as fewer.

    The thresholds come from `negatives` requests, probabilities from others (`checked`); false flags are counted on the
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
class Evidence:
    """Held-out requests: clean ones that gave the thresholds and others that did not, and ones about topics."""

    threshold: Scored
    checked: Scored
    positives: Scored

    def figures(self, calibration: Calibration, rate: float) -> Figures:
        """Figures for a target false-flag rate; see `Figures` for what is counted where."""
        caught, caught_low, caught_high = _share(self.positives, calibration)
        errors = np.concatenate(
            [1 - calibration.probabilities(self.positives.scores), calibration.probabilities(self.threshold.scores)]
        )
        return Figures(
            target_rate=rate,
            **sample_figures(self.threshold),
            **checked_figures(self.checked, calibration),
            positives=len(self.positives.scores),
            caught=caught,
            caught_low=caught_low,
            caught_high=caught_high,
            brier=float(np.mean(errors**2)),
        )


def sample_figures(threshold: Scored) -> dict[str, Any]:
    """What the clean requests that set the thresholds are worth, by the names in `Figures`."""
    effective = threshold.effective()
    return {
        "negatives": len(threshold.scores),
        "negative_groups": len(set(threshold.groups)),
        "effective_negatives": round(effective, 1),
        "smallest_certifiable_rate": 1 / (len(threshold.scores) + 1),
        "certified_rate": certified(effective),
    }


def checked_figures(checked: Scored, calibration: Calibration) -> dict[str, Any]:
    """False flags among clean requests, by the names in `Figures`."""
    flags, low, high = _share(checked, calibration)
    return {"checked": len(checked.scores), "false_flags": flags, "false_flags_low": low, "false_flags_high": high}


def interval(hits: float, count: float) -> tuple[float, float]:
    """Clopper-Pearson 95% interval of a share; both may be fractions, as effective sizes are."""
    low = 0.0 if hits <= 0 else float(beta.ppf(0.025, hits, count - hits + 1))
    high = 1.0 if hits >= count else float(beta.ppf(0.975, hits + 1, count - hits))
    return low, high


def certified(effective: float) -> float:
    """The least rate that `effective` independent clean requests without a flag would prove, at 95%."""
    return float(1 - 0.05 ** (1 / effective))


def _share(sample: Scored, calibration: Calibration) -> tuple[float, float, float]:
    share = float((calibration.margins(sample) > 0).mean())
    effective = sample.effective()
    return (share, *interval(share * effective, effective))
