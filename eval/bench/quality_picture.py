"""The picture of a classifier's quality: what is flagged of every kind of request, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Protocol

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from eval.metrics.estimate import Estimate


class Flagged(Protocol):
    """A kind of request, whether it is the topic's, and the share flagged."""

    @property
    def case(self) -> str: ...
    @property
    def about(self) -> bool: ...
    @property
    def flagged(self) -> Estimate: ...


def draw(rows: Sequence[Flagged], title: str) -> bytes:
    """Return a PNG: caught on the left, flagged wrongly on the right."""
    figure = Figure(figsize=(11.0, 7.5), layout="constrained")
    FigureCanvasAgg(figure)
    for place, (about, name) in enumerate(((True, "caught"), (False, "flagged wrongly"))):
        axes = figure.add_subplot(1, 2, place + 1)
        shown = [row for row in rows if row.about == about][::-1]
        for height, row in enumerate(shown):
            value, low, high = row.flagged.value, row.flagged.low, row.flagged.high
            span = None if low is None or high is None else [[value - low], [high - value]]
            axes.errorbar(value, height, xerr=span, fmt="o", capsize=3, color="C2" if about else "C3")
        axes.set_yticks(range(len(shown)), [row.case for row in shown])
        axes.set_xlim(-0.02, 1.02)
        axes.set_xlabel(f"share {name} (95% interval)")
        axes.grid(axis="x", alpha=0.3)
    figure.suptitle(title)
    sink = BytesIO()
    figure.savefig(sink, format="png", dpi=100)
    return sink.getvalue()
