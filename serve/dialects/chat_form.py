"""Reads the model server's chat answers strictly: what an output guard does not know how to read must not be there."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from guard.errors import EngineError
from serve.dialects.chat_parts import CONTENT, THOUGHTS

# These hold what the model wrote. Other fields could as well (log-probabilities, token ids), so that one which is not
# named here must be empty.
_ANSWER = frozenset(
    ("id", "object", "created", "model", "choices", "usage", "system_fingerprint", "service_tier", "metrics")
)
_CHOICE = {said: frozenset(("index", "finish_reason", "stop_reason", said)) for said in ("message", "delta")}
_TEXT = frozenset(("role", CONTENT, *THOUGHTS, "tool_calls"))
_CALL = frozenset(("id", "type", "index", "function"))
_FUNCTION = frozenset(("name", "arguments"))
_OTHER_FORM = "the model server's answers are not of vLLM's form; Lethe is made for vLLM 0.32"


class Written(NamedTuple):
    """A text that the model server wrote, and why it ended."""

    text: str
    finish: str
    stop: str | None


def read(raw: str | bytes, said: str, *, scored: bool = False) -> dict[str, Any]:
    """Parse an answer (`said` is "message") or an event of a stream ("delta"); with log-probabilities where `scored`.

    Raises:
        EngineError: it is not of the form that is known, holds text that no watch reads, or tells of an error. The
            message repeats nothing of it: an error, too, may quote the answer.
    """
    if isinstance(raw, str) and ("\n" in raw or "\r" in raw):
        raise EngineError("the model server's event has several lines")
    answer = _parsed(raw)
    choices = answer.get("choices")
    if not isinstance(choices, list) or not all(_is_choice(choice, said) for choice in choices):
        raise EngineError(_OTHER_FORM)
    known = _CHOICE[said] | ({"logprobs"} if scored else frozenset())
    if _more_than(answer, _ANSWER) or any(_more_than(c, known) or _more_than(c[said], _TEXT) for c in choices):
        raise EngineError(
            "the model server's answer holds more than texts (log-probabilities, token ids), which the output guard "
            "does not read; start the model server without them"
        )
    return answer


def read_texts(raw: bytes, count: int) -> list[Written]:
    """The texts of a whole completion of `count` choices, by their numbers; whatever else it holds is left behind.

    Raises:
        EngineError: as for `read`.
    """
    choices = _parsed(raw).get("choices")
    if not isinstance(choices, list) or not all(_is_text(choice) for choice in choices):
        raise EngineError(_OTHER_FORM)
    if sorted(choice["index"] for choice in choices) != list(range(count)):
        raise EngineError("the model server's answer has other choices than were asked for")
    found = sorted(choices, key=lambda choice: int(choice["index"]))
    return [Written(c["text"], c["finish_reason"], _stop(c.get("stop_reason"))) for c in found]


def _parsed(raw: str | bytes) -> dict[str, Any]:
    try:
        answer = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise EngineError("the model server's answer is not JSON") from error
    if not isinstance(answer, dict):
        raise EngineError("the model server's answer is not a JSON object")
    if "error" in answer:
        raise EngineError("the model server told of an error while it answered; see its log")
    return answer


def _is_choice(choice: Any, said: str) -> bool:
    return (
        isinstance(choice, dict)
        and type(choice.get("index")) is int
        and isinstance(choice.get("finish_reason"), str | None)
        and isinstance(choice.get(said), dict)
        and all(isinstance(choice[said].get(field), str | None) for field in (CONTENT, *THOUGHTS))
        and isinstance(calls := choice[said].get("tool_calls"), list | None)
        and all(_is_call(call, said) for call in calls or ())
    )


def _is_call(call: Any, said: str) -> bool:
    """Whether this is a tool call of a message, or some of one in a delta, and nothing besides."""
    if not isinstance(call, dict) or _more_than(call, _CALL) or call.get("type") not in (None, "function"):
        return False
    whole, function = said == "message", call.get("function")
    if not isinstance(function, dict) or _more_than(function, _FUNCTION):
        return function is None and not whole
    texts = (function.get("name"), function.get("arguments"))
    return (
        isinstance(call.get("id"), str | None)
        and (type(call.get("index")) is int or whole)
        and all(isinstance(text, str) or (text is None and not whole) for text in texts)
    )


def _is_text(choice: Any) -> bool:
    return (
        isinstance(choice, dict)
        and type(choice.get("index")) is int
        and isinstance(choice.get("finish_reason"), str)
        and isinstance(choice.get("text"), str)
    )


def _stop(reason: Any) -> str | None:
    """A stop string; the number of a stop token is told to nobody who did not name one."""
    return reason if isinstance(reason, str) else None


def _more_than(fields: dict[str, Any], known: frozenset[str]) -> bool:
    return any(value for name, value in fields.items() if name not in known)
