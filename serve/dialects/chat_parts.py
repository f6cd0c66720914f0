"""The texts of one choice of a chat answer: what was thought, what was said, and what tools were called with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from guard.errors import EngineError
from guard.output.sentences import SEPARATOR

Json = dict[str, Any]

CONTENT = "content"
# What vLLM calls the text of thoughts, now and formerly.
THOUGHTS = ("reasoning", "reasoning_content")
# The texts of a call. The first two come at once, and mean nothing in part.
_HEAD = ("id", "name")
_ARGUMENTS = "arguments"


class Part(NamedTuple):
    """Some of the text of a field; `call` is the number of the tool call that it belongs to."""

    field: str
    text: str
    call: int = 0


def parts_of(said: Json) -> list[Part]:
    """The texts of a message, or of a delta, in the order in which a model writes them; none is empty."""
    found = [Part(field, said.get(field) or "") for field in (*THOUGHTS, CONTENT)]
    for number, call in enumerate(said.get("tool_calls") or ()):
        function = call.get("function") or {}
        texts = (call.get("id"), function.get("name"), function.get(_ARGUMENTS))
        at = call.get("index", number)
        found += [Part(field, text or "", at) for field, text in zip((*_HEAD, _ARGUMENTS), texts, strict=True)]
    return [part for part in found if part.text]


def joined(parts: Iterable[Part]) -> dict[tuple[str, int], str]:
    """The whole text of every field of every call."""
    texts: dict[tuple[str, int], str] = {}
    for part in parts:
        texts[part.field, part.call] = texts.get((part.field, part.call), "") + part.text
    return texts


def put(message: Json, parts: Iterable[Part], *, cut: bool) -> None:
    """Write into a whole message what was released of it; where it was `cut`, without the call that it ended in."""
    texts = joined(parts)
    for field in THOUGHTS:
        if field in message:
            message[field] = texts.get((field, 0))
    calls = []
    for number, call in enumerate(message.get("tool_calls") or ()):
        function = call["function"]
        function["name"], arguments = texts.get(("name", number)), texts.get((_ARGUMENTS, number), "")
        whole = function["name"] is not None and (not cut or arguments == function[_ARGUMENTS])
        if whole:
            function[_ARGUMENTS] = arguments
            calls.append(call)
    message.pop("tool_calls", None)
    if calls:
        message["tool_calls"] = calls
    # Where tools were called nothing need be said.
    silent = message.get(CONTENT) is None and bool(calls or any(message.get(field) for field in THOUGHTS))
    message[CONTENT] = texts.get((CONTENT, 0), None if silent else "")


def deltas(parts: Iterable[Part]) -> Iterator[Json]:
    """What was released, as the deltas of a stream."""
    head: Json = {}
    for part in parts:
        if part.field == "id":
            head = {"id": part.text, "type": "function"}
        elif part.field == "name":
            yield {"tool_calls": [head | {"index": part.call, "function": {"name": part.text, _ARGUMENTS: ""}}]}
        elif part.field == _ARGUMENTS:
            yield {"tool_calls": [{"index": part.call, "function": {_ARGUMENTS: part.text}}]}
        else:
            yield {part.field: part.text}


class Woven:
    """The texts of a choice as one, for its watch, and what the watch lets out as texts again.

    So what one of them brings up is alive in the next, and nothing of a choice leaves where all of it is held.
    """

    def __init__(self) -> None:
        self._last: tuple[str, int] | None = None
        self._order: list[tuple[str, int]] = []
        self._head = ""
        self._heads: list[Part] = []

    def weave(self, parts: Iterable[Part]) -> str:
        """The next texts, with a separator where another begins, and behind what is complete.

        Raises:
            EngineError: one holds the separator.
        """
        woven = ""
        for field, text, call in parts:
            if SEPARATOR in text:
                raise EngineError("the model server's answer holds a letter that stands between texts")
            if (field, call) != self._last:
                woven += SEPARATOR if self._last is not None else ""
                self._order.append((field, call))
            woven += text
            self._last = (field, call)
            if field in _HEAD:
                woven += SEPARATOR
                self._last = None
        return woven

    def part(self, text: str) -> list[Part]:
        """The texts of a release; a call's identity and name together, once they are complete."""
        parts: list[Part] = []
        first, *others = text.split(SEPARATOR)
        self._next(parts, first)
        for piece in others:
            field, call = self._order.pop(0)
            if self._head:
                self._heads.append(Part(field, self._head, call))
                self._head = ""
            if field == "name":
                parts += self._heads
                self._heads = []
            self._next(parts, piece)
        return parts

    def _next(self, parts: list[Part], piece: str) -> None:
        if not piece:
            return
        field, call = self._order[0]
        if field in _HEAD:
            self._head += piece
        else:
            parts.append(Part(field, piece, call))
