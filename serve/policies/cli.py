"""`lethe topics`: what is forgotten, changed while servers run."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from guard.errors import ConfigError
from guard.policy import Topic, expiry, load_policy, one_topic
from guard.secret import load_secret
from serve.one_line import one_line_errors
from serve.prompts import read_log
from serve.settings import DEMO_POLICY

if TYPE_CHECKING:
    from serve.policies.change import Changes
    from serve.policies.store import Store
    from serve.policies.version import Version

app = typer.Typer(help="The topics in force: servers follow each change within a second.", no_args_is_help=True)

_POLICY = Annotated[
    Path, typer.Option("--policy", help="The policy file that servers were started with.", show_default="the embedded")
]
_NAME = Annotated[str, typer.Argument(help="As `lethe topics list` shows it.")]
_NICE = 10


@app.command("list")
def list_topics(policy: _POLICY = DEMO_POLICY) -> None:
    """List the topics of the version in force, one a line: name, whether enforced, actions, aliases."""
    with one_line_errors():
        version = _store(policy).in_force()
        for topic in version.policy().topics:
            kinds = "+".join(action.kind for action in topic.actions)
            typer.echo("\t".join((topic.name, state_of(topic), kinds, ", ".join(topic.aliases))))
    typer.echo(f"version {version.number}, in {version.folder}", err=True)


@app.command()
def history(policy: _POLICY = DEMO_POLICY) -> None:
    """List all versions, one a line: number, when made, by whom, what was changed, and which is in force."""
    with one_line_errors():
        store = _store(policy)
        current = store.pointer()
        for version in store.versions():
            record = version.record
            mark = "in force" if version.number == current else ""
            typer.echo("\t".join((str(version.number), record.made, record.by, record.what, mark)))


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What you call the topic; never shown to callers.")],
    examples: Annotated[Path | None, typer.Option(help="Its examples: a file or folder.")] = None,
    alias: Annotated[list[str] | None, typer.Option(help="A name it goes by; may be given again.")] = None,
    description: Annotated[str | None, typer.Option(help="The topic in words.")] = None,
    action: Annotated[
        str, typer.Option(help="A kind, or all of an action as a policy has it: '{kind: corrupt, function: zero}'.")
    ] = "refuse",
    expires: Annotated[str | None, typer.Option(metavar="DATE", help="As for `expire`.")] = None,
    policy: _POLICY = DEMO_POLICY,
) -> None:
    """Fit a classifier that knows one topic more, a minute or two, and put it in force; a fit that fails changes
    nothing.
    """
    with one_line_errors():
        from classifiers.fit import stage_bars

        changes = _changes(policy)
        base = _store(policy).in_force().policy()
        options: dict[str, Any] = {"examples": examples, "aliases": tuple(alias or ()), "description": description}
        more = {"action": _action(action)} | ({"expires": expires} if expires else {})
        topic = one_topic(name, retain=base.retain, **options, **more).topics[0]
        # Serving goes first.
        os.nice(_NICE)
        with stage_bars() as progress:
            version = changes.add(topic, progress)
        _told(version)


@app.command()
def revoke(name: _NAME, policy: _POLICY = DEMO_POLICY) -> None:
    """Enforce a topic no more, from now on; that needs no fit."""
    with one_line_errors():
        _told(_changes(policy).revoke(name))


@app.command()
def expire(
    name: _NAME,
    when: Annotated[
        str, typer.Argument(metavar="DATE", help="2030-12-31 (to its end, UTC), 2030-12-31T12:00:00Z, or `never`.")
    ],
    policy: _POLICY = DEMO_POLICY,
) -> None:
    """Say until when a topic is enforced; also one that was revoked, as long as `list` shows it."""
    with one_line_errors():
        try:
            moment = None if when == "never" else expiry(when)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        _told(_changes(policy).expire(name, moment))


@app.command()
def rollback(
    version: Annotated[int, typer.Argument(metavar="VERSION", help="As `lethe topics history` shows it.")],
    policy: _POLICY = DEMO_POLICY,
) -> None:
    """Put what an earlier version says in force again, as a new version."""
    with one_line_errors():
        _told(_changes(policy).rollback(version))


@app.command("import")
def import_file(
    policy: _POLICY = DEMO_POLICY,
    artifact: Annotated[Path | None, typer.Option(help="A classifier made by `lethe fit --out`.")] = None,
) -> None:
    """Put the policy file in force as it is now, without what was changed by other commands."""
    with one_line_errors():
        _told(_changes(policy).import_file(load_policy(policy), artifact))


@app.command()
def recalibrate(
    log: Annotated[str, typer.Argument(metavar="LOG", help="As for `lethe fit --recalibrate`.")],
    labels: Annotated[str | None, typer.Option(metavar="FILE", help="As for `lethe fit`.")] = None,
    policy: _POLICY = DEMO_POLICY,
) -> None:
    """Set the thresholds of the version in force on your own traffic."""
    with one_line_errors():
        _told(_changes(policy).recalibrate(read_log(log, labels)))


def state_of(topic: Topic) -> str:
    """Whether a topic is enforced, and until when."""
    if topic.expires is None:
        return "enforced"
    when = topic.expires.isoformat(timespec="seconds")
    return f"until {when}" if topic.expires > datetime.now(UTC) else f"ended {when}"


def _store(policy: Path) -> Store:
    # Imported when needed: it takes seconds, which other commands should not wait for.
    from serve.policies.store import Store

    if not policy.is_file():
        raise ConfigError(f"there is no policy file {policy}; give the one that servers were started with, by --policy")
    return Store.of(policy, load_secret())


def _changes(policy: Path) -> Changes:
    from serve.policies.change import Changes

    return Changes(_store(policy), load_secret(), "command line")


def _action(text: str) -> Any:
    try:
        read = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--action: not valid YAML: {text}") from error
    return {"kind": read} if isinstance(read, str) else read


def _told(version: Version) -> None:
    typer.echo(f"version {version.number} is in force: {version.record.what}")
