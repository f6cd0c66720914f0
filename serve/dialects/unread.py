"""What no guard reads: images, sounds and films in what a user says, which a policy may let pass as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guard.errors import RequestError

Json = dict[str, Any]
# Of a message by its number, all its parts as they came.
Unread = Mapping[int, Sequence[Json]]

# What each may hold, all of it text that no model reads. Whatever else vLLM takes (embeddings, an identity under which
# it keeps what other callers sent) stays refused.
_KINDS = {
    "image_url": frozenset(("url", "detail")),
    "input_audio": frozenset(("data", "format")),
    "audio_url": frozenset(("url",)),
    "video_url": frozenset(("url",)),
}


def apart(fields: Json) -> tuple[Json, Unread]:
    """A chat's fields without such parts, which leave only text to be read, and the parts of the messages with some.

    Raises:
        RequestError: 400, naming a part that holds more.
    """
    messages = fields.get("messages")
    if not isinstance(messages, list):
        return fields, {}
    unread = {number: parts for number, message in enumerate(messages) if (parts := _parts(message))}
    for number, parts in unread.items():
        for at, part in enumerate(parts):
            _check(part, f"messages[{number}].content[{at}]")
    texts = {number: [part for part in parts if not _is_unread(part)] or "" for number, parts in unread.items()}
    read = [m | {"content": texts[number]} if number in texts else m for number, m in enumerate(messages)]
    return fields | {"messages": read}, unread


def with_unread(turns: Sequence[Json], unread: Unread) -> list[Json]:
    """The turns, as the model server takes them, with all their parts."""
    return [turn | {"content": unread[number]} if number in unread else turn for number, turn in enumerate(turns)]


def _parts(message: Any) -> list[Any]:
    """The parts of what a user says, where a part of it cannot be read."""
    said = message.get("content") if isinstance(message, dict) and message.get("role") == "user" else None
    return said if isinstance(said, list) and any(map(_is_unread, said)) else []


def _is_unread(part: Any) -> bool:
    return isinstance(part, dict) and isinstance(part.get("type"), str) and part["type"] in _KINDS


def _check(part: Any, param: str) -> None:
    if not _is_unread(part):
        return
    kind = part["type"]
    held = part.get(kind)
    known = part.keys() == {"type", kind} and isinstance(held, dict) and held.keys() <= _KINDS[kind]
    if not known or not all(isinstance(value, str) for value in held.values()):
        told = f"`{param}` may hold `type` and `{kind}` with {' and '.join(sorted(_KINDS[kind]))}, which are strings"
        raise RequestError(400, told, code="invalid_value", param=param)
