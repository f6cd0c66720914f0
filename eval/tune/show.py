"""What a search found: a table, a picture, and the lines to put into a policy."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from math import exp

import yaml
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from eval.tune.figures import Point, Target
from eval.tune.search import GRID, best

PICTURE = "search.png"
_COLUMNS = ("function", "strength", "distance", "recall [95%]", "probability", "distinct-2", "perplexity", "fluent")


def show(points: Sequence[Point], target: Target, console: Console) -> None:
    """Print the best point of every function, the best first, beside the target."""
    table = Table(title=f"The best of each function; the target is {target.source}", title_justify="left")
    for column in _COLUMNS:
        table.add_column(column, justify="left" if column in ("function", "fluent") else "right", no_wrap=True)
    table.add_row(
        *("target", "", "", f"{target.recall:.3f}", f"{target.probability:.3f}"),
        *(f"≥ {target.distinct:.3f}", f"≤ {exp(target.nats):.1f}", ""),
    )
    table.add_section()
    for point in of_each(points, target):
        table.add_row(*_row(point, target))
    console.print(table)
    chosen = best(list(points), target)
    if chosen is None:
        console.print("No action keeps the answers within the target's fluency; refuse instead.")
        return
    console.print("To put into the policy (measure it on questions that chose nothing before you quote a figure):")
    console.print(snippet(chosen), markup=False, highlight=False)


def of_each(points: Sequence[Point], target: Target) -> list[Point]:
    """The best point of each function, fluent ones first, then by distance."""

    def rank(point: Point) -> tuple[bool, float]:
        return not point.fluent(target), point.distance

    functions = dict.fromkeys(point.function for point in points)
    return sorted((min((p for p in points if p.function == name), key=rank) for name in functions), key=rank)


def snippet(point: Point) -> str:
    """The point as a policy's action."""
    action: dict[str, str | float] = {"kind": "corrupt", "function": point.function}
    if point.strength is not None:
        action |= {"strength": point.strength}
    return yaml.safe_dump({"action": action}, sort_keys=False)


def picture(points: Sequence[Point], target: Target) -> bytes:
    """Return a PNG: distance by strength, a line a function; crosses are points that are not fluent."""
    figure = Figure(figsize=(8.0, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for number, name in enumerate(dict.fromkeys(point.function for point in points)):
        own = sorted((p for p in points if p.function == name), key=lambda p: p.strength or 0.0)
        if own[0].strength is None:
            style = "--" if own[0].fluent(target) else ":"
            axes.axhline(own[0].distance, color=f"C{number}", linestyle=style, linewidth=1, label=name)
            continue
        strengths = [point.strength or 0.0 for point in own]
        axes.plot(strengths, [point.distance for point in own], color=f"C{number}", label=name)
        for point, strength in zip(own, strengths, strict=True):
            mark = "o" if point.fluent(target) else "x"
            span = [[point.distance - min(point.distances)], [max(point.distances) - point.distance]]
            axes.errorbar(strength, point.distance, yerr=span, fmt=mark, capsize=2, color=f"C{number}")
    axes.set_xscale("log")
    axes.set_xticks(GRID, [f"{strength:g}" for strength in GRID])
    axes.minorticks_off()
    axes.set_xlabel("strength (RMS of the embedding table)")
    axes.set_ylabel("distance from the target (bars: keys)")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", frameon=False)
    sink = BytesIO()
    figure.savefig(sink, format="png", dpi=120)
    return sink.getvalue()


def _row(point: Point, target: Target) -> list[str]:
    span = "" if point.recall_low is None else f" \\[{point.recall_low:.3f}, {point.recall_high:.3f}]"
    return [
        point.function,
        "" if point.strength is None else f"{point.strength:g}",
        f"{point.distance:.3f}",
        f"{point.recall:.3f}{span}",
        f"{point.probability:.3f}",
        "unscored" if point.distinct is None else f"{point.distinct:.3f}",
        "unscored" if point.nats is None else f"{exp(point.nats):.1f}",
        "yes" if point.fluent(target) else "no",
    ]
