"""Chat answers in the form in which vLLM 0.32 writes text completions."""

from __future__ import annotations

import json
from typing import Any

from serve.replies import dump
from serve.sse import encode

Json = dict[str, Any]

_WHOLE = ("token_ids", "prompt_logprobs", "prompt_token_ids", "routed_experts")
_EVENT = ("prompt_token_ids", "token_ids")


class CompletionsTranslator:
    """Translates the answer to one request."""

    def whole(self, body: bytes) -> bytes:
        """See `serve.dialects.base.Translator`."""
        answer = json.loads(body)
        choices = [_choice(choice, choice["message"], _WHOLE) for choice in answer["choices"]]
        told = {"service_tier": None, "system_fingerprint": answer.get("system_fingerprint"), "usage": answer["usage"]}
        never = {"kv_transfer_params": None, "ec_transfer_params": None, "metrics": None}
        return dump(_head(answer) | {"choices": choices} | told | never)

    def event(self, data: str) -> bytes:
        """See `serve.dialects.base.Translator`."""
        if data == "[DONE]":
            return encode(data)
        answer = json.loads(data)
        if "error" in answer:
            return encode(data)
        choices = [_choice(choice, choice["delta"], _EVENT) for choice in answer["choices"]]
        # An event that only tells the role has no counterpart.
        choices = [choice for choice in choices if choice["text"] or choice["finish_reason"] is not None]
        if answer["choices"] and not choices:
            return b""
        told = {name: answer[name] for name in ("usage", "system_fingerprint") if name in answer}
        return encode(dump(_head(answer) | {"choices": choices} | told).decode())

    def error(self, status: int, body: bytes) -> bytes:
        """See `serve.dialects.base.Translator`: the form is the same."""
        return body


def _head(answer: Json) -> Json:
    told = {"id": f"cmpl-{answer['id'].partition('-')[2]}", "object": "text_completion"}
    return told | {"created": answer["created"], "model": answer["model"]}


def _choice(choice: Json, said: Json, empty: tuple[str, ...]) -> Json:
    told = {"index": choice["index"], "text": said.get("content") or "", "logprobs": choice.get("logprobs")}
    ended = {"finish_reason": choice.get("finish_reason"), "stop_reason": choice.get("stop_reason")}
    return told | ended | dict.fromkeys(empty)
