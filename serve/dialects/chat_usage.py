"""Writes the usage of a chat answer anew: the model server was given other turns than the caller's."""

from __future__ import annotations

import json
from typing import Any

from serve.replies import dump


def own_usage(usage: dict[str, Any], prompt_tokens: int) -> dict[str, Any]:
    """`usage` as of a prompt of `prompt_tokens` tokens; cached ones would be another prompt's."""
    told = usage | {
        "prompt_tokens": prompt_tokens,
        "total_tokens": prompt_tokens + (usage.get("completion_tokens") or 0),
    }
    return told | ({"prompt_tokens_details": None} if "prompt_tokens_details" in told else {})


class OwnUsage:
    """Passes chat answers on, with usage as of the caller's own prompt, of `prompt_tokens` tokens."""

    def __init__(self, prompt_tokens: int) -> None:
        self._prompt_tokens = prompt_tokens

    def whole(self, body: bytes) -> bytes:
        """See `serve.dialects.base.AnswerWriter`."""
        answer = json.loads(body)
        return dump(answer | {"usage": own_usage(answer["usage"], self._prompt_tokens)})

    def event(self, data: str) -> list[str]:
        """See `serve.dialects.base.AnswerWriter`."""
        if data == "[DONE]":
            return [data]
        told = json.loads(data)
        if not told.get("usage"):
            return [data]
        return [dump(told | {"usage": own_usage(told["usage"], self._prompt_tokens)}).decode()]
