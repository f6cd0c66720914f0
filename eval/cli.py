"""The command `lethe-eval`."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer
from rich.console import Console

from eval.ab.cli import ab
from eval.auxiliary.cli import aux
from eval.compare.cli import compare
from eval.compare.evidence_cli import evidence
from eval.smallmodel.cli import train, world
from eval.tasks.cli import tasks
from eval.tune.cli import tune
from eval.unlearn.cli import unlearn
from guard.errors import EngineError, LetheError

T = TypeVar("T")
_STARTED, _EMBEDDED, _POLICY = "started here", "the embedded one", "the embedded policy"
app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def _lethe_eval() -> None:
    """Hold the guarded endpoint against the bare model and one that was retrained without the topics."""


app.command()(world)
app.command()(train)
app.command()(tune)
app.command()(unlearn)
app.command()(aux)
app.command()(tasks)
app.command()(compare)
app.command()(evidence)
app.command()(ab)


@app.command()
def run(
    guarded: Annotated[
        str | None, typer.Option(help="URL of a `lethe serve` that runs already.", show_default=_STARTED)
    ] = None,
    bare: Annotated[
        str | None, typer.Option(help="URL of the unguarded model, running already.", show_default=_STARTED)
    ] = None,
    retrained: Annotated[
        str | None, typer.Option(help="URL of the retrained model, running already.", show_default=_STARTED)
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="The model to start, guarded and bare: directory or hub id.", show_default=_EMBEDDED),
    ] = None,
    retrained_model: Annotated[
        str | None, typer.Option(help="The one that never learned the topic, to start.", show_default=_EMBEDDED)
    ] = None,
    policy: Annotated[Path | None, typer.Option(help="What is to be forgotten.", show_default=_POLICY)] = None,
    systems: Annotated[str, typer.Option(help="Which systems to ask, in this order.")] = "guarded,bare,retrained",
    questions: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=FILE of JSON lines with question and answer; may be given again. What NAME is forget counts as "
            "about the topic.",
            show_default="the embedded archive's",
        ),
    ] = None,
    phrasings: Annotated[
        Literal["trained", "unseen", "all"],
        typer.Option(help="Of the embedded archive: in the words the models were trained on, in others, or both."),
    ] = "unseen",
    limit: Annotated[
        int, typer.Option(min=0, help="Of the embedded archive: people asked about per split; 0: all.")
    ] = 30,
    seed: Annotated[int, typer.Option(help="Draws the people who are asked about, and the bootstrap.")] = 0,
    world_seed: Annotated[
        int | None, typer.Option(help="Of which the archive is made.", show_default="the embedded models'")
    ] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 64,
    concurrency: Annotated[int, typer.Option(min=1, help="Questions in flight.")] = 8,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds an answer may take.")] = 120.0,
    start_timeout: Annotated[float, typer.Option(min=1, help="Seconds a server may take to start.")] = 600.0,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the results; an unfinished run there goes on.", show_default="runs/TIME"),
    ] = None,
) -> None:
    """Ask each system the same questions over HTTP and print how much each recalls, with intervals."""
    from eval.options import Options, run_config
    from eval.report import show
    from eval.run import evaluate

    out = out or Path("runs") / datetime.now().strftime("%Y-%m-%d-%H%M%S")
    options = Options(
        urls={name: url for name, url in (("guarded", guarded), ("bare", bare), ("retrained", retrained)) if url},
        systems=systems,
        model=model,
        retrained_model=retrained_model,
        policy=policy,
        questions=tuple(questions or ()),
        phrasings=phrasings,
        limit=limit or None,
        seed=seed,
        world_seed=world_seed,
        max_tokens=max_tokens,
        concurrency=concurrency,
        timeout_s=timeout,
        start_timeout_s=start_timeout,
        out=out,
    )
    errors = Console(stderr=True)
    try:
        summary = asyncio.run(_until_stopped(evaluate(run_config(options), errors)))
    except LetheError as error:
        errors.print(f"lethe-eval: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1 if isinstance(error, EngineError) else 2) from error
    except (KeyboardInterrupt, asyncio.CancelledError) as stop:
        errors.print(f"Stopped. The same command with --out {out} goes on from here.", markup=False, soft_wrap=True)
        raise typer.Exit(130) from stop
    show(summary, Console())
    typer.echo(f"Written to {out}")


async def _until_stopped(work: Coroutine[Any, Any, T]) -> T:
    """Await `work`; a SIGTERM ends it as Ctrl-C does, so that servers started for it are stopped."""
    task = asyncio.ensure_future(work)
    with contextlib.suppress(NotImplementedError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def main() -> None:
    """Run `lethe-eval`."""
    app()
