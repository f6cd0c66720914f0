"""Prompts from a file or standard input, one a line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from guard.conversation import single
from guard.errors import ConfigError
from guard.types import Conversation, Message

if TYPE_CHECKING:
    from classifiers.traffic import Prompt


def read_prompts(file: str) -> Iterator[Conversation]:
    """Each line's prompt, as it comes: text, or JSON with `text` or `messages`; empty lines are passed over.

    Raises:
        ConfigError: names the file, and the line where there is one.
    """
    for conversation, _ in _lines(file):
        yield conversation


def read_log(file: str) -> list[Prompt]:
    """All prompts of a log, with their labels: `flag` true or false in a line's JSON.

    Raises:
        ConfigError: as `read_prompts`.
    """
    from classifiers.traffic import Prompt

    return [Prompt(conversation, flag) for conversation, flag in _lines(file)]


def _lines(file: str) -> Iterator[tuple[Conversation, bool | None]]:
    with _opened(file) as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _prompt(line, f"{file}:{number}")


@contextmanager
def _opened(file: str) -> Iterator[IO[str]]:
    try:
        if file == "-":
            yield sys.stdin
        else:
            with Path(file).open(encoding="utf-8-sig") as lines:
                yield lines
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error


def _prompt(line: str, where: str) -> tuple[Conversation, bool | None]:
    """A line that starts with a brace is JSON; every other line is the prompt itself."""
    if not line.lstrip().startswith("{"):
        return single(line.strip()), None
    try:
        record = json.loads(line)
    except ValueError as error:
        raise ConfigError(f"{where}: not valid JSON ({error})") from error
    flag = record.get("flag")
    if flag is not None and not isinstance(flag, bool):
        raise ConfigError(f"{where}: `flag` must be true or false")
    if isinstance(record.get("text"), str):
        return single(record["text"]), flag
    messages = record.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ConfigError(f"{where}: the object needs `text`, or `messages` with role and content")
    return Conversation(tuple(_message(message, where) for message in messages)), flag


def _message(message: Any, where: str) -> Message:
    if isinstance(message, dict) and isinstance(message.get("role"), str) and isinstance(message.get("content"), str):
        return Message(message["role"], message["content"])
    raise ConfigError(f"{where}: every message needs a role and a content, both text")
