"""The table of actions, and its picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from math import exp

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from eval.bench.action_figures import ADDED, ADDED_CLEAN, DISTINCT, KEPT, NATS, OVER_PLAIN, OVER_SAME, RECALL
from eval.report import figure_text
from eval.summary import Cell

_SIGNED = {OVER_PLAIN, OVER_SAME, *KEPT.values()}
_TABLES = {
    "Forgetting, and what is kept (ROUGE-L recall)": (RECALL, OVER_PLAIN, OVER_SAME, *KEPT.values()),
    "Fluency of the answers about the forgotten, and time": (DISTINCT, NATS, ADDED, ADDED_CLEAN),
}


def show(cells: Sequence[Cell], scope: str, console: Console) -> None:
    """Print the cells of one scope (a draw, or all): a row an action; intervals are 95%, by person."""
    for title, columns in _TABLES.items():
        table = Table(title=f"{title}; {scope}", title_justify="left")
        table.add_column("action")
        for column in columns:
            table.add_column(column, justify="right")
        for name in dict.fromkeys(cell.name for cell in cells):
            own = {cell.split: cell for cell in cells if cell.name == name}
            table.add_row(name, *(_text(own.get(column), column) for column in columns))
        console.print(table)


def draw(cells: Sequence[Cell], scope: str) -> bytes:
    """Return a PNG: recall of the forgotten beside the reference's, what is lost on the retained, perplexity."""
    names = list(dict.fromkeys(cell.name for cell in cells))[::-1]
    panels = {RECALL: "recall, forgotten people", KEPT["retain"]: "retained - bare", NATS: "perplexity of answers"}
    figure = Figure(figsize=(11.0, 0.35 * len(names) + 1.6), layout="constrained")
    FigureCanvasAgg(figure)
    shared = None
    for place, (split, title) in enumerate(panels.items(), 1):
        axes = shared = figure.add_subplot(1, len(panels), place, sharey=shared)
        for height, name in enumerate(names):
            cell = next((c for c in cells if (c.split, c.name) == (split, name)), None)
            if cell is None or cell.estimate is None:
                continue
            shown = _perplexity(cell) if split == NATS else cell
            assert shown.estimate is not None, "a perplexity of a figure is a figure"
            value, low, high = shown.estimate.value, shown.estimate.low, shown.estimate.high
            span = None if low is None or high is None else [[value - low], [high - value]]
            axes.errorbar(value, height, xerr=span, fmt="o", capsize=3, color="C1" if name == "reference" else "C0")
        axes.set_yticks(range(len(names)), names)
        axes.set_xlabel(title)
        axes.tick_params(labelleft=place == 1)
        if split == NATS:
            axes.set_xscale("log")
        else:
            axes.locator_params(axis="x", nbins=5)
        axes.grid(axis="x", alpha=0.3)
    figure.suptitle(f"{scope}, with 95% intervals by person")
    sink = BytesIO()
    figure.savefig(sink, format="png", dpi=110)
    return sink.getvalue()


def _text(cell: Cell | None, column: str) -> str:
    if cell is None:
        return ""
    if column == NATS:
        return figure_text(_perplexity(cell), "{:.3g}")
    if column in (ADDED, ADDED_CLEAN):
        return figure_text(cell, "{:+.0f}")
    return figure_text(cell, "{:+.3f}" if column in _SIGNED else "{:.3f}")


def _perplexity(cell: Cell) -> Cell:
    """The cell's nats a token as a perplexity (a geometric mean over answers)."""
    if cell.estimate is None:
        return cell
    low, high = cell.estimate.low, cell.estimate.high
    told = replace(
        cell.estimate,
        value=exp(cell.estimate.value),
        low=None if low is None else exp(low),
        high=None if high is None else exp(high),
    )
    return replace(cell, estimate=told)
