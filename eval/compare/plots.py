"""The pictures of a comparison: how far from retrained each system is, against what that costs, as SVG."""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import StringIO
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import LogLocator, NullLocator
from matplotlib.transforms import Bbox

from eval.compare.cells import scored
from eval.compare.results import RETRAINED, Results, Subject
from eval.compare.tables import ordered
from eval.metrics.estimate import Estimate

# Stand for the page's own colours of text and ground, light or dark; `svg` puts those in.
_INK, _PAPER = "#010203", "#fdfcfb"
_LOOKS = {"bare": ("C7", "s"), "retrained": ("C7", "D"), "guard": ("C0", "o"), "weights": ("C1", "^")}
_STYLE: Any = {
    "svg.fonttype": "none",
    "font.size": 8,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "text.color": _INK,
}
_TICKS: Any = {"xtick.color": _INK, "ytick.color": _INK, "font.family": "sans-serif"}
_GAPS = (0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.2, 0.5, 1)
_AROUND = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
_STEPS = (6, 14, 24, 36, 50, 66, 84, 104)


@dataclass(frozen=True)
class Axis:
    """What stands on the horizontal axis: a metric on a split, or, without a metric, the seconds of making it."""

    label: str
    metric: str = ""
    split: str | None = None
    log: bool = False

    def of(self, results: Results, subject: Subject) -> Estimate | None:
        if not self.metric:
            seconds = subject.cost.get("seconds")
            return None if seconds is None else Estimate(seconds, None, None, 0, 0)
        return scored(results, subject.name, self.metric, split=self.split)


AXES = (
    Axis("recall on neighbour (95% interval)", "rouge_l_recall", "neighbour"),
    Axis("model utility", "model_utility"),
    Axis("median seconds an answer", "latency_median_s", log=True),
    Axis("seconds of making it", log=True),
)


@dataclass(frozen=True)
class Point:
    """One system; the intervals are ends, or the value twice where there is none."""

    name: str
    kind: str
    x: tuple[float, float, float]
    y: tuple[float, float, float]


def points(results: Results, axis: Axis) -> tuple[list[Point], list[str]]:
    """The systems that have both figures, and the names of those left out; retrained is the line at 0."""
    found, left_out = [], []
    for subject in ordered(results):
        x = axis.of(results, subject)
        gap = scored(results, subject.name, "rouge_l_recall", split="forget", versus=RETRAINED)
        if x is not None and gap is not None and (x.value > 0 or not axis.log):
            found.append(Point(subject.name, subject.kind, _ends(x), away_from_0(gap)))
        elif subject.name != RETRAINED:
            left_out.append(subject.name)
    return found, left_out


def away_from_0(gap: Estimate) -> tuple[float, float, float]:
    """|gap| with the ends of its interval, which begins at 0 where the gap's holds 0: (value, low, high)."""
    value, low, high = _ends(gap)
    least = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
    return abs(value), least, max(abs(low), abs(high))


def draw(found: list[Point], axis: Axis) -> Figure:
    """|gap to retrained| against `axis`, every point with its name."""
    with matplotlib.rc_context({**_STYLE, **_TICKS}):
        figure = Figure(figsize=(9.0, 5.4), layout="constrained")
        figure.patch.set_alpha(0)
        # matplotlib types neither drawing nor the renderer.
        canvas: Any = FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        axes.patch.set_alpha(0)
        for kind, (colour, mark) in _LOOKS.items():
            own = [point for point in found if point.kind == kind]
            for point in own:
                across, up = ([[v - low], [high - v]] for v, low, high in (point.x, point.y))
                axes.errorbar(
                    *(point.x[0], point.y[0]),
                    xerr=across,
                    yerr=up,
                    fmt=mark,
                    color=colour,
                    markersize=5,
                    elinewidth=0.6,
                )
            if own:
                axes.plot([], [], mark, color=colour, label=kind)
        _scales(axes, axis)
        axes.axhline(0, color=_INK, linewidth=0.8, linestyle=":")
        axes.set_xlabel(axis.label)
        axes.set_ylabel("|gap to retrained| in forget recall (95% interval)")
        axes.grid(alpha=0.25)
        axes.margins(x=0.12)
        figure.legend(loc="outside upper center", ncols=len(_LOOKS), frameon=False)
        canvas.draw()
        _name(axes, canvas, found)
        return figure


def _scales(axes: Axes, axis: Axis) -> None:
    """Most systems are near retrained: the vertical axis gives half of its room to the first tenth."""
    axes.set_yscale("symlog", linthresh=0.1, linscale=1.2)
    axes.set_yticks(_GAPS, [f"{gap:g}" for gap in _GAPS])
    axes.set_ylim(-0.02, 1.3)
    axes.minorticks_off()
    if axis.log:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_locator(NullLocator())


def svg(figure: Figure, name: str) -> str:
    """An SVG element for a page; `name` keeps its ids apart from other pictures'."""
    sink = StringIO()
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure.savefig(sink, format="svg", metadata={"Date": None})
    text = sink.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    return text.replace(_INK, "currentColor").replace(_PAPER, "var(--paper)")


def _name(axes: Axes, canvas: Any, found: list[Point]) -> None:
    """Write every name where it covers no point and no other name, as near to its point as that allows."""
    renderer = canvas.get_renderer()
    frame = axes.get_window_extent(renderer)
    centres = [axes.transData.transform((point.x[0], point.y[0])) for point in found]
    taken = [Bbox.from_bounds(x - 4, y - 4, 8, 8) for x, y in centres]
    # What is crowded is placed first, while there is room.
    crowd = [sum(abs(x - u) < 60 and abs(y - v) < 40 for u, v in centres) for x, y in centres]
    scale = canvas.figure.dpi / 72
    for place in sorted(range(len(found)), key=lambda i: -crowd[i]):
        text = axes.annotate(
            found[place].name,
            (found[place].x[0], found[place].y[0]),
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=6.5,
            parse_math=False,
            ha="center",
            va="center",
            bbox={"boxstyle": "square,pad=0.05", "facecolor": _PAPER, "edgecolor": "none", "alpha": 0.75},
            arrowprops={"arrowstyle": "-", "color": _INK, "linewidth": 0.3, "alpha": 0.5, "shrinkA": 0, "shrinkB": 3},
        )
        size = Text.get_window_extent(text, renderer)  # an annotation's own would count its arrow in
        x, y = centres[place]
        best: tuple[float, Bbox] | None = None
        for step in _STEPS:
            for right, up in _AROUND:
                at = x + right * (step * scale + size.width / 2), y + up * (step * scale + size.height / 2)
                box = Bbox.from_bounds(at[0] - size.width / 2, at[1] - size.height / 2, size.width, size.height)
                covered = sum(_shared(box, other) for other in taken) + size.width * size.height - _shared(box, frame)
                if best is None or covered < best[0] - 1e-6:
                    best = covered, box
            if best is not None and best[0] < 1:
                break
        assert best is not None, "there are steps"
        box = best[1]
        taken.append(box)
        text.set_position(((box.x0 + box.x1) / 2 / scale - x / scale, (box.y0 + box.y1) / 2 / scale - y / scale))


def _shared(one: Bbox, other: Bbox) -> float:
    both = Bbox.intersection(one, other)
    return 0.0 if both is None else float(both.width * both.height)


def _ends(estimate: Estimate) -> tuple[float, float, float]:
    value = estimate.value
    if estimate.low is None or estimate.high is None:
        return value, value, value
    return value, estimate.low, estimate.high
