"""What a part of the forget set comes to: each method with the setting that the sweep chose, on draw a.

    python -m eval.bench.unlearn_shares --sweep runs/unlearn-sweep

Measured in this process, as the sweep is; `eval.bench.unlearn_served` serves the whole forget set's checkpoints.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from classifiers.progress import Bars
from eval.bench.unlearn_data import write
from eval.bench.unlearn_make import measured
from eval.bench.unlearn_measure import SEED, questions
from eval.bench.unlearn_rows import Row, Rows
from eval.bench.unlearn_sweep import chosen
from eval.options import model_digest
from eval.side_by_side import Dead, side_by_side
from eval.systems import demo_dir
from guard.errors import LetheError

DRAW = "a"


def table(rows: dict[str, Row]) -> Table:
    """A row a method and share."""
    made = Table(title="ROUGE-L recall, and probability of the true answers about the forgotten")
    for name in ("method, share", "forget", "probability", "retain", "neighbours"):
        made.add_column(name, justify="left" if name == "method, share" else "right")
    for name, row in sorted(rows.items()):
        f = row.figures
        told = [f"failed: {row.reason}"] if f is None else [f.forget, f.probability, f.retain, f.neighbour]
        made.add_row(name, *(one if isinstance(one, str) else f"{one:.3f}" for one in told))
    return made


def main(
    sweep: Annotated[Path, typer.Option(help="Where eval.bench.unlearn_sweep left its rows.")] = Path(
        "runs/unlearn-sweep"
    ),
    methods: Annotated[str, typer.Option(help="By commas; all that the sweep has where empty.")] = "",
    shares: Annotated[str, typer.Option(help="Of the forget set, by commas.")] = "0.1,0.5,1",
    asked: Annotated[int, typer.Option(min=1, help="Questions a split.")] = 100,
    jobs: Annotated[int, typer.Option(min=1, help="Checkpoints at once.")] = os.cpu_count() or 1,
    out: Annotated[Path, typer.Option(help="Rows; a stopped run goes on here.")] = Path("runs/unlearn-shares"),
) -> None:
    """Make and measure what has not been measured yet, and print all rows."""
    errors = Console(stderr=True)
    model = str(demo_dir() / "full")
    try:
        best = chosen(Rows.read(sweep))
        told = {method: setting.name for method, setting in best.items()}
        kept = Rows(out, {"model": model_digest(model), "asked": asked, "seed": SEED, "draw": DRAW, "settings": told})
        splits, data = questions(DRAW, asked), write(DRAW, out / "data")
        left = {
            f"{name}, {float(share):.0%}": partial(
                measured, setting, model, data, splits, out / share, keep=False, share=float(share)
            )
            for name, setting in best.items()
            for share in shares.split(",")
            if not methods or name in methods.split(",")
        }
        left = {name: work for name, work in left.items() if name not in kept.rows}
        with Bars(errors) as progress:
            bar = progress.add_task("measuring", total=len(left))
            for name, found in side_by_side(left, jobs):
                method = name.split(",")[0]
                dead = isinstance(found, Dead)
                kept.add(
                    Row(name, method, None, found.reason, None)
                    if isinstance(found, Dead)
                    else Row(name, method, found.figures, found.reason, found.cost)
                )
                progress.update(bar, advance=1, description=f"{'lost' if dead else 'measured'} {name}")
    except LetheError as error:
        errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    Console(width=150).print(table(kept.rows))
    typer.echo(f"Written to {out} (draw {DRAW}, seed {SEED}, {asked} questions a split)")


if __name__ == "__main__":
    typer.run(main)
