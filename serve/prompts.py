"""Prompts from a file or standard input, one a line."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guard.conversation import single
from guard.errors import ConfigError
from guard.types import Conversation, Message
from serve.dialects.chat_schema import one_text

if TYPE_CHECKING:
    from classifiers.traffic import Prompt

# A broken line of the structured form must be told, and a prompt that only looks like JSON must not.
_STRUCTURED = re.compile(r'\s*\{.*"(text|messages)"\s*:', re.DOTALL)
_Line = tuple[Conversation, bool | None]


@contextmanager
def open_prompts(file: str) -> Iterator[Iterator[Conversation]]:
    """Each line's prompt, as it comes; the file is opened before anything is read, so that a wrong name shows at once.

    A line is text, or a JSON object with `text` or `messages`; any other JSON is text. Empty lines are passed over.

    Raises:
        ConfigError: names the file, and the line where there is one.
    """
    with _opened(file) as lines:
        yield (conversation for conversation, _ in lines)


def read_log(file: str, labels: str | None = None) -> list[Prompt]:
    """All prompts of a log, with their labels: `flag` true or false beside `text` or `messages`.

    A label in the file `labels`, of the same form, is that of every equal prompt of the log.

    Raises:
        ConfigError: as `open_prompts`; or no prompt of the log has one of the labels.
    """
    from classifiers.traffic import Prompt

    known: dict[Conversation, bool | None] = {}
    if labels is not None:
        with _opened(labels) as lines:
            known = {conversation: flag for conversation, flag in lines if flag is not None}
    with _opened(file) as lines:
        found = [Prompt(conversation, known.get(conversation, flag)) for conversation, flag in lines]
    if labels is not None and not any(prompt.conversation in known for prompt in found):
        raise ConfigError(f"no prompt of {file} has a label in {labels}; give the labels of that traffic")
    return found


@contextmanager
def _opened(file: str) -> Iterator[Iterator[_Line]]:
    if file == "-":
        # Not as the locale has it, which may let any byte through.
        piped = TextIOWrapper(sys.stdin.buffer, encoding="utf-8-sig")
        try:
            yield _read(piped, file)
        finally:
            piped.detach()
        return
    try:
        lines = Path(file).open(encoding="utf-8-sig")  # noqa: SIM115 (an error in the body is not this file's)
    except OSError as error:
        raise ConfigError(f"cannot read the prompts {file}: {error.strerror}") from error
    with lines:
        yield _read(lines, file)


def _read(lines: Iterable[str], file: str) -> Iterator[_Line]:
    try:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _prompt(line, f"{file}:{number}")
    except OSError as error:
        raise ConfigError(f"cannot read the prompts {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        name = "the standard input" if file == "-" else file
        raise ConfigError(f"{name} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error


def _prompt(line: str, where: str) -> _Line:
    if not _STRUCTURED.match(line):
        return single(line.strip()), None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where}: not valid JSON ({error})") from error
    if "text" not in record and "messages" not in record:
        return single(line.strip()), None
    flag = record.get("flag")
    if flag is not None and not isinstance(flag, bool):
        raise ConfigError(f"{where}: `flag` must be true or false")
    if "text" in record:
        return single(_text(record["text"], f"{where}: `text`")), flag
    messages = record["messages"]
    if not isinstance(messages, list) or not messages:
        raise ConfigError(f"{where}: `messages` must be a list of one or more, each with role and content")
    return Conversation(tuple(_message(message, where) for message in messages)), flag


def _message(message: Any, where: str) -> Message:
    if not isinstance(message, dict) or not isinstance(message.get("role"), str) or "content" not in message:
        raise ConfigError(f"{where}: every message needs a role, which is text, and a content")
    return Message(message["role"], _text(message["content"], f"{where}: a message's `content`"))


def _text(value: Any, where: str) -> str:
    """Text, or parts of text as the endpoint joins them."""
    try:
        text = one_text(value)
    except ValueError as error:
        raise ConfigError(f"{where} {error}") from error
    if not isinstance(text, str):
        raise ConfigError(f"{where} must be text, or a list of parts of type text")
    return text
