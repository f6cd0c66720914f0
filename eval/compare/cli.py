"""`lethe-eval compare`: systems, benchmarks and attacks in one run, and the page that shows them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from guard.errors import EngineError, LetheError

PAGE = "report.html"


def compare(
    suite: Annotated[
        str, typer.Option(help="quick (three systems, minutes) or full (every action and seed).")
    ] = "quick",
    checkpoints: Annotated[
        Path | None,
        typer.Option(help="A folder of checkpoints made by `lethe-eval unlearn`, compared as well."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="A model of your own, folder or hub id; the next three go with it.", show_default="embedded"),
    ] = None,
    retrained_model: Annotated[
        list[str] | None, typer.Option(help="One that never learned the topics; may be given again, for more seeds.")
    ] = None,
    policy: Annotated[Path | None, typer.Option(help="What is to be forgotten.")] = None,
    questions: Annotated[
        list[str] | None,
        typer.Option(help="SPLIT=FILE of JSON lines, as for `run`: forget; beside it retain, neighbour, world."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Draws questions, attacks and the bootstrap.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Checkpoints attacked at once.")] = os.cpu_count() or 1,
    out: Annotated[Path, typer.Option(help="All that is kept; a stopped run goes on here.")] = Path("runs/compare"),
) -> None:
    """Compare the guard with the bare and the retrained model, and with checkpoints whose weights were changed.

    Writes report.html, one page that needs no network, and results.jsonl with the same figures.
    """
    from eval.compare.own import Own, own_plan
    from eval.compare.page import page
    from eval.compare.plan import SUITES, make_plan
    from eval.compare.run import RESULTS
    from eval.compare.run import compare as run
    from eval.compare.terminal import show
    from eval.report import write_atomically

    errors = Console(stderr=True)
    if suite not in SUITES:
        raise typer.BadParameter(f"there are {', '.join(SUITES)}", param_hint="--suite")
    given = (model, policy, *(retrained_model or ()), *(questions or ()))
    if any(given) and (model is None or policy is None):
        raise typer.BadParameter(
            "a model of your own needs all four: --model, --retrained-model, --policy, --questions"
        )
    try:
        if model is not None and policy is not None:
            own = Own(model, tuple(retrained_model or ()), policy, tuple(questions or ()))
            plan = own_plan(SUITES[suite], own, checkpoints, seed=seed)
        else:
            plan = make_plan(SUITES[suite], checkpoints, out, seed=seed)
        results = run(plan, out, jobs, errors)
    except LetheError as error:
        errors.print(f"lethe-eval: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1 if isinstance(error, EngineError) else 2) from error
    except KeyboardInterrupt as stop:
        errors.print(f"Stopped. The same command with --out {out} goes on from here.", markup=False, soft_wrap=True)
        raise typer.Exit(130) from stop
    write_atomically(out / PAGE, page(results).encode())
    show(results, Console())
    typer.echo(f"Written to {out / PAGE} and {out / RESULTS} (seed {seed})")
