"""The items of a response while they are written: messages and calls of functions, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from serve.dialects import responses_form as form
from serve.dialects.tools_schema import object_of

Json = dict[str, Any]


class Output:
    """Takes one choice as deltas of a chat tell it, and tells it in the events in which vLLM does.

    `event` numbers and writes one event of a kind and its fields. `said` is the choice as a turn of a chat.
    """

    def __init__(self, head: form.Head, event: Callable[..., bytes]) -> None:
        self._head = head
        self._event = event
        self._texts: list[str] = []
        self._calls: list[Json] = []
        self._open: Json | None = None  # the item that is being written
        self._call: int | None = None
        self.items: list[Json] = []

    @property
    def said(self) -> Json | None:
        """The answer as a turn of a chat; None where nothing was said and no function called."""
        text = "".join(self._texts)
        if not text and not self._calls:
            return None
        called = [(call["call_id"], {name: call[name] for name in ("name", "arguments")}) for call in self._calls]
        calls = {"tool_calls": [{"id": id, "function": function} for id, function in called]} if called else {}
        return {"role": "assistant", "content": text or None} | calls

    def delta(self, delta: Json) -> bytes:
        """The events for some more of the choice."""
        made = self._say(delta["content"]) if delta.get("content") else b""
        return made + b"".join(self._grow(call) for call in delta.get("tool_calls") or ())

    def close(self) -> bytes:
        """The end of the item that is open."""
        if self._open is None:
            return b""
        item, self._open, self._call = self._open, None, None
        where = {"output_index": len(self.items), "item_id": item["id"]}
        if item["type"] == "message":
            made, item = self._said(item["id"], where)
        else:
            item["status"] = "incomplete" if object_of(item["arguments"]) is None else "completed"
            kind = "response.function_call_arguments.done"
            made = self._event(kind, arguments=item["arguments"], name=item["name"], **where)
            self._calls.append(item)
        self.items.append(item)
        return made + self._event("response.output_item.done", item=item, output_index=where["output_index"])

    def _said(self, id: str, where: Json) -> tuple[bytes, Json]:
        at, text = where | {"content_index": 0}, self._texts[-1]
        made = self._event("response.output_text.done", text=text, logprobs=[], **at)
        made += self._event("response.content_part.done", part=form.part(text, done=True), **at)
        return made, form.message(id, text, done=True)

    def _say(self, text: str) -> bytes:
        made = b""
        if self._open is None or self._open["type"] != "message":
            made = self.close()
            made += self._added(form.message(self._head.item("msg", len(self.items)), "", done=False))
            self._texts.append("")
            made += self._event("response.content_part.added", part=form.part("", done=False), **self._at())
        self._texts[-1] += text
        return made + self._event("response.output_text.delta", delta=text, logprobs=[], **self._at())

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
