"""How a request tells the engine what its answer is turned away from; callers' own `vllm_xargs` are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guard.output.letters import key_of
from guard.types import Strengths

PROCESSOR = "serve.steering.processor:Steering"
# What callers read as log-probabilities must be of what was decoded.
ENGINE_FLAGS = ("--logits-processors", PROCESSOR, "--logprobs-mode", "processed_logprobs")
_SPANS, _STRENGTHS = "lethe_spans", "lethe_strengths"


def steering(steer: Strengths) -> dict[str, Any]:
    """The field of the completions route that asks for it; none where there is nothing to turn away from."""
    if not steer:
        return {}
    spans, strengths = zip(*steer, strict=True)
    return {"vllm_xargs": {_SPANS: list(spans), _STRENGTHS: list(strengths)}}


def read(extra: Mapping[str, Any] | None) -> Strengths:
    """What `steering` wrote, as the engine gets it.

    Raises:
        ValueError: it is not what `steering` writes.
    """
    given = {name for name in (_SPANS, _STRENGTHS) if name in (extra or {})}
    if extra is None or not given:
        return ()
    if len(given) == 1:
        raise ValueError(f"{_SPANS} and {_STRENGTHS} come together")
    spans, strengths = extra[_SPANS], extra[_STRENGTHS]
    if not isinstance(spans, list) or not isinstance(strengths, list) or len(spans) != len(strengths):
        raise ValueError(f"{_SPANS} and {_STRENGTHS} must be lists of one length")
    if not all(isinstance(span, str) and span and span == key_of(span) for span in spans):
        raise ValueError(f"{_SPANS} must be words in their plain form")
    if not all(isinstance(one, int | float) and 0 < one <= 50 for one in strengths):
        raise ValueError(f"{_STRENGTHS} must be nats above 0, up to 50")
    return tuple(zip(spans, map(float, strengths), strict=True))
