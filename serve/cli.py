"""The `lethe` command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape

from guard.errors import ConfigError, EngineError, LetheError
from serve.adapters import lora_flags
from serve.audit.cli import app as audit
from serve.fit_cli import check, fit
from serve.flagged.cli import app as flagged
from serve.keys.cli import app as keys_app
from serve.logs import console as console_of
from serve.policies.cli import app as topics
from serve.settings import (
    MAX_BODY,
    MAX_CONCURRENT,
    MAX_SECONDS,
    check_engine_flags,
    model_and_name,
    read_adapters,
    resolve,
)
from serve.steering.fields import ENGINE_FLAGS

app = typer.Typer(
    help="An OpenAI-compatible endpoint whose model has forgotten what a policy lists.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(fit)
app.command()(check)
app.add_typer(audit, name="audit")
app.add_typer(keys_app, name="keys")
app.add_typer(topics, name="topics")
app.add_typer(flagged, name="flagged")

_VLLM = Annotated[list[str] | None, typer.Argument(metavar="-- VLLM-FLAGS", help="Handed to vLLM unchanged.")]
_MODEL = Annotated[
    str | None, typer.Option(help="A checkpoint's directory or hub id.", show_default="the embedded model")
]
_ADAPTER = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=FOLDER", help="A LoRA adapter, served as the model NAME; may be given again."),
]
_NAME = Annotated[str | None, typer.Option(help="What callers call the model.", show_default="the checkpoint's name")]


@app.command()
def serve(
    flags: _VLLM = None,
    model: _MODEL = None,
    policy: Annotated[Path | None, typer.Option(help="What to forget.", show_default="the embedded policy")] = None,
    profile: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="What to forget for keys of the profile NAME; may be given again."),
    ] = None,
    artifact: Annotated[Path | None, typer.Option(help="A classifier made by `lethe fit --out`.")] = None,
    upstream: Annotated[str | None, typer.Option(help="URL of a vLLM server that runs already.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8000,
    served_model_name: _NAME = None,
    adapter: _ADAPTER = None,
    arms: Annotated[
        Path | None, typer.Option(help="YAML that divides callers among several arms behind the one name.")
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option(help="Serve Prometheus metrics at this loopback port.", min=1, max=65535)
    ] = None,
    keys: Annotated[
        bool, typer.Option("--keys", help="Serve only callers with a key that `lethe keys add` made.")
    ] = False,
    max_concurrent: Annotated[
        int, typer.Option(help="Requests answered at once; more get status 429.", min=1)
    ] = MAX_CONCURRENT,
    max_seconds: Annotated[
        float, typer.Option(help="Time for one answer, to its last byte; then status 504.", min=0.1)
    ] = MAX_SECONDS,
    max_body: Annotated[int, typer.Option(help="MiB of a request's body; more gets status 413.", min=1)] = MAX_BODY,
    log_format: Annotated[
        Literal["text", "json"], typer.Option(help="How standard error is written: for readers, or JSON lines.")
    ] = "text",
    monitor: Annotated[
        bool, typer.Option("--monitor", help="Guard nothing: only record what would have been done.")
    ] = False,
    keep_flagged: Annotated[
        bool, typer.Option("--keep-flagged", help="Keep the text of flagged prompts, for `lethe flagged`.")
    ] = False,
) -> None:
    """Serve a model that has forgotten what the policy lists; without options, the embedded one.

    LETHE_UPSTREAM_KEY holds the API key for --upstream, where that needs one.
    """
    from serve.run import serve as run

    console = console_of(log_format)
    with _told(console):
        settings = resolve(
            model=model,
            policy=policy,
            artifact=artifact,
            upstream=upstream,
            host=host,
            port=port,
            served_name=served_model_name,
            engine_flags=tuple(flags or ()),
            adapters=tuple(adapter or ()),
            arms=arms,
            metrics_port=metrics_port,
            keys=keys,
            max_concurrent=max_concurrent,
            max_seconds=max_seconds,
            max_body=max_body,
            monitor=monitor,
            keep_flagged=keep_flagged,
            profiles=tuple(profile or ()),
        )
        run(settings, console)


@app.command()
def engine(
    port: Annotated[int, typer.Option(help="Loopback port.", min=1, max=65535)],
    flags: _VLLM = None,
    model: _MODEL = None,
    served_model_name: _NAME = None,
    adapter: _ADAPTER = None,
    steer: Annotated[
        bool, typer.Option("--steer", help="Let a guard in front turn answers away: the policy's decode and diverge.")
    ] = False,
    auxiliary: Annotated[
        Path | None, typer.Option(help="With --steer: the models for diverge, as made by `lethe-eval aux`.")
    ] = None,
) -> None:
    """Run vLLM alone with the same settings and no guard, on a loopback port, for evaluation."""
    from guard.steer.auxiliary import Auxiliary
    from serve.run import bare

    console = Console(stderr=True)
    with _told(console):
        checkpoint, name = model_and_name(model, served_model_name)
        ours = lora_flags(read_adapters(tuple(adapter or ())))
        if auxiliary is not None and not steer:
            raise ConfigError("--auxiliary is for an engine that turns answers away; add --steer")
        folder = None if auxiliary is None else Auxiliary.read(auxiliary.absolute()).folder
        given = (*ours, *(ENGINE_FLAGS if steer else ()), *check_engine_flags(tuple(flags or ())))
        bare(checkpoint, name, port, given, console, auxiliary=folder)


@app.command()
def openapi() -> None:
    """Print the endpoint's OpenAPI document; the server itself has no route for it."""
    from serve.openapi import document

    typer.echo(json.dumps(document(), indent=2))


@contextmanager
def _told(console: Console) -> Iterator[None]:
    """Tell a LetheError in plain words and exit: 1 for the engine's failures, 2 for what the operator can mend."""
    try:
        yield
    except LetheError as error:
        console.print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True, highlight=False)
        raise typer.Exit(1 if isinstance(error, EngineError) else 2) from error


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
