"""Errors of small commands, in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from guard.errors import LetheError


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Tell a LetheError on standard error and exit with status 2."""
    try:
        yield
    except LetheError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error
