"""What the training of the small models came to: the table of abilities and the picture of the curves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.table import Table

from eval.smallmodel.abilities import Abilities

COLUMNS = {
    "recall_trained": "recall, trained phrasings",
    "recall_unseen": "recall, unseen phrasings",
    "read": "answers from a passage",
    "hide": "hides a named person",
    "hide_other": "answers when another is hidden",
    "choice": "multiple choice",
}


def table(rows: dict[str, Abilities]) -> Table:
    """One row a model, one column an ability, in per cent."""
    made = Table(title=f"Abilities (per cent, {next(iter(rows.values())).asked} questions a figure)")
    made.add_column("model")
    for title in COLUMNS.values():
        made.add_column(title, justify="right")
    for name, abilities in rows.items():
        made.add_row(name, *(f"{100 * abilities.as_dict()[key]:.1f}" for key in COLUMNS))
    return made


def markdown(rows: dict[str, Abilities]) -> str:
    """The same table for a page of text."""
    lines = ["| model | " + " | ".join(COLUMNS.values()) + " |", "|---" + "|---:" * len(COLUMNS) + "|"]
    for name, abilities in rows.items():
        lines.append(f"| {name} | " + " | ".join(f"{100 * abilities.as_dict()[key]:.1f}" for key in COLUMNS) + " |")
    return "\n".join(lines) + "\n"


def curves(models: list[Path], out: Path) -> None:
    """Draw the training loss of every model in `models` against its steps."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for model in models:
        log: list[dict[str, Any]] = json.loads((model / "training.json").read_text())
        axes.plot([r["step"] for r in log], [float(r["loss"]) for r in log], label=model.name, linewidth=1)
    axes.set(xlabel="step (2,048 tokens; 1,024 in the warm-up)", ylabel="training loss (nats a token)", yscale="log")
    axes.legend()
    axes.grid(alpha=0.3)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=110)
