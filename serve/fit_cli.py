"""`lethe fit` and `lethe check`: fitting a policy's classifier, and asking it about prompts from a file."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from guard.conversation import single
from guard.errors import ConfigError, LetheError
from guard.policy import load_policy
from guard.secret import load_secret
from guard.types import Conversation, Detection, Detector, Message

if TYPE_CHECKING:
    from classifiers.fit import FitReport

PolicyOption = Annotated[Path, typer.Option("--policy", help="The policy file.")]
_DEMO = Path(__file__).parent / "demo" / "policy.yaml"


def fit(
    policy: PolicyOption = _DEMO,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the artifact; left out, where `lethe serve` looks for it.")
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option("--encoder", help="A sentence-transformers id or directory in place of the packaged MiniLM."),
    ] = None,
) -> None:
    """Train the topic classifier of a policy and show what its calibration can promise."""
    # Imported when needed: it takes seconds, which other commands should not wait for.
    from classifiers.encoder import PACKAGED
    from classifiers.fit import default_folder, fit_with_bar

    with _one_line_errors():
        if encoder is not None and out is None:
            raise ConfigError("--encoder needs --out; name that folder to `lethe serve --artifact`")
        loaded, secret = load_policy(policy), load_secret()
        folder = out or default_folder(loaded, secret=secret)
        _show(fit_with_bar(loaded, secret=secret, out=folder, encoder=encoder or PACKAGED))


def check(
    file: Annotated[
        str, typer.Argument(help="One prompt a line: text, or JSON with `text` or `messages`; - is stdin.")
    ],
    policy: PolicyOption = _DEMO,
    artifact: Annotated[
        Path | None, typer.Option("--artifact", help="A fitted folder; left out, the policy's own, fitted if need be.")
    ] = None,
) -> None:
    """Say for every prompt of a file which topics are found in it, one JSON object a line, in order."""
    from classifiers.detector import load_detector
    from classifiers.fit import ensure_artifact

    with _one_line_errors():
        loaded, secret = load_policy(policy), load_secret()
        folder = artifact or ensure_artifact(loaded, secret=secret)
        detector = load_detector(folder, policy=loaded, secret=secret)
        with _opened(file) as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    print(
                        json.dumps(_answer(detector, _prompt(line, f"{file}:{number}")), ensure_ascii=False), flush=True
                    )


@contextmanager
def _one_line_errors() -> Iterator[None]:
    try:
        yield
    except LetheError as error:
        print(f"lethe: {error}", file=sys.stderr)
        raise typer.Exit(2) from error


@contextmanager
def _opened(file: str) -> Iterator[IO[str]]:
    if file == "-":
        yield sys.stdin
        return
    try:
        with Path(file).open(encoding="utf-8") as lines:
            yield lines
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error


def _prompt(line: str, where: str) -> Conversation:
    """A line that starts with a brace is JSON; every other line is the prompt itself."""
    if not line.lstrip().startswith("{"):
        return single(line.strip())
    try:
        record = json.loads(line)
    except ValueError as error:
        raise ConfigError(f"{where}: not valid JSON ({error})") from error
    if isinstance(record.get("text"), str):
        return single(record["text"])
    messages = record.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ConfigError(f"{where}: the object needs `text`, or `messages` with role and content")
    return Conversation(tuple(_message(message, where) for message in messages))


def _message(message: Any, where: str) -> Message:
    if isinstance(message, dict) and isinstance(message.get("role"), str) and isinstance(message.get("content"), str):
        return Message(message["role"], message["content"])
    raise ConfigError(f"{where}: every message needs a role and a content, both text")


def _answer(detector: Detector, conversation: Conversation) -> dict[str, Any]:
    started = time.perf_counter()
    found = detector.detect(conversation)
    return {
        "flagged": bool(found),
        "topics": [_topic(detection) for detection in found],
        "milliseconds": round((time.perf_counter() - started) * 1000, 1),
    }


def _topic(detection: Detection) -> dict[str, Any]:
    spans = [{"message": span.message, "start": span.start, "end": span.end} for span in detection.spans]
    return {"topic": detection.topic, "probability": round(detection.probability, 4), "spans": spans}


def _show(report: FitReport) -> None:
    figures = report.figures
    table = Table(title=f"{report.topics} topics, {report.texts} texts, {report.seconds:.0f} s", title_justify="left")
    table.add_column("on held-out questions")
    for column in ("n", "rate", "95% interval"):
        table.add_column(column, justify="right")
    caught = f"{figures.caught_low:.1%} to {figures.caught_high:.1%}"
    table.add_row("caught", str(figures.positives), f"{figures.caught:.1%}", caught)
    flags = f"{figures.false_flags_low:.2%} to {figures.false_flags_high:.2%}"
    table.add_row("false flags", str(figures.negatives), f"{figures.false_flags:.2%}", flags)
    console = Console()
    console.print(table)
    console.print(
        f"target false-flag rate {figures.target_rate:.2%} a request; "
        f"this sample can certify {figures.smallest_certifiable_rate:.2%} or more"
    )
    console.print(f"artifact: {report.out}", soft_wrap=True)
