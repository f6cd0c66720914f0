"""What an answer tells of itself, in whatever dialect: its identity, how much it says, and whether more will come."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

Json = dict[str, Any]

_ENDS = frozenset(("message_stop", "response.completed"))


class Told(NamedTuple):
    """A whole answer or one event: its id, if it has one, how many characters are new in it, whether it is the last."""

    id: str | None
    characters: int
    last: bool = False


def told(data: str) -> Told:
    """Read a whole answer or the data of one event.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: it has none of the forms that are known.
    """
    if data == "[DONE]":
        return Told(None, 0, last=True)
    answer: Json = json.loads(data)
    # The first event of a stream of messages or responses holds the answer's head.
    head = answer.get("message") or answer.get("response") or answer
    return Told(head.get("id"), sum(map(len, _texts(answer))), last=answer.get("type") in _ENDS)


def _texts(answer: Json) -> list[str]:
    if "choices" in answer:
        return [_said(choice) for choice in answer["choices"]]
    if "delta" in answer:
        delta = answer["delta"]
        return [delta if isinstance(delta, str) else delta.get("text") or ""]
    if "output" in answer:
        return [part["text"] for item in answer["output"] for part in item.get("content", [])]
    return [part.get("text", "") for part in answer.get("content", [])]


def _said(choice: Json) -> str:
    said = choice.get("message") or choice.get("delta") or {}
    return choice.get("text") or said.get("content") or ""
