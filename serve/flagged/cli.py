"""`lethe flagged`: reading and labelling the flagged prompts that were kept."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import typer

from guard.errors import ConfigError
from serve.flagged.store import FlaggedStore, flagged_file
from serve.one_line import one_line_errors

app = typer.Typer(help="The flagged prompts that `lethe serve --keep-flagged` kept.", no_args_is_help=True)


@app.command("list")
def list_flagged(
    unlabelled: Annotated[bool, typer.Option("--unlabelled", help="Only those that nobody has labelled.")] = False,
) -> None:
    """Print them, one JSON object a line, oldest first: id, time, topics found, what was done, text and label."""
    with one_line_errors():
        for row in _store().rows():
            if row.label is None or not unlabelled:
                _print(row.fields())


@app.command()
def label(
    request: Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it.")],
    about: Annotated[Literal["yes", "no"], typer.Argument(help="Whether it is about the topic.")],
) -> None:
    """Say whether a prompt was flagged rightly."""
    with one_line_errors():
        if not _store().label(request, about == "yes"):
            raise ConfigError(f"no flagged request {request!r} is kept; `lethe flagged list` shows them")


@app.command()
def export() -> None:
    """Print what is labelled, one JSON object a line, for `lethe fit --recalibrate LOG --labels FILE`."""
    with one_line_errors():
        for row in _store().rows():
            if row.flag is not None:
                _print({"messages": row.messages, "flag": row.flag})


def _store() -> FlaggedStore:
    return FlaggedStore(flagged_file())


def _print(fields: dict[str, Any]) -> None:
    # A lone surrogate, which a caller may send escaped, has no other form.
    typer.echo(json.dumps(fields))
