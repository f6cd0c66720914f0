"""Writes the usage of a chat answer anew: the model server was given other turns than the caller's."""

from __future__ import annotations

import json
from typing import Any

from serve.replies import dump


class OwnUsage:
    """Passes chat answers on, with usage as of the caller's own prompt, of `prompt_tokens` tokens."""

    def __init__(self, prompt_tokens: int) -> None:
        self._prompt_tokens = prompt_tokens

    def whole(self, body: bytes) -> bytes:
        """See `serve.dialects.base.AnswerWriter`."""
        answer = json.loads(body)
        return dump(answer | {"usage": self._own(answer["usage"])})

    def event(self, data: str) -> list[str]:
        """See `serve.dialects.base.AnswerWriter`."""
        if data == "[DONE]":
            return [data]
        told = json.loads(data)
        if not told.get("usage"):
            return [data]
        return [dump(told | {"usage": self._own(told["usage"])}).decode()]

    def _own(self, usage: dict[str, Any]) -> dict[str, Any]:
        own = self._prompt_tokens
        told = usage | {"prompt_tokens": own, "total_tokens": own + int(usage.get("completion_tokens") or 0)}
        # Cached tokens would be another prompt's.
        return told | ({"prompt_tokens_details": None} if "prompt_tokens_details" in told else {})
