"""The table of served unlearned models, and the picture of forgetting against what is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from math import exp
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from eval.answers import AnswerStore
from eval.metrics.bootstrap import cluster_bootstrap
from eval.report import figure_text
from eval.summary import Cell, score, score_cell
from eval.tasks.questions import Item

if TYPE_CHECKING:
    from eval.bench.unlearn_served import Served

PROBABILITY = "probability"
_COLUMNS = {
    "forget": "forgotten",
    PROBABILITY: "true answer's\nprobability",
    "retain": "retained",
    "neighbour": "neighbours",
}
_GIB = 2**30


def cells(
    served: Sequence[Served], splits: Mapping[str, Sequence[Item]], store: AnswerStore, out: Path, *, seed: int
) -> list[Cell]:
    """ROUGE-L recall of each split and the probability of the true answers about the forgotten, by person."""
    found = []
    for one in served:
        for split, items in splits.items():
            scored = [score(item, store.get(one.name, item.question), one.name) for item in items]
            found.append(score_cell(split, one.name, scored, seed))
        nats: list[float] = json.loads((out / "nats" / f"{one.name}.json").read_text(encoding="utf-8"))
        people = [item.cluster for item in splits["forget"]]
        estimate = cluster_bootstrap([exp(-value) for value in nats], people, seed=seed)
        found.append(Cell(PROBABILITY, one.name, estimate, {}))
    return found


def show(found: Sequence[Cell], rows: Mapping[str, Mapping[str, Any]], console: Console) -> None:
    """Print a row a model, with what it cost."""
    table = Table(
        title="ROUGE-L recall over HTTP [95% interval, by person], and what forgetting cost, others being made beside"
    )
    table.add_column("model")
    for title in (*_COLUMNS.values(), "minutes", "TFLOP", "peak GiB"):
        table.add_column(title, justify="right")
    for name, row in rows.items():
        if row["failed"]:
            table.add_row(name, f"failed: {row['failed']}")
            continue
        own = {cell.split: cell for cell in found if cell.name == name}
        price = row["cost"]
        told = (
            ("", "", "")
            if price is None
            else (
                f"{price['seconds'] / 60:.1f}",
                f"{price['flops'] / 1e12:.2f}",
                f"{price['peak_memory_bytes'] / _GIB:.2f}",
            )
        )
        table.add_row(name, *(figure_text(own.get(column), "{:.3f}") for column in _COLUMNS), *told)
    console.print(table)


def picture(found: Sequence[Cell]) -> bytes:
    """Return a PNG: recall of the forgotten against recall of their neighbours, a point a model, with intervals."""
    figure = Figure(figsize=(8.0, 6.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for place, name in enumerate(dict.fromkeys(cell.name for cell in found)):
        own = {cell.split: cell.estimate for cell in found if cell.name == name}
        gone, kept = own.get("forget"), own.get("neighbour")
        if gone is None or kept is None:
            continue
        spans = [
            None if e.low is None or e.high is None else [[e.value - e.low], [e.high - e.value]] for e in (gone, kept)
        ]
        reference = name == "full" or name.startswith("retrained")
        marker = "*" if reference else "o"
        axes.errorbar(
            gone.value, kept.value, xerr=spans[0], yerr=spans[1], fmt=marker, color=f"C{place % 10}", alpha=0.7
        )
        # All rows but those of a part of the forget set are of the whole of it; labels lie close enough as it is.
        label = name.removesuffix(" of the forget set").removesuffix(", 100%")
        axes.annotate(label, (gone.value, kept.value), xytext=(4, 4), textcoords="offset points", fontsize=7)
    axes.set(xlabel="recall of the forgotten (95% interval)", ylabel="recall of their neighbours (95% interval)")
    axes.grid(alpha=0.3)
    sink = BytesIO()
    figure.savefig(sink, format="png", dpi=120)
    return sink.getvalue()
