"""What an A/B test shows: tables, the verdict, a picture of how each difference became known."""

from __future__ import annotations

from io import BytesIO

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from eval.ab.figures import Result
from eval.ab.words import verdict
from eval.report import figure_text


def show(result: Result, console: Console) -> None:
    """Print the tables and the verdict."""
    console.print(_recall(result))
    console.print(_recorded(result))
    for sentence in verdict(result):
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)


def _recall(result: Result) -> Table:
    table = Table(title="ROUGE-L recall [95% interval]", title_justify="left")
    table.add_column("split")
    for arm, keys in result.keys.items():
        table.add_column(f"{arm}\n{keys} keys", justify="right", no_wrap=True)
    for split in dict.fromkeys(cell.split for cell in result.cells):
        cells = [cell for cell in result.cells if cell.split == split]
        table.add_row(split, *(figure_text(cell, "{:.3f}") for cell in cells))
    return table


def _recorded(result: Result) -> Table:
    table = Table(title="What the server recorded, of all callers", title_justify="left")
    for number, column in enumerate(("arm", "requests", "not 200", "median ms", "95th ms", "median characters")):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    for row in result.recorded:
        figures = (row.median_ms, row.p95_ms, row.median_characters)
        shown = ["-" if figure is None else f"{figure:.0f}" for figure in figures]
        table.add_row(row.arm + (" (shadow)" if row.shadow else ""), str(row.requests), str(row.failed), *shown)
    return table


def picture(result: Result) -> bytes:
    """Return a PNG: for each comparison, what was known of the difference after each pair of keys."""
    shown = [comparison for comparison in result.comparisons if comparison.known]
    figure = Figure(figsize=(3.2 * max(1, len(shown)), 2.8), layout="constrained")
    FigureCanvasAgg(figure)
    for place, one in enumerate(shown):
        assert one.known is not None, "only comparisons with pairs are shown"
        axes = figure.add_subplot(1, len(shown), place + 1)
        pairs = range(1, one.pairs + 1)
        axes.fill_between(pairs, one.known.low, one.known.high, alpha=0.3, step="mid")
        axes.axhline(0, color="black", linewidth=0.8)
        axes.set_ylim(-1.05, 1.05)
        axes.set_title(f"{one.split}: {one.left} - {one.right}", fontsize="small")
        axes.set_xlabel("pairs of keys")
        axes.set_ylabel("difference in recall" if not place else "")
    sink = BytesIO()
    figure.savefig(sink, format="png", dpi=120)
    return sink.getvalue()
