"""`lethe-eval evidence`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from guard.errors import ConfigError, LetheError


def evidence(
    topic: Annotated[str, typer.Option(help="The topic's name in the policy.")],
    results: Annotated[Path, typer.Option(help="results.jsonl of a `lethe-eval compare` that measured the policy.")],
    out: Annotated[Path, typer.Option(help="Where to write the page.")] = Path("evidence.html"),
    policy: Annotated[
        Path | None, typer.Option(help="The policy that the guard is served with.", show_default="the embedded policy")
    ] = None,
    artifact: Annotated[
        Path | None,
        typer.Option(help="The classifier that the guard is served with.", show_default="where `lethe serve` keeps it"),
    ] = None,
) -> None:
    """Write a page to file: what was to be forgotten, since when, by which policy, measured how, with what result."""
    from eval.compare.evidence import evidence as written
    from eval.compare.results import read
    from eval.report import write_atomically
    from eval.systems import demo_dir

    try:
        page = written(topic, policy or demo_dir() / "policy.yaml", read(results), artifact=artifact)
        try:
            write_atomically(out, page.encode())
        except OSError as error:
            raise ConfigError(f"cannot write {out} ({error.strerror}); name another file with --out") from error
    except LetheError as error:
        errors = Console(stderr=True)
        errors.print(f"lethe-eval: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from error
    typer.echo(f"Written to {out}")
