"""`lethe-eval ab`."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from classifiers.progress import Bars
from guard.errors import EngineError, LetheError

_SPLITS = ("forget", "retain", "neighbour")


def ab(
    url: Annotated[str, typer.Option(help="URL of a `lethe serve --arms` that runs already.")],
    outcomes: Annotated[Path, typer.Option(help="The file of outcomes that the server printed at its start.")],
    keys: Annotated[
        int, typer.Option(min=2, help="How many callers to play, each with a bearer token of its own.")
    ] = 200,
    each: Annotated[int, typer.Option(min=1, help="Questions of each split that a caller asks.")] = 2,
    questions: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=FILE of JSON lines with question and answer; may be given again.",
            show_default="the embedded archive's: forget, retain, neighbour",
        ),
    ] = None,
    alpha: Annotated[
        float, typer.Option(min=0.0001, max=0.5, help="The chance of a false alarm, in all looks and comparisons.")
    ] = 0.05,
    seed: Annotated[int, typer.Option(help="Draws the keys, their questions, and the bootstrap.")] = 0,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 64,
    concurrency: Annotated[int, typer.Option(min=1, help="Questions in flight.")] = 8,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds an answer may take.")] = 120.0,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the results; a test there goes on.", show_default="runs/ab-TIME"),
    ] = None,
) -> None:
    """Send labelled questions through a server's live arms and tell what each arm makes of them."""
    from eval.ab.run import Probing
    from eval.ab.run import ab as run
    from eval.ab.show import show
    from eval.options import question_files
    from eval.tasks.archive import archive_items
    from eval.world.archive import WORLD_SEED

    out = out or Path("runs") / datetime.now().strftime("ab-%Y-%m-%d-%H%M%S")
    errors = Console(stderr=True)
    try:
        if questions:
            splits = question_files(questions)
        else:
            archive = archive_items(world_seed=WORLD_SEED)
            splits = {name: archive[name] for name in _SPLITS}
        probing = Probing(url, outcomes, splits, keys, each, out, alpha, seed, max_tokens, concurrency, timeout)
        with Bars(errors) as progress:
            bar = progress.add_task("asking", total=None)
            result = asyncio.run(run(probing, lambda done, total: progress.update(bar, completed=done, total=total)))
    except LetheError as error:
        errors.print(f"lethe-eval: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1 if isinstance(error, EngineError) else 2) from error
    except KeyboardInterrupt as stop:
        errors.print(f"Stopped. The same command with --out {out} goes on from here.", markup=False, soft_wrap=True)
        raise typer.Exit(130) from stop
    show(result, Console())
    typer.echo(f"Written to {out}")
