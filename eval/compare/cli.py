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
    seed: Annotated[int, typer.Option(help="Draws questions, attacks and the bootstrap.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Checkpoints attacked at once.")] = os.cpu_count() or 1,
    out: Annotated[Path, typer.Option(help="All that is kept; a stopped run goes on here.")] = Path("runs/compare"),
) -> None:
    """Compare the guard with the bare and the retrained model, and with checkpoints whose weights were changed.

    Writes report.html, one page that needs no network, and results.jsonl with the same figures.
    """
    from eval.compare.page import page
    from eval.compare.plan import SUITES, make_plan
    from eval.compare.run import RESULTS
    from eval.compare.run import compare as run
    from eval.compare.terminal import show
    from eval.report import write_atomically

    errors = Console(stderr=True)
    if suite not in SUITES:
        raise typer.BadParameter(f"there are {', '.join(SUITES)}", param_hint="--suite")
    try:
        results = run(make_plan(SUITES[suite], checkpoints, out, seed=seed), out, jobs, errors)
    except LetheError as error:
        errors.print(f"lethe-eval: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1 if isinstance(error, EngineError) else 2) from error
    except KeyboardInterrupt as stop:
        errors.print(f"Stopped. The same command with --out {out} goes on from here.", markup=False, soft_wrap=True)
        raise typer.Exit(130) from stop
    write_atomically(out / PAGE, page(results).encode())
    show(results, Console())
    typer.echo(f"Written to {out / PAGE} and {out / RESULTS} (seed {seed})")
