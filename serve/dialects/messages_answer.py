"""Chat answers in the form of Anthropic's messages, as https://docs.anthropic.com/en/api/messages tells it."""

from __future__ import annotations

import json
from typing import Any

from serve.dialects.chat_parts import thoughts_of
from serve.dialects.messages_events import Blocks, event, signature
from serve.dialects.tools_schema import object_of
from serve.replies import dump
from serve.sse import encode

Json = dict[str, Any]

_ERRORS = {
    401: "authentication_error", 403: "permission_error", 404: "not_found_error", 413: "request_too_large",
    429: "rate_limit_error",
}  # fmt: skip
_UNTOLD = "the model server failed"


class MessagesTranslator:
    """Translates the answer to one request, of one choice; a stream's prompt has `prompt_tokens`."""

    def __init__(self, prompt_tokens: int) -> None:
        self._prompt_tokens = prompt_tokens
        self._begun = False
        self._blocks = Blocks()
        self._end: Json = {}

    def whole(self, body: bytes) -> bytes:
        """See `serve.dialects.base.Translator`."""
        answer = json.loads(body)
        choice, usage = answer["choices"][0], answer["usage"]
        said, calls = choice["message"].get("content"), _calls(choice["message"])
        thought = thoughts_of(choice["message"])
        before = [{"type": "thinking", "thinking": thought, "signature": signature()}] if thought else []
        # Where nothing is said that is told as an empty text.
        texts = [{"type": "text", "text": said or ""}] if said or not (before or calls) else []
        told = _usage(usage["prompt_tokens"], usage["completion_tokens"])
        return dump(_message(answer, [*before, *texts, *calls], _stopped(choice, called=bool(calls)), told))

    def event(self, data: str) -> bytes:
        """See `serve.dialects.base.Translator`."""
        if data == "[DONE]":
            return event("message_stop")
        answer = json.loads(data)
        if "error" in answer:
            return encode(self.error(500, data.encode()).decode(), "error")
        made = b"" if self._begun else self._start(answer)
        for choice in answer["choices"]:
            made += self._blocks.delta(choice["delta"])
            if choice.get("finish_reason") is not None:
                self._end = choice
        if not answer["choices"] and answer.get("usage"):
            made += self._finish(answer["usage"])
        return made

    def error(self, status: int, body: bytes) -> bytes:
        """See `serve.dialects.base.Translator`."""
        try:
            message = json.loads(body)["error"]["message"]
        except (ValueError, KeyError, TypeError):
            message = _UNTOLD
        return error_told(status, str(message))

    def _start(self, answer: Json) -> bytes:
        self._begun = True
        never = {"stop_reason": None, "stop_sequence": None}
        return event("message_start", message=_message(answer, [], never, _usage(self._prompt_tokens, 0)))

    def _finish(self, usage: Json) -> bytes:
        made = self._blocks.close()
        told = _usage(usage["prompt_tokens"], usage["completion_tokens"])
        return made + event("message_delta", delta=_stopped(self._end, called=self._blocks.complete), usage=told)


def error_told(status: int, message: str) -> bytes:
    """The body that tells of an error."""
    kind = _ERRORS.get(status, "invalid_request_error" if status < 500 else "api_error")
    return dump({"type": "error", "error": {"type": kind, "message": message}})


def _message(answer: Json, content: list[Json], stopped: Json, usage: Json) -> Json:
    told = {"id": f"msg_{answer['id'].partition('-')[2]}", "type": "message", "role": "assistant"}
    return told | {"content": content, "model": answer["model"], **stopped, "usage": usage}


def _calls(message: Json) -> list[Json]:
    """The tools that a message calls; what they are called with is an object, so one that was cut is left out."""
    told = [(call, object_of(call["function"]["arguments"], strict=True)) for call in message.get("tool_calls") or ()]
    return [
        {"type": "tool_use", "id": call["id"], "name": call["function"]["name"], "input": arguments}
        for call, arguments in told
        if arguments is not None
    ]


def _stopped(choice: Json, *, called: bool) -> Json:
    """Why the model stopped: for tools where they are `called` in full; the number of a stop token is not told."""
    stop = choice.get("stop_reason")
    if choice.get("finish_reason") == "length":
        return {"stop_reason": "max_tokens", "stop_sequence": None}
    if called:
        return {"stop_reason": "tool_use", "stop_sequence": None}
    if isinstance(stop, str):
        return {"stop_reason": "stop_sequence", "stop_sequence": stop}
    return {"stop_reason": "end_turn", "stop_sequence": None}


def _usage(prompt: int, completion: int) -> Json:
    return {"input_tokens": prompt, "output_tokens": completion}
