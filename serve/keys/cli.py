"""`lethe keys`: giving keys out and taking them back."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from guard.secret import load_secret
from serve.keys.store import Grant, add_key, keys_file, read_keys, revoke_key
from serve.one_line import one_line_errors

app = typer.Typer(help="The keys that `lethe serve --keys` asks callers for.", no_args_is_help=True)


@app.command()
def add(
    role: Annotated[Literal["caller", "evaluator", "admin"], typer.Option(help="What it is for; kept in the records.")],
    name: Annotated[str, typer.Option(help="Whose it is, for you.")] = "",
    profile: Annotated[
        str | None, typer.Option(help="The policy it is served under, as `lethe serve --profile` names it.")
    ] = None,
    max_concurrent: Annotated[int | None, typer.Option(help="Its requests answered at once.", min=1)] = None,
    per_minute: Annotated[int | None, typer.Option(help="Its requests in any 60 seconds.", min=1)] = None,
) -> None:
    """Make a key and print it, this once: only a hash of it is kept."""
    grant = Grant(profile=profile, max_concurrent=max_concurrent, per_minute=per_minute)
    with one_line_errors():
        key, text = add_key(keys_file(), load_secret(), role=role, name=name, grant=grant)
    typer.echo(text)
    typer.echo(f"{key.id}, for a{'n' if role[0] in 'ae' else ''} {role}; it is not shown again", err=True)


@app.command("list")
def list_keys() -> None:
    """List all keys, one a line: id, role, when made, whether valid, name, profile and limits."""
    with one_line_errors():
        for key in read_keys(keys_file()):
            state = f"revoked {key.revoked}" if key.revoked else "valid"
            typer.echo("\t".join((key.id, key.role, key.created, state, key.name, _granted(key.grant))))


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(metavar="ID", help="As `lethe keys list` shows it.")]) -> None:
    """Make a key invalid, also for servers that run."""
    with one_line_errors():
        key = revoke_key(keys_file(), key_id)
    typer.echo(f"{key.id} is revoked", err=True)


def _granted(grant: Grant) -> str:
    told = (
        (grant.profile, f"profile {grant.profile}"),
        (grant.max_concurrent, f"{grant.max_concurrent} at once"),
        (grant.per_minute, f"{grant.per_minute} a minute"),
    )
    return ", ".join(text for given, text in told if given is not None)
