"""How a request tells the engine what its answer is turned away from; callers' own `vllm_xargs` are refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from guard.output.letters import key_of
from guard.types import Diverge, Strengths

PROCESSOR = "serve.steering.processor:Steering"
# What callers read as log-probabilities must be of what was decoded.
ENGINE_FLAGS = ("--logits-processors", PROCESSOR, "--logprobs-mode", "processed_logprobs")
# The folder of the auxiliary models, where the engine has some.
AUXILIARY = "LETHE_AUXILIARY"
_SPANS, _STRENGTHS = "lethe_spans", "lethe_strengths"
_MODELS, _PROMPT, _ALPHA, _TOP = "lethe_models", "lethe_prompt", "lethe_alpha", "lethe_top"


class Divergence(NamedTuple):
    """What the auxiliary models of this identity are asked: token ids of a prompt, and how much their answer counts."""

    models: str
    prompt: tuple[int, ...]
    alpha: float
    top: int


def steering(steer: Strengths, diverge: Diverge | None = None, prompt: Sequence[int] = ()) -> dict[str, Any]:
    """The field of the completions route that asks for it; none where there is nothing to turn away from.

    `prompt` are the token ids of what `diverge` asks.
    """
    fields: dict[str, Any] = {}
    if steer:
        spans, strengths = zip(*steer, strict=True)
        fields |= {_SPANS: list(spans), _STRENGTHS: list(strengths)}
    if diverge is not None:
        asked = Divergence(diverge.models.identity, tuple(prompt), diverge.alpha, diverge.top)
        fields |= {_MODELS: asked.models, _PROMPT: list(asked.prompt), _ALPHA: asked.alpha, _TOP: asked.top}
    return {"vllm_xargs": fields} if fields else {}


def read(extra: Mapping[str, Any] | None) -> Strengths:
    """The spans that `steering` wrote, as the engine gets them.

    Raises:
        ValueError: it is not what `steering` writes.
    """
    if extra is None or not _together(extra, _SPANS, _STRENGTHS):
        return ()
    spans, strengths = extra[_SPANS], extra[_STRENGTHS]
    if not isinstance(spans, list) or not isinstance(strengths, list) or len(spans) != len(strengths):
        raise ValueError(f"{_SPANS} and {_STRENGTHS} must be lists of one length")
    if not all(isinstance(span, str) and span and span == key_of(span) for span in spans):
        raise ValueError(f"{_SPANS} must be words in their plain form")
    if not all(isinstance(one, int | float) and 0 < one <= 50 for one in strengths):
        raise ValueError(f"{_STRENGTHS} must be nats above 0, up to 50")
    return tuple(zip(spans, map(float, strengths), strict=True))


def read_divergence(extra: Mapping[str, Any] | None) -> Divergence | None:
    """What `steering` wrote of the auxiliary models; None where they are not asked.

    Raises:
        ValueError: it is not what `steering` writes.
    """
    if extra is None or not _together(extra, _MODELS, _PROMPT, _ALPHA, _TOP):
        return None
    models, prompt, alpha, top = extra[_MODELS], extra[_PROMPT], extra[_ALPHA], extra[_TOP]
    if not isinstance(models, str):
        raise ValueError(f"{_MODELS} must be text")
    if not isinstance(prompt, list) or not prompt or not all(isinstance(one, int) and one >= 0 for one in prompt):
        raise ValueError(f"{_PROMPT} must be ids of tokens")
    if not isinstance(alpha, int | float) or not 0 <= alpha <= 50:
        raise ValueError(f"{_ALPHA} must be a number up to 50")
    if not isinstance(top, int) or not 0 <= top <= 10_000:
        raise ValueError(f"{_TOP} must be a whole number up to 10000")
    return Divergence(models, tuple(prompt), float(alpha), top)


def _together(extra: Mapping[str, Any], *names: str) -> bool:
    """Whether the fields are there, all of them."""
    given = [name for name in names if name in extra]
    if given and len(given) < len(names):
        raise ValueError(f"{', '.join(names)} come together")
    return bool(given)
