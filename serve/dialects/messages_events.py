"""The events of an Anthropic stream: blocks that open, grow and close, one at a time."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from serve.dialects.chat_parts import thoughts_of
from serve.dialects.tools_schema import object_of
from serve.replies import dump
from serve.sse import encode

Json = dict[str, Any]


def event(kind: str, **fields: Any) -> bytes:
    """One event, under its name."""
    return encode(dump({"type": kind} | fields).decode(), kind)


def signature() -> str:
    """What stands where Anthropic signs thoughts; it is nobody's, like vLLM's."""
    return uuid4().hex


class Blocks:
    """Writes one choice's thoughts, texts and calls, as deltas of a chat tell them, in the events in which vLLM does.

    What is said beside a call comes behind it, in a block of its own.
    """

    def __init__(self) -> None:
        self._index = 0
        self._open: str | None = None
        self._call: int | None = None
        self._arguments = ""
        self._beside = ""
        self.called = False

    @property
    def complete(self) -> bool:
        """Whether the last call, in which alone an answer can be cut, may be run."""
        return self.called and object_of(self._arguments, strict=True) is not None

    def delta(self, delta: Json) -> bytes:
        """The events for some more of the choice."""
        made = self._think(thought) if (thought := thoughts_of(delta)) else b""
        if text := delta.get("content"):
            if self._open == "tool_use":
                self._beside += text
            else:
                made += self._say(text)
        for call in delta.get("tool_calls") or ():
            made += self._grow(call)
        return made

    def close(self) -> bytes:
        """The end of the block that is open, and what was said beside it."""
        made = self._stop()
        beside, self._beside = self._beside, ""
        return made + (self._say(beside) + self._stop() if beside else b"")

    def _think(self, thought: str) -> bytes:
        made = b"" if self._open == "thinking" else self.close() + self._start("thinking", thinking="")
        return made + self._delta("thinking_delta", thinking=thought)

    def _say(self, text: str) -> bytes:
        made = b"" if self._open == "text" else self._stop() + self._start("text", text="")
        return made + self._delta("text_delta", text=text)

    def _grow(self, call: Json) -> bytes:
        function, made = call.get("function") or {}, b""
        if function.get("name"):
            made = self.close()
            self.called, self._call, self._arguments = True, call["index"], ""
            made += self._start("tool_use", id=call.get("id"), name=function["name"], input={})
        arguments = function.get("arguments")
        if not arguments or call["index"] != self._call:
            return made
        self._arguments += arguments
        return made + self._delta("input_json_delta", partial_json=arguments)

    def _start(self, kind: str, **fields: Any) -> bytes:
        self._open = kind
        return event("content_block_start", content_block={"type": kind} | fields, index=self._index)

    def _delta(self, kind: str, **fields: Any) -> bytes:
        return event("content_block_delta", delta={"type": kind} | fields, index=self._index)

    def _stop(self) -> bytes:
        if self._open is None:
            return b""
        signed = self._delta("signature_delta", signature=signature()) if self._open == "thinking" else b""
        self._open, self._call = None, None
        self._index += 1
        return signed + event("content_block_stop", index=self._index - 1)
