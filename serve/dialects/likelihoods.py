"""Log-probabilities of completions in the form in which vLLM tells those of chats."""

from __future__ import annotations

from itertools import islice
from typing import Any

Json = dict[str, Any]


def as_chat(told: Json | None, alternatives: int) -> Json | None:
    """What a completion tells, with so many alternatives of every token; None where it tells nothing."""
    if told is None:
        return None
    rows = zip(told["tokens"], told["token_logprobs"], told["top_logprobs"], strict=True)
    return {
        "content": [
            _token(token, logprob)
            | {"top_logprobs": [_token(*other) for other in islice((others or {}).items(), alternatives)]}
            for token, logprob, others in rows
        ]
    }


def _token(token: str, logprob: float | None) -> Json:
    known = -9999.0 if logprob is None else logprob
    return {"token": token, "logprob": known, "bytes": list(token.encode("utf-8", "replace"))}
