"""`lethe audit verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from guard.errors import LetheError
from guard.secret import drawn_secret
from serve.audit.log import audit_folder
from serve.audit.verify import Verdict, verify_file, verify_log

app = typer.Typer(help="The audit log of `lethe serve`.", no_args_is_help=True)


@app.callback()
def audit() -> None:
    """The audit log of `lethe serve`."""


@app.command()
def verify(
    file: Annotated[Path | None, typer.Argument(help="One file by itself.", show_default="the whole log")] = None,
) -> None:
    """Say whether the log is as it was written; else name the first line that is not, and exit with status 1."""
    try:
        secret = drawn_secret()
        found = verify_file(file, secret) if file else verify_log(audit_folder(), secret)
    except LetheError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error
    for note in found.notes:
        typer.echo(note)
    if found.problem is not None:
        typer.echo(f"not whole: {found.problem}")
        raise typer.Exit(1)
    typer.echo(_told(found))


def _told(found: Verdict) -> str:
    files = "1 file" if found.files == 1 else f"{found.files} files"
    lines = f"lines {found.first} to {found.last}" if found.lines else "no line"
    return f"whole: {lines} in {files}; the last MAC is {found.mac}"
