"""Every unlearning method with several hyperparameters on the embedded model: which come nearest to never knowing.

    python -m eval.bench.unlearn_sweep --out runs/unlearn-sweep

Each setting is run and measured in a process of its own; a stopped sweep goes on. It is done on draw b, so that what is
reported on draw a (`eval.bench.unlearn_served`) chooses nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from classifiers.progress import Bars
from eval.bench.unlearn_data import write
from eval.bench.unlearn_make import measured
from eval.bench.unlearn_measure import SEED, Figures, measure, questions
from eval.bench.unlearn_rows import Row, Rows
from eval.bench.unlearn_settings import SETTINGS, Setting
from eval.options import model_digest
from eval.side_by_side import Dead, side_by_side
from eval.systems import demo_dir
from eval.tasks.questions import Item
from eval.world.archive import DRAWS
from guard.errors import ConfigError, EngineError, LetheError

FULL, NEVER = "full", "never knew"
_TRIED = ",".join(dict.fromkeys(setting.method for setting in SETTINGS))
_GIB = 2**30


def chosen(rows: Mapping[str, Row], settings: Sequence[Setting] = SETTINGS) -> dict[str, Setting]:
    """Of each method the setting that comes nearest to having forgotten exactly (see `Figures.distance`).

    Raises:
        ConfigError: the sweep has not measured its two ends yet.
    """
    never, full = ends(rows)
    best: dict[str, tuple[float, Setting]] = {}
    for setting in settings:
        own = rows.get(setting.name)
        if own is None or own.figures is None:
            continue
        distance = own.figures.distance(never, full)
        if setting.method not in best or distance < best[setting.method][0]:
            best[setting.method] = distance, setting
    return {method: setting for method, (_, setting) in best.items()}


def ends(rows: Mapping[str, Row]) -> tuple[Figures, Figures]:
    """The figures of the model that never knew and of the full one."""
    found = [rows[name].figures if name in rows else None for name in (NEVER, FULL)]
    if found[0] is None or found[1] is None:
        raise ConfigError("the sweep has not measured the full model and the one that never knew; run it first")
    return found[0], found[1]


def table(rows: Mapping[str, Row]) -> Table:
    """A row a setting, the chosen ones marked."""
    never, full = ends(rows)
    best = {setting.name for setting in chosen(rows).values()}
    made = Table(title="ROUGE-L recall and answer probability; distance is 0 where exactly the forgotten is gone")
    for name in ("setting", "forget", "probability", "retain", "neighbours", "distance", "minutes", "GiB"):
        made.add_column(name, justify="left" if name == "setting" else "right")
    order = [FULL, NEVER, *(setting.name for setting in SETTINGS)]
    for own in (rows[name] for name in order if name in rows):
        mark = "* " if own.name in best else ""
        if own.figures is None:
            made.add_row(own.name, f"failed: {own.reason}")
            continue
        f = own.figures
        told = (f.forget, f.probability, f.retain, f.neighbour, f.distance(never, full))
        price = (
            ("", "")
            if own.cost is None
            else (f"{own.cost['seconds'] / 60:.1f}", f"{own.cost['peak_memory_bytes'] / _GIB:.2f}")
        )
        made.add_row(mark + own.name, *(f"{value:.3f}" for value in told), *price)
    return made


def end_row(name: str, model: Path, splits: Mapping[str, Sequence[Item]]) -> Row:
    """Measure a model that is there already."""
    return Row(name, name, measure(str(model), splits), None, None)


def main(
    methods: Annotated[str, typer.Option(help="By commas.")] = _TRIED,
    limit: Annotated[int, typer.Option(min=0, help="Settings a method, in their order; 0 is all.")] = 0,
    draw: Annotated[str, typer.Option(help=f"Who is forgotten, of {', '.join(DRAWS)}.")] = "b",
    asked: Annotated[int, typer.Option(min=1, help="Questions a split.")] = 150,
    never: Annotated[
        Path | None, typer.Option(help="A model that never met the draw's people; else the trunk.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Settings at once.")] = os.cpu_count() or 1,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the checkpoints.")] = False,
    out: Annotated[Path, typer.Option(help="Rows and checkpoints; a stopped sweep goes on here.")] = Path(
        "runs/unlearn-sweep"
    ),
) -> None:
    """Run what has not been run yet, and print all rows."""
    errors = Console(stderr=True)
    model = demo_dir() / "full"
    models = {FULL: model, NEVER: never or demo_dir() / "trunk"}
    names = list(dict.fromkeys(methods.split(",")))
    try:
        if unknown := [name for name in names if name not in {setting.method for setting in SETTINGS}]:
            raise ConfigError(f"the sweep has no {unknown[0]!r}")
        told = {
            "model": model_digest(str(model)),
            "never": model_digest(str(models[NEVER])),
            "draw": draw,
            "asked": asked,
        }
        kept = Rows(out, {**told, "seed": SEED})
        splits = questions(draw, asked)
        data = write(draw, out / "data")
        tried = [s for name in names for s in [s for s in SETTINGS if s.method == name][: limit or None]]
        left: dict[str, partial[Row]] = {
            **{name: partial(end_row, name, end, splits) for name, end in models.items()},
            **{s.name: partial(measured, s, str(model), data, splits, out, keep=keep) for s in tried},
        }
        left = {name: work for name, work in left.items() if name not in kept.rows}
        with Bars(errors) as progress:
            bar = progress.add_task("measuring, settings", total=len(left))
            for name, found in side_by_side(left, jobs):
                if isinstance(found, Dead) and name in models:
                    raise EngineError(f"{name} could not be measured: {found.reason}")
                kept.add(Row(name, name.split(" ")[0], None, found.reason, None) if isinstance(found, Dead) else found)
                progress.update(bar, advance=1, description=f"measured {name}, settings")
    except LetheError as error:
        errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    Console(width=150).print(table(kept.rows))
    typer.echo(f"Written to {out} (draw {draw}, seed {SEED}, {asked} questions a split)")


if __name__ == "__main__":
    typer.run(main)
