"""Chat answers in the form of OpenAI's Responses."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from serve.dialects import responses_form as form
from serve.dialects.responses_output import Output
from serve.dialects.responses_schema import ResponsesBody
from serve.replies import dump

Json = dict[str, Any]
# Takes a response's id, the response itself, and what it says as a turn of a chat.
Keep = Callable[[str, bytes, Json | None], None]


class ResponsesTranslator:
    """Translates the answer to one request, of one choice; `keep`, if there is one, takes what the caller gets."""

    def __init__(self, asked: ResponsesBody, keep: Keep | None) -> None:
        self._asked = asked
        self._keep = keep
        self._output: Output | None = None
        self._finish = "stop"
        self._number = 0

    def whole(self, body: bytes) -> bytes:
        """See `serve.dialects.base.Translator`."""
        answer = json.loads(body)
        choice = answer["choices"][0]
        self._finish = choice["finish_reason"]
        head = form.Head.of(answer)
        message, output = choice["message"], Output(head, self._event)
        calls = [call | {"index": number} for number, call in enumerate(message.get("tool_calls") or ())]
        output.delta(message | {"tool_calls": calls})
        output.close()
        for item in output.items:
            if item["type"] == "reasoning":
                item["status"] = None  # vLLM tells it in streams alone
        if not output.items:
            output.items.append(form.written("message", head.item("msg", 0), "", done=True))
        return dump(self._completed(head, output, answer["usage"]))

    def event(self, data: str) -> bytes:
        """See `serve.dialects.base.Translator`."""
        if data == "[DONE]":
            return b""
        answer = json.loads(data)
        if "error" in answer:
            error = answer["error"]
            return form.error_event(str(error.get("code") or "server_error"), str(error["message"]), self._number)
        head, made = form.Head.of(answer), b""
        if self._output is None:
            self._output = Output(head, self._event)
            begun = form.response(self._asked, head, [], None, None)
            made = self._event("response.created", response=begun) + self._event("response.in_progress", response=begun)
        for choice in answer["choices"]:
            made += self._output.delta(choice["delta"])
            self._finish = choice.get("finish_reason") or self._finish
        if not answer["choices"] and answer.get("usage"):
            # An answer without text has no message in its stream.
            made += self._output.close()
            made += self._event("response.completed", response=self._completed(head, self._output, answer["usage"]))
        return made

    def error(self, status: int, body: bytes) -> bytes:
        """See `serve.dialects.base.Translator`: the form is the same."""
        return body

    def _event(self, kind: str, **fields: Any) -> bytes:
        self._number += 1
        return form.event(kind, self._number - 1, **fields)

    def _completed(self, head: form.Head, output: Output, usage: Json) -> Json:
        made = form.response(self._asked, head, output.items, self._finish, form.usage(usage))
        if self._keep is not None:
            self._keep(head.id, dump(made), output.said)
        return made
