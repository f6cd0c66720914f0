"""`lethe-eval aux`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from classifiers.progress import Bars
from guard.errors import ConfigError, LetheError

_NEW = "a new Llama"


def aux(
    tokenizer: Annotated[
        str, typer.Option(help="The served model, whose tokens they are to write: directory or hub id.")
    ],
    forget: Annotated[Path, typer.Option(help="Examples of what to forget: a file or folder, as in a policy.")],
    retain: Annotated[Path, typer.Option(help="Examples of what to keep: a file or folder.")],
    out: Annotated[Path, typer.Option(help="Folder to write; a stopped run goes on from OUT.state.")],
    base: Annotated[
        str | None, typer.Option(help="A small checkpoint with the same tokens to begin with.", show_default=_NEW)
    ] = None,
    lora: Annotated[bool, typer.Option("--lora", help="With --base: train an adapter, and merge it.")] = False,
    width: Annotated[int, typer.Option(min=32, help="Of a new Llama, a multiple of 32.")] = 64,
    layers: Annotated[int, typer.Option(min=1, help="Of a new Llama.")] = 2,
    learning_rate: Annotated[float, typer.Option(min=0)] = 2e-3,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the examples.")] = 30,
    batch: Annotated[int, typer.Option(min=1, help="Examples a step.")] = 32,
    seed: Annotated[int, typer.Option(help="Draws the new Llama and the order.")] = 0,
) -> None:
    """Make the two small models that the policy's action `diverge` compares."""
    from eval.auxiliary.make import Options, make
    from eval.unlearn.recipe import Recipe

    errors = Console(stderr=True)
    try:
        if lora and base is None:
            raise ConfigError("--lora adapts a checkpoint; name one with --base")
        if width % 32:
            raise ConfigError(f"--width {width} is no multiple of 32")
        recipe = Recipe(learning_rate=learning_rate, epochs=epochs, batch=batch, micro=batch)
        options = Options(tokenizer, forget, retain, out, base, lora, width, layers, recipe, seed)
        with Bars(errors) as progress:
            bar = progress.add_task("loading", total=None)
            made = make(
                options, lambda stage, done, of: progress.update(bar, description=stage, completed=done, total=of)
            )
    except LetheError as error:
        errors.print(f"lethe-eval: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2 if isinstance(error, ConfigError) else 1) from error
    except KeyboardInterrupt as stop:
        errors.print(f"Stopped. The same command goes on from {out}.state.", markup=False, soft_wrap=True)
        raise typer.Exit(130) from stop
    typer.echo(f"Written to {out} ({made.identity}, seed {seed})")
