"""Chat answers in the form of OpenAI's Responses."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from serve.dialects import responses_form as form
from serve.dialects.responses_schema import ResponsesBody
from serve.replies import dump

Json = dict[str, Any]
# Takes a response's id, the response itself, and the text in it.
Keep = Callable[[str, bytes, str], None]


class ResponsesTranslator:
    """Translates the answer to one request, of one choice; `keep`, if there is one, takes what the caller gets."""

    def __init__(self, asked: ResponsesBody, keep: Keep | None) -> None:
        self._asked = asked
        self._keep = keep
        self._head: form.Head | None = None
        self._finish = "stop"
        self._said = ""
        self._number = 0

    def whole(self, body: bytes) -> bytes:
        """See `serve.dialects.base.Translator`."""
        answer = json.loads(body)
        choice = answer["choices"][0]
        self._finish = choice["finish_reason"]
        self._said = choice["message"].get("content") or ""
        head = form.Head.of(answer)
        return dump(self._completed(head, [self._item(head)], answer["usage"]))

    def event(self, data: str) -> bytes:
        """See `serve.dialects.base.Translator`."""
        if data == "[DONE]":
            return b""
        answer = json.loads(data)
        if "error" in answer:
            error = answer["error"]
            return form.error_event(str(error.get("code") or "server_error"), str(error["message"]), self._number)
        head, made = form.Head.of(answer) if self._head is None else self._head, b""
        if self._head is None:
            self._head = head
            begun = form.response(self._asked, head, [], None, None)
            made = self._event("response.created", response=begun) + self._event("response.in_progress", response=begun)
        for choice in answer["choices"]:
            made += self._text(head, choice["delta"].get("content") or "")
            self._finish = choice.get("finish_reason") or self._finish
        if not answer["choices"] and answer.get("usage"):
            made += self._close(head, answer["usage"])
        return made

    def error(self, status: int, body: bytes) -> bytes:
        """See `serve.dialects.base.Translator`: the form is the same."""
        return body

    def _event(self, kind: str, **fields: Any) -> bytes:
        self._number += 1
        return form.event(kind, self._number - 1, **fields)

    def _item(self, head: form.Head) -> Json:
        return form.item(head, [form.part(self._said, done=True)] if self._said else [], done=True)

    def _text(self, head: form.Head, text: str) -> bytes:
        if not text:
            return b""
        made = b""
        where = {"output_index": 0, "item_id": head.item, "content_index": 0}
        if not self._said:
            opened = form.item(head, [], done=False)
            made += self._event("response.output_item.added", item=opened, output_index=0)
            made += self._event("response.content_part.added", part=form.part("", done=False), **where)
        self._said += text
        return made + self._event("response.output_text.delta", delta=text, logprobs=[], **where)

    def _close(self, head: form.Head, usage: Json) -> bytes:
        """All the rest; an answer without text has no message in its stream."""
        made, output = b"", []
        if self._said:
            where = {"output_index": 0, "item_id": head.item, "content_index": 0}
            output = [self._item(head)]
            made += self._event("response.output_text.done", text=self._said, logprobs=[], **where)
            made += self._event("response.content_part.done", part=form.part(self._said, done=True), **where)
            made += self._event("response.output_item.done", item=output[0], output_index=0)
        return made + self._event("response.completed", response=self._completed(head, output, usage))

    def _completed(self, head: form.Head, output: list[Json], usage: Json) -> Json:
        told = form.usage(usage["prompt_tokens"], usage["completion_tokens"])
        made = form.response(self._asked, head, output, self._finish, told)
        if self._keep is not None:
            self._keep(head.id, dump(made), self._said)
        return made
