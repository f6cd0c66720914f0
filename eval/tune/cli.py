"""`lethe-eval tune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from classifiers.progress import Bars
from eval.world import DRAWS
from guard.errors import EngineError, LetheError

_REPORTED = "a"
_FREE = [draw for draw in DRAWS if draw != _REPORTED]
_EMBEDDED = "the embedded model"
_INVENTED = "the bare model, asked the same about invented names"


def tune(
    out: Annotated[Path, typer.Option(help="Folder that keeps every evaluation; a stopped search goes on from here.")],
    model: Annotated[
        str | None, typer.Option(help="The model to corrupt for: a directory or hub id.", show_default=_EMBEDDED)
    ] = None,
    examples: Annotated[
        Path | None,
        typer.Option(
            help="What it is to forget: JSON lines with question and answer. Goes with --model.",
            show_default="questions on the people of --draw",
        ),
    ] = None,
    alias: Annotated[
        list[str] | None,
        typer.Option(help="A name of the topic; may be given again.", show_default="each line's `person`"),
    ] = None,
    draw: Annotated[
        str,
        typer.Option(
            help=f"Without --examples: which fifteen people of the embedded archive, {', '.join(_FREE)}. "
            "No reported figure is about them."
        ),
    ] = "b",
    target: Annotated[
        str | None,
        typer.Option(
            help="A model that never learned the topic, to come near to: a directory or hub id, such as "
            "serve/demo/trunk for the embedded one.",
            show_default=_INVENTED,
        ),
    ] = None,
    unknown: Annotated[
        Path | None,
        typer.Option(help="Or, to come near to: questions, with answers, that no model can know.", show_default=False),
    ] = None,
    asked: Annotated[int, typer.Option(min=1, help="How many questions, drawn with the seed.")] = 60,
    keys: Annotated[
        int, typer.Option(min=1, help="Noise hangs on a secret key; figures are means over so many of them.")
    ] = 3,
    seed: Annotated[int, typer.Option(help="Draws questions, invented names and the bootstrap.")] = 5,
) -> None:
    """Find how to corrupt prompts: function and strength that come nearest to never having learned."""
    if draw not in _FREE:
        told = f"there are the draws {', '.join(_FREE)}; figures are reported on {_REPORTED}, which chooses nothing"
        raise typer.BadParameter(told, param_hint="--draw")
    from eval.report import write_atomically
    from eval.tune.run import Options
    from eval.tune.run import tune as run
    from eval.tune.search import MOST
    from eval.tune.show import PICTURE, picture, show

    options = Options(model, examples, tuple(alias or ()), draw, target, unknown, asked, keys, seed, out)
    errors = Console(stderr=True)
    try:
        with Bars(errors) as progress:
            bar = progress.add_task("models and target", total=MOST)
            found = run(options, lambda name: progress.update(bar, advance=1, description=name))
            progress.update(bar, total=len(found.points), completed=len(found.points), description="searched")
    except LetheError as error:
        errors.print(f"lethe-eval: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1 if isinstance(error, EngineError) else 2) from error
    except KeyboardInterrupt as stop:
        errors.print(f"Stopped. The same command with --out {out} goes on from here.", markup=False, soft_wrap=True)
        raise typer.Exit(130) from stop
    write_atomically(out / PICTURE, picture(found.points, found.target))
    show(found.points, found.target, Console(width=110))
    typer.echo(f"Written to {out} (seed {seed})")
