"""The texts of one choice of a chat answer: what was thought, what was said, and what tools were called with."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from guard.errors import EngineError
from guard.output.sentences import SEPARATOR
from guard.types import Masked, Release
from serve.dialects.escapes import Unescaped

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


def thoughts_of(said: Json) -> str:
    """The thoughts of a message, or of a delta; some servers tell them under both names."""
    return next((said[field] for field in THOUGHTS if said.get(field)), "")


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


class _Text:
    """A text whose letters go through the watch; those of arguments with what each was written as, until it leaves."""

    def __init__(self, field: str, call: int) -> None:
        self.field = field
        self.call = call
        self._escapes = Unescaped() if field == _ARGUMENTS else None
        self._written: deque[str] = deque()

    @property
    def key(self) -> tuple[str, int]:
        return self.field, self.call

    @property
    def torn(self) -> bool:
        return self._escapes is not None and self._escapes.torn

    def read(self, text: str, *, last: bool = False) -> str:
        """The next letters, as they are read."""
        if self._escapes is None:
            return text
        pairs = list(self._escapes.feed(text, last=last))
        self._written += (written for _, written in pairs)
        return "".join(letter for letter, _ in pairs)

    def leave(self, piece: str, masked: Iterable[Masked]) -> str:
        """A piece of a release as the model wrote it, but for masks in it."""
        if self._escapes is None:
            return piece
        made, place = "", 0
        for at, shown, hidden in masked:
            made += self._take(at - place) + piece[at : at + shown]
            self._take(hidden)
            place = at + shown
        return made + self._take(len(piece) - place)

    def _take(self, count: int) -> str:
        return "".join(self._written.popleft() for _ in range(count))


class Woven:
    """The texts of a choice as one, for its watch, and what the watch lets out as texts again.

    So what one of them brings up is alive in the next, and nothing of a choice leaves where all of it is held. What
    tools are called with is JSON, which the watch reads without its escapes; it leaves as it was written.
    """

    def __init__(self) -> None:
        self._last: _Text | None = None
        self._order: deque[_Text] = deque()
        self._torn: set[int] = set()
        self._head = ""
        self._heads: list[Part] = []

    def weave(self, parts: Iterable[Part], *, last: bool) -> str:
        """The next texts, with a separator where another begins, and behind what is complete.

        Raises:
            EngineError: one holds the separator, or goes on behind another within an escape.
        """
        woven = ""
        for field, text, call in parts:
            if self._last is None or (field, call) != self._last.key:
                woven += self._ended()
                self._last = _Text(field, call)
                self._order.append(self._last)
                if field == _ARGUMENTS and call in self._torn:
                    raise EngineError("the model server's answer tears an escape of a call's arguments")
            woven += _whole(self._last.read(text))
            if field in _HEAD:
                woven += SEPARATOR
                self._last = None
        return woven + (_whole(self._last.read("", last=True)) if last and self._last is not None else "")

    def _ended(self) -> str:
        """What closes the text before another one."""
        if self._last is None:
            return ""
        if self._last.torn:
            self._torn.add(self._last.call)
        return _whole(self._last.read("", last=True)) + SEPARATOR

    def part(self, release: Release) -> list[Part]:
        """The texts of a release; a call's identity and name together, once they are complete."""
        parts: list[Part] = []
        start = 0
        for number, piece in enumerate(release.text.split(SEPARATOR)):
            if number:
                self._over(parts)
            end = start + len(piece)
            if self._order:
                masked = [mask._replace(at=mask.at - start) for mask in release.masked if start <= mask.at <= end]
                self._next(parts, self._order[0].leave(piece, masked))
            start = end + 1
        return parts

    def _over(self, parts: list[Part]) -> None:
        """One text is complete."""
        text = self._order.popleft()
        if self._head:
            self._heads.append(Part(text.field, self._head, text.call))
            self._head = ""
        if text.field == "name":
            parts += self._heads
            self._heads = []

    def _next(self, parts: list[Part], piece: str) -> None:
        if not piece:
            return
        text = self._order[0]
        if text.field in _HEAD:
            self._head += piece
        else:
            parts.append(Part(text.field, piece, text.call))


def _whole(text: str) -> str:
    if SEPARATOR in text:
        raise EngineError("the model server's answer holds a letter that stands between texts")
    return text
