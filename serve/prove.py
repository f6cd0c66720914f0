"""What is asked of the model server at start: what it serves, how it answers, and whether embeddings mean the same."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from guard.act.corrupt import Corrupter
from guard.errors import EngineError
from guard.output.letters import key_of
from guard.steer.auxiliary import Auxiliary
from guard.types import Conversation, Diverge, Message
from serve.dialects.chat_answer import ChatShape
from serve.inner import encode_embeds
from serve.model_server import ModelServer
from serve.sse import Decoder
from serve.steering.fields import AUXILIARY, ENGINE_FLAGS, steering

_SAMPLE = Conversation((Message("user", "What is the capital of France?"),))
# No early end, so that a stream has events of every kind.
_GREEDY = {"temperature": 0, "max_tokens": 8, "ignore_eos": True}
_SAMPLE_TOKENS = (8, 8, 32, 128)
_TOOL = {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}}
# Two routes may batch differently, and bf16 sums depend on the order.
_LOGPROB_TOLERANCE = 0.05
_FORBIDDEN = 50.0  # nats


@dataclass(frozen=True)
class Facts:
    """The served model's name, its context in tokens (None where the server does not tell) and the form of answers.

    `untooled` says for which choices of tools the server was not set up, in its own words.
    """

    name: str
    context: int | None
    shape: ChatShape
    created: int
    untooled: Mapping[str, str] = field(default_factory=dict)


async def examine(upstream: ModelServer, name: str | None, adapters: Sequence[str] = ()) -> Facts:
    """Learn what the server serves and how it answers; `name` None takes its first model.

    Raises:
        EngineError: it does not serve `name` or one of `adapters`, or not as a chat model that streams.
    """
    status, listing = await upstream.json("GET", "/v1/models")
    if status != 200:
        raise EngineError(f"the model server answers GET /v1/models with {status}: {_reason(listing)}")
    cards = {card["id"]: card for card in listing["data"]}
    chosen = name or next(iter(cards), "")
    if absent := [one for one in (chosen, *adapters) if one not in cards]:
        told = f"the model server does not serve {absent[0]!r} but {', '.join(cards)}; see --served-model-name"
        raise EngineError(told)
    ask = {"model": chosen, "messages": _messages(), **_GREEDY}
    status, whole = await upstream.json("POST", "/v1/chat/completions", ask)
    if status != 200:
        raise EngineError(f"the model server does not answer a chat: {_reason(whole)}")
    shape = await _shape(upstream, whole, ask | {"stream": True})
    untooled = {choice: why for choice in ("auto", "required") if (why := await _refused(upstream, chosen, choice))}
    return Facts(chosen, cards[chosen].get("max_model_len"), shape, int(time.time()), untooled)


async def _refused(upstream: ModelServer, name: str, choice: str) -> str | None:
    """Why the server lets no model choose tools so; None where it does."""
    asked = {"model": name, "messages": _messages(), "tools": [_TOOL], "tool_choice": choice, "max_tokens": 1}
    status, answer = await upstream.json("POST", "/v1/chat/completions", asked)
    return _reason(answer) if status == 400 else None


async def _shape(upstream: ModelServer, whole: dict[str, Any], stream: dict[str, Any]) -> ChatShape:
    """Learn the form of answers; the server merges a stream's events when it is ahead, so short samples may not do."""
    *tries, final = _SAMPLE_TOKENS
    for tokens in tries:
        with suppress(EngineError):
            return await _sample(upstream, whole, stream | {"max_tokens": tokens})
    return await _sample(upstream, whole, stream | {"max_tokens": final})


async def _sample(upstream: ModelServer, whole: dict[str, Any], ask: dict[str, Any]) -> ChatShape:
    told = await _events(upstream, ask | {"stream_options": {"include_usage": True}})
    return ChatShape.learn(whole, told, await _events(upstream, ask))


async def prove_embeds(upstream: ModelServer, facts: Facts, corrupter: Corrupter, name: str | None = None) -> None:
    """Check that a prompt and its untouched embeddings give the same greedy answer, token for token.

    `name` is an adapter's where it is not the model that is asked.

    Raises:
        EngineError: they do not, or the server takes no embeddings; corruption would not mean what it should.
    """
    advice = "a policy that corrupts cannot be served with it; use {kind: refuse} and no {on_hit: again}"
    if facts.context is None:
        raise EngineError(f"the model server does not tell max_model_len as vLLM does: {advice}")
    prompt = await asyncio.to_thread(corrupter.renderer.render, _SAMPLE)
    embeds = encode_embeds(corrupter.table.rows(prompt.ids))
    asked = name or facts.name
    ask = {"model": asked, **_GREEDY}
    chat = ask | {"messages": _messages(), "logprobs": True}
    text_status, text = await upstream.json("POST", "/v1/chat/completions", chat)
    status, bare = await upstream.json("POST", "/v1/completions", ask | {"prompt_embeds": embeds, "logprobs": 0})
    if text_status != 200 or status != 200:
        reason = _reason(bare if status != 200 else text)
        raise EngineError(f"the model server takes no prompt embeddings ({reason}): {advice}")
    if bare["usage"]["prompt_tokens"] != text["usage"]["prompt_tokens"]:
        raise EngineError(f"the prompt that Lethe renders has not the length of the server's own: {advice}")
    plain = [(item["token"], item["logprob"]) for item in text["choices"][0]["logprobs"]["content"]]
    scores = bare["choices"][0]["logprobs"]
    other = list(zip(scores["tokens"], scores["token_logprobs"], strict=True))
    # Their tokens, since of a text a reasoning parser leaves some out.
    same = [token for token, _ in plain] == [token for token, _ in other]
    if not same or any(abs(a[1] - b[1]) > _LOGPROB_TOLERANCE for a, b in zip(plain, other, strict=True)):
        raise EngineError(f"{asked!r} answers a prompt and its own embeddings differently: {advice}")


async def prove_steering(upstream: ModelServer, facts: Facts) -> None:
    """Check that the server turns an answer away from a word of its own.

    Raises:
        EngineError: it does not; `decode` would do nothing.
    """
    advice = (
        f"a policy that says `decode` needs a vLLM that was started with {' '.join(ENGINE_FLAGS)}, "
        "or `lethe engine --steer`"
    )
    prompt = _SAMPLE.messages[0].text
    ask = {"model": facts.name, "prompt": prompt, **_GREEDY}
    status, plain = await upstream.json("POST", "/v1/completions", ask)
    if status != 200:
        raise EngineError(f"the model server takes no completions ({_reason(plain)}): {advice}")
    word = max(key_of(plain["choices"][0]["text"]).split(), key=len, default="")
    if not word:
        raise EngineError("the model server's sample answer has no word, so that `decode` cannot be checked")
    status, turned = await upstream.json("POST", "/v1/completions", ask | steering(((word, _FORBIDDEN),)))
    if status != 200 or word in key_of(turned["choices"][0]["text"]).split():
        raise EngineError(f"the model server does not turn answers away: {advice}")


async def prove_divergence(upstream: ModelServer, facts: Facts, models: Auxiliary) -> None:
    """Check that the server turns an answer away by the auxiliary models of the policy.

    Raises:
        EngineError: it does not; `diverge` would do nothing.
    """
    advice = (
        f"a policy that says `diverge` needs a vLLM that was started with {' '.join(ENGINE_FLAGS)} "
        f"and {AUXILIARY}={models.folder} in its environment"
    )
    ask = {"model": facts.name, "prompt": _SAMPLE.messages[0].text, "logprobs": 0, **_GREEDY}
    # Any prompt will do; what counts is that the models' distributions come in.
    asked = steering((), Diverge(models, _SAMPLE, alpha=_FORBIDDEN), models.manifest.seen[:8])
    plain, turned = [await upstream.json("POST", "/v1/completions", one) for one in (ask, ask | asked)]
    for status, answer in (plain, turned):
        if status != 200:
            raise EngineError(f"the model server takes no steered completions ({_reason(answer)}): {advice}")
    if _logprobs(plain[1]) == _logprobs(turned[1]):
        raise EngineError(f"the model server does not turn answers away by auxiliary models: {advice}")


def _logprobs(answer: dict[str, Any]) -> list[float]:
    found: list[float] = answer["choices"][0]["logprobs"]["token_logprobs"]
    return found


def _messages() -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.text} for message in _SAMPLE.messages]


def _reason(answer: Any) -> str:
    error = answer.get("error", answer) if isinstance(answer, dict) else answer
    return str(error.get("message", error) if isinstance(error, dict) else error)[:300]


async def _events(upstream: ModelServer, ask: dict[str, Any]) -> list[dict[str, Any]]:
    _, stream = await upstream.whole("POST", "/v1/chat/completions", json.dumps(ask).encode())
    return [json.loads(data) for data in Decoder().feed(stream) if data != "[DONE]"]
