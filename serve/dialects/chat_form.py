"""Reads the model server's chat answers strictly: what an output guard does not know how to read must not be there."""

from __future__ import annotations

import json
from typing import Any

from guard.errors import EngineError

# Only `content` holds what the model wrote. Other fields could as well (log-probabilities, token ids, tool calls), so
# that one which is not named here must be empty.
_ANSWER = frozenset(
    ("id", "object", "created", "model", "choices", "usage", "system_fingerprint", "service_tier", "metrics")
)
_CHOICE = {said: frozenset(("index", "finish_reason", "stop_reason", said)) for said in ("message", "delta")}
_TEXT = frozenset(("role", "content"))


def read(raw: str | bytes, said: str) -> dict[str, Any]:
    """Parse an answer (`said` is "message") or an event of a stream ("delta").

    Raises:
        EngineError: it is not of the form that is known, holds text that no watch reads, or tells of an error. The
            message repeats nothing of it: an error, too, may quote the answer.
    """
    if isinstance(raw, str) and ("\n" in raw or "\r" in raw):
        raise EngineError("the model server's event has several lines")
    try:
        answer = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise EngineError("the model server's answer is not JSON") from error
    if not isinstance(answer, dict):
        raise EngineError("the model server's answer is not a JSON object")
    if "error" in answer:
        raise EngineError("the model server told of an error while it answered; see its log")
    choices = answer.get("choices")
    if not isinstance(choices, list) or not all(_is_choice(choice, said) for choice in choices):
        raise EngineError("the model server's chat answers are not of vLLM's form; Lethe is made for vLLM 0.32")
    if _more_than(answer, _ANSWER) or any(_more_than(c, _CHOICE[said]) or _more_than(c[said], _TEXT) for c in choices):
        raise EngineError(
            "the model server's answer holds more than text (log-probabilities, token ids, reasoning, tool calls), "
            "which the output guard does not read; start the model server without them"
        )
    return answer


def _is_choice(choice: Any, said: str) -> bool:
    return (
        isinstance(choice, dict)
        and type(choice.get("index")) is int
        and isinstance(choice.get("finish_reason"), str | None)
        and isinstance(choice.get(said), dict)
        and isinstance(choice[said].get("content"), str | None)
    )


def _more_than(fields: dict[str, Any], known: frozenset[str]) -> bool:
    return any(value for name, value in fields.items() if name not in known)
