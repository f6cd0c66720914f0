"""A picture of what calibration found: catch against false flags, and whether probabilities mean what they say."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from classifiers.calibrate import Calibration
from classifiers.evidence import Evidence

PICTURE = "calibration.png"
_BINS = 10


def draw(evidence: Evidence, calibration: Calibration, path: Path) -> None:
    """Write a PNG of the receiver operating curve and the reliability diagram; no names in it."""
    with matplotlib.rc_context({"font.size": 9}):
        figure = Figure(figsize=(8, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        _curve(left, evidence, calibration)
        _reliability(right, evidence, calibration)
        figure.savefig(path, dpi=110)


def _curve(axes: Axes, evidence: Evidence, calibration: Calibration) -> None:
    clean, alive = calibration.margins(evidence.checked), calibration.margins(evidence.positives)
    cuts = np.unique(np.concatenate([clean, alive]))[::-1]
    flags = [(clean > cut).mean() for cut in cuts]
    caught = [(alive > cut).mean() for cut in cuts]
    axes.plot(flags, caught, drawstyle="steps-post", color="tab:blue")
    axes.plot((clean > 0).mean(), (alive > 0).mean(), "o", color="tab:red")
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="clean requests flagged", ylabel="topic requests caught")
    axes.set_xscale("symlog", linthresh=1e-3)
    axes.set_title(f"{len(alive)} topic, {len(clean)} clean requests; dot: threshold")


def _reliability(axes: Axes, evidence: Evidence, calibration: Calibration) -> None:
    scores = np.concatenate([evidence.positives.scores, evidence.threshold.scores])
    truth = np.repeat([1.0, 0.0], [len(evidence.positives.scores), len(evidence.threshold.scores)])
    said = calibration.probabilities(scores)
    bins = np.minimum((said * _BINS).astype(int), _BINS - 1)
    seen = [number for number in range(_BINS) if (bins == number).any()]
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    axes.plot([said[bins == number].mean() for number in seen], [truth[bins == number].mean() for number in seen], "o-")
    for number in seen:
        axes.annotate(str((bins == number).sum()), (said[bins == number].mean(), truth[bins == number].mean()))
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.05), xlabel="probability said", ylabel="share about the topic")
    axes.set_title("reliability (numbers: requests)")
