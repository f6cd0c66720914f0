"""What is asked of the model server at start: what it serves, how it answers, and whether embeddings mean the same."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from guard.act.corrupt import Corrupter
from guard.errors import EngineError
from guard.output.letters import key_of
from guard.types import Conversation, Message
from serve.dialects.chat_answer import ChatShape
from serve.inner import encode_embeds
from serve.sse import Decoder
from serve.steering.fields import ENGINE_FLAGS, steering
from serve.upstream import Upstream

_SAMPLE = Conversation((Message("user", "What is the capital of France?"),))
# No early end, so that a stream has events of every kind.
_GREEDY = {"temperature": 0, "max_tokens": 8, "ignore_eos": True}
_SAMPLE_TOKENS = (8, 8, 32, 128)
# Two routes may batch differently, and bf16 sums depend on the order.
_LOGPROB_TOLERANCE = 0.05
_FORBIDDEN = 50.0  # nats


@dataclass(frozen=True)
class Facts:
    """The served model's name, its context in tokens (None where the server does not tell) and the form of answers."""

    name: str
    context: int | None
    shape: ChatShape
    created: int


async def examine(upstream: Upstream, name: str | None, adapters: Sequence[str] = ()) -> Facts:
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
    return Facts(chosen, cards[chosen].get("max_model_len"), shape, int(time.time()))


async def _shape(upstream: Upstream, whole: dict[str, Any], stream: dict[str, Any]) -> ChatShape:
    """Learn the form of answers; the server merges a stream's events when it is ahead, so short samples may not do."""
    *tries, final = _SAMPLE_TOKENS
    for tokens in tries:
        with suppress(EngineError):
            return await _sample(upstream, whole, stream | {"max_tokens": tokens})
    return await _sample(upstream, whole, stream | {"max_tokens": final})


async def _sample(upstream: Upstream, whole: dict[str, Any], ask: dict[str, Any]) -> ChatShape:
    told = await _events(upstream, ask | {"stream_options": {"include_usage": True}})
    return ChatShape.learn(whole, told, await _events(upstream, ask))


async def prove_embeds(upstream: Upstream, facts: Facts, corrupter: Corrupter, name: str | None = None) -> None:
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
    same = text["choices"][0]["message"]["content"] == bare["choices"][0]["text"] and len(plain) == len(other)
    if not same or any(abs(a[1] - b[1]) > _LOGPROB_TOLERANCE for a, b in zip(plain, other, strict=True)):
        raise EngineError(f"{asked!r} answers a prompt and its own embeddings differently: {advice}")


async def prove_steering(upstream: Upstream, facts: Facts) -> None:
    """Check that the server turns an answer away from a word of its own.

    Raises:
        EngineError: it does not; `decode` would do nothing.
    """
    advice = f"a policy that says `decode` needs a vLLM that was started with {' '.join(ENGINE_FLAGS)}"
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


def _messages() -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.text} for message in _SAMPLE.messages]


def _reason(answer: Any) -> str:
    error = answer.get("error", answer) if isinstance(answer, dict) else answer
    return str(error.get("message", error) if isinstance(error, dict) else error)[:300]


async def _events(upstream: Upstream, ask: dict[str, Any]) -> list[dict[str, Any]]:
    decoder = Decoder()
    read: list[str] = []
    async with upstream.request("POST", "/v1/chat/completions", json.dumps(ask).encode()) as response:
        async for chunk in response.content.iter_any():
            read += decoder.feed(chunk)
    return [json.loads(data) for data in read if data != "[DONE]"]
