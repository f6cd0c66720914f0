"""The items of a response while they are written: thoughts, messages and calls of functions, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from serve.dialects import responses_form as form
from serve.dialects.chat_parts import CONTENT, thoughts_of
from serve.dialects.tools_schema import object_of

Json = dict[str, Any]


class Output:
    """Takes one choice as deltas of a chat tell it, and tells it in the events in which vLLM does.

    `event` numbers and writes one event of a kind and its fields. `said` is the choice as a turn of a chat.
    """

    def __init__(self, head: form.Head, event: Callable[..., bytes]) -> None:
        self._head = head
        self._event = event
        self._texts: dict[str, list[str]] = {"reasoning": [], "message": []}  # of every item of a kind
        self._calls: list[Json] = []
        self._open: Json | None = None  # the item that is being written
        self._call: int | None = None
        self.items: list[Json] = []

    @property
    def said(self) -> Json | None:
        """The answer as a turn of a chat; None where nothing was thought or said and no function called."""
        thought, text = ("".join(self._texts[kind]) for kind in ("reasoning", "message"))
        if not (thought or text or self._calls):
            return None
        called = [(call["call_id"], {name: call[name] for name in ("name", "arguments")}) for call in self._calls]
        calls = {"tool_calls": [{"id": id, "function": function} for id, function in called]} if called else {}
        thinking = {"reasoning": thought} if thought else {}
        return {"role": "assistant", "content": text or (None if called else "")} | thinking | calls

    def delta(self, delta: Json) -> bytes:
        """The events for some more of the choice."""
        made = self._write("reasoning", thought) if (thought := thoughts_of(delta)) else b""
        made += self._write("message", delta[CONTENT]) if delta.get(CONTENT) else b""
        return made + b"".join(self._grow(call) for call in delta.get("tool_calls") or ())

    def close(self) -> bytes:
        """The end of the item that is open."""
        if self._open is None:
            return b""
        item, self._open, self._call = self._open, None, None
        where = {"output_index": len(self.items), "item_id": item["id"]}
        made, item = self._called(item, where) if item["type"] == "function_call" else self._written(item, where)
        self.items.append(item)
        return made + self._event("response.output_item.done", item=item, output_index=where["output_index"])

    def _called(self, item: Json, where: Json) -> tuple[bytes, Json]:
        item["status"] = "incomplete" if object_of(item["arguments"]) is None else "completed"
        self._calls.append(item)
        kind = "response.function_call_arguments.done"
        return self._event(kind, arguments=item["arguments"], name=item["name"], **where), item

    def _written(self, item: Json, where: Json) -> tuple[bytes, Json]:
        kind, at = item["type"], where | {"content_index": 0}
        text = self._texts[kind][-1]
        part = form.part(kind, text, done=True)
        made = self._event(f"response.{part['type']}.done", text=text, **_scores(kind), **at)
        made += self._event("response.content_part.done", part=part, **at)
        return made, form.written(kind, item["id"], text, done=True)

    def _write(self, kind: str, text: str) -> bytes:
        made, part = b"", form.part(kind, "", done=False)
        if self._open is None or self._open["type"] != kind:
            made = self.close()
            id = self._head.item("rs" if kind == "reasoning" else "msg", len(self.items))
            made += self._added(form.written(kind, id, "", done=False))
            self._texts[kind].append("")
            made += self._event("response.content_part.added", part=part, **self._at())
        self._texts[kind][-1] += text
        return made + self._event(f"response.{part['type']}.delta", delta=text, **_scores(kind), **self._at())

    def _at(self) -> Json:
        assert self._open is not None
        return {"output_index": len(self.items), "item_id": self._open["id"], "content_index": 0}

    def _grow(self, call: Json) -> bytes:
        function, made = call.get("function") or {}, b""
        if function.get("name"):
            made = self.close()
            id = self._head.item("fc", len(self.items))
            made += self._added(form.call(id, str(call.get("id")), function["name"], "", "in_progress"))
            self._call = call["index"]
        arguments = function.get("arguments")
        if not arguments or self._open is None or self._call != call["index"]:
            return made
        self._open["arguments"] += arguments
        where = {"output_index": len(self.items), "item_id": self._open["id"]}
        return made + self._event("response.function_call_arguments.delta", delta=arguments, **where)

    def _added(self, item: Json) -> bytes:
        self._open = dict(item)
        return self._event("response.output_item.added", item=item, output_index=len(self.items))


def _scores(kind: str) -> Json:
    """What the events of a message's text have besides."""
    return {"logprobs": []} if kind == "message" else {}
