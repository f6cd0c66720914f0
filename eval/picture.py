"""The picture of a run: ROUGE-L recall of each split and system, with intervals."""

from __future__ import annotations

from io import BytesIO

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from eval.summary import Summary


def draw(summary: Summary) -> bytes:
    """Return a PNG; unscored cells are left out of it."""
    systems = list(dict.fromkeys(cell.name for cell in summary.scores))
    splits = list(dict.fromkeys(cell.split for cell in summary.scores))
    figure = Figure(figsize=(7.0, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for place, system in enumerate(systems):
        offset = (place - (len(systems) - 1) / 2) * 0.22
        for position, split in enumerate(splits):
            cell = summary.find("scores", split, system)
            if cell is None or cell.estimate is None:
                continue
            value, low, high = cell.estimate.value, cell.estimate.low, cell.estimate.high
            span = None if low is None or high is None else [[value - low], [high - value]]
            axes.errorbar(position + offset, value, yerr=span, fmt="o", capsize=3, color=f"C{place}")
        axes.plot([], [], "o", color=f"C{place}", label=system)
    axes.set_xticks(range(len(splits)), splits)
    axes.set_ylim(-0.02, 1.05)
    axes.set_ylabel("ROUGE-L recall (95% interval)")
    axes.grid(axis="y", alpha=0.3)
    figure.legend(loc="outside upper center", ncols=len(systems), frameon=False)
    sink = BytesIO()
    figure.savefig(sink, format="png", dpi=120)
    return sink.getvalue()
