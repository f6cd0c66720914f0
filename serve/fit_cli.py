"""`lethe fit` and `lethe check`: fitting a policy's classifier, and asking it about prompts from a file."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from classifiers.words import counted
from guard.errors import ConfigError, LetheError
from guard.policy import Policy, load_policy, one_topic
from guard.secret import load_secret
from guard.types import Conversation, Detection
from serve.ask import ask_questions
from serve.fit_tables import show_drift, show_fit, show_recalibration
from serve.prompts import open_prompts, read_log

if TYPE_CHECKING:
    from classifiers.detector import ArtifactDetector
    from classifiers.traffic import Prompt

PolicyOption = Annotated[
    Path | None, typer.Option("--policy", help="The policy file.", show_default="the embedded policy")
]
_DEMO = Path(__file__).parent / "demo" / "policy.yaml"


def fit(
    policy: PolicyOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the artifact.", show_default="where `lethe serve` looks")
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option("--encoder", help="A sentence-transformers id or directory in place of the packaged MiniLM."),
    ] = None,
    tune: Annotated[
        bool, typer.Option("--tune", help="Train the encoder itself on the examples (minutes to an hour on a CPU).")
    ] = False,
    topic: Annotated[str | None, typer.Option(help="One topic by this name, without a policy file.")] = None,
    examples: Annotated[Path | None, typer.Option(help="That topic's examples: a file or folder.")] = None,
    alias: Annotated[list[str] | None, typer.Option(help="A name that topic goes by; may be given again.")] = None,
    description: Annotated[str | None, typer.Option(help="That topic in words.")] = None,
    retain: Annotated[Path | None, typer.Option(help="With --topic: what must still be answered.")] = None,
    false_flag_rate: Annotated[float | None, typer.Option(help="With --topic: as in a policy.")] = None,
    ask: Annotated[
        str | None, typer.Option(help="URL of an OpenAI-compatible server that writes questions on topics without any.")
    ] = None,
    ask_model: Annotated[str | None, typer.Option(help="The model to ask there.")] = None,
    recalibrate: Annotated[
        str | None, typer.Option(metavar="LOG", help="Only set the threshold, on these clean prompts (as for `check`).")
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="With --recalibrate: labels of its prompts, from `lethe flagged export`."),
    ] = None,
) -> None:
    """Train the topic classifier of a policy and show what its calibration can promise.

    Your own: `lethe fit --policy FILE`, or `lethe fit --topic NAME --examples FILE --out FOLDER`.
    """
    # Imported when needed: it takes seconds, which other commands should not wait for.
    from classifiers.encoder import PACKAGED
    from classifiers.fit import default_folder, fit_with_bar

    with _one_line_errors():
        loaded = _what(policy, topic, examples, alias, description, retain, false_flag_rate)
        if out is None and (encoder is not None or topic is not None):
            raise ConfigError(f"{'--topic' if topic else '--encoder'} needs --out, the folder to write the artifact to")
        if (ask is None) != (ask_model is None):
            raise ConfigError("--ask and --ask-model go together: a server's URL and the model to ask there")
        if labels is not None and recalibrate is None:
            raise ConfigError("--labels goes with --recalibrate LOG, whose prompts it labels")
        secret = load_secret()
        folder = out or default_folder(loaded, secret=secret)
        if recalibrate is not None:
            from classifiers.traffic import recalibrate as set_threshold

            known = loaded if policy or topic or not out else None
            _say(f"setting the thresholds of {_named(policy, loaded, topic) if known else 'the artifact'} in {folder}")
            artifact = set_threshold(folder, read_log(recalibrate, labels), policy=known, secret=secret)
            show_recalibration(artifact.figures, recalibrate)
            return
        needs = "many minutes" if tune else "a minute or two"
        _say(f"fitting {_named(policy, loaded, topic)} into {folder}; {needs} on two cores")
        if policy is None and topic is None:
            _say("one of your own: --policy FILE; a single topic: --topic NAME --examples FILE --out FOLDER")
        asked = ask_questions(loaded, url=ask, model=ask_model) if ask and ask_model else None
        show_fit(fit_with_bar(loaded, secret=secret, out=folder, encoder=encoder or PACKAGED, asked=asked, tune=tune))


def check(
    file: Annotated[
        str | None, typer.Argument(help="One prompt a line: text, or JSON with `text` or `messages`; - is stdin.")
    ] = None,
    policy: PolicyOption = None,
    artifact: Annotated[
        Path | None, typer.Option("--artifact", help="A fitted folder; left out, the policy's own, fitted if need be.")
    ] = None,
    stats: Annotated[
        str | None, typer.Option(metavar="LOG", help="Compare this log with the calibration sample (drift).")
    ] = None,
) -> None:
    """Say for every prompt of a file which topics are found in it, one JSON object a line, in order.

    A topic is found where its `probability` exceeds `threshold`, which depends on the request's size.
    """
    with _one_line_errors():
        if (file is None) == (stats is None):
            raise ConfigError("name either a file of prompts (- is stdin), or a log with --stats")
        if stats is not None:
            _compare(read_log(stats), policy, artifact)
            return
        with open_prompts(file or "-") as prompts:
            # Read before anything is loaded or fitted, which takes up to minutes.
            first = next(prompts, None)
            if first is None:
                _say(f"nothing to check: {'standard input' if file == '-' else file} holds no prompt")
                return
            _answer_all(chain([first], prompts), policy, artifact)


def _compare(log: list[Prompt], policy: Path | None, artifact: Path | None) -> None:
    from classifiers.traffic import drift

    if not log:
        raise ConfigError("the log holds no prompt, so there is nothing to compare; give one a line")
    folder, loaded, secret = _fitted(policy, artifact)
    show_drift(drift(folder, log, policy=loaded, secret=secret))


def _answer_all(prompts: Iterable[Conversation], policy: Path | None, artifact: Path | None) -> None:
    from classifiers.detector import load_detector

    folder, loaded, secret = _fitted(policy, artifact)
    detector = load_detector(folder, policy=loaded, secret=secret)
    for conversation in prompts:
        print(json.dumps(_answer(detector, conversation), ensure_ascii=False), flush=True)


def _fitted(policy: Path | None, artifact: Path | None) -> tuple[Path, Policy | None, bytes]:
    """The artifact's folder (the policy's own, fitted if need be, where none is named), its policy and the secret."""
    secret = load_secret()
    if artifact is not None:
        return artifact, load_policy(policy) if policy else None, secret
    from classifiers.fit import default_folder, ensure_artifact

    loaded = load_policy(policy or _DEMO)
    if not default_folder(loaded, secret=secret).exists():
        _say(f"there is no classifier of {_named(policy, loaded)} yet: fitting it, a minute or two on two cores")
    return ensure_artifact(loaded, secret=secret), loaded, secret


def _what(
    policy: Path | None,
    topic: str | None,
    examples: Path | None,
    alias: list[str] | None,
    description: str | None,
    retain: Path | None,
    false_flag_rate: float | None,
) -> Policy:
    """The policy that is named, or one made from the options of a single topic."""
    if topic is None:
        if examples or alias or description or retain or false_flag_rate is not None:
            raise ConfigError("--examples, --alias, --description, --retain and --false-flag-rate go with --topic NAME")
        return load_policy(policy or _DEMO)
    if policy is not None:
        raise ConfigError("give either --policy or --topic")
    rate: dict[str, Any] = {} if false_flag_rate is None else {"false_flag_rate": false_flag_rate}
    return one_topic(
        topic, examples=examples, retain=retain, aliases=tuple(alias or ()), description=description, **rate
    )


def _named(policy: Path | None, loaded: Policy, topic: str | None = None) -> str:
    if topic is not None:
        return f"the topic {topic!r}"
    return f"{policy or 'the embedded policy'} ({counted(len(loaded.topics), 'topic')})"


def _say(line: str) -> None:
    print(f"lethe: {line}", file=sys.stderr)


@contextmanager
def _one_line_errors() -> Iterator[None]:
    try:
        yield
    except LetheError as error:
        _say(str(error))
        raise typer.Exit(2) from error


def _answer(detector: ArtifactDetector, conversation: Conversation) -> dict[str, Any]:
    started = time.perf_counter()
    found = detector.detect(conversation)
    milliseconds = round((time.perf_counter() - started) * 1000, 1)
    return {
        "flagged": bool(found),
        "topics": [_topic(detection) for detection in found],
        "threshold": _rounded(detector.threshold(conversation)),
        "milliseconds": milliseconds,
    }


def _topic(detection: Detection) -> dict[str, Any]:
    spans = [{"message": span.message, "start": span.start, "end": span.end} for span in detection.spans]
    return {"topic": detection.topic, "probability": _rounded(detection.probability), "spans": spans}


def _rounded(probability: float) -> float:
    """Four digits that count: the thresholds of rare topics lie far below one half."""
    return float(f"{probability:.4g}")
