"""A model server without a model: it answers at once, in vLLM's form, so that what stands in front of it is measured.

    python -m eval.bench.stub_engine --model serve/demo/full --port 8001

It speaks what `lethe serve --upstream` asks of a server: its models, chats and completions, whole or streamed, and
prompt embeddings. It looks at no prompt; that a prompt and its embeddings mean the same holds of it in that it says the
same to all.
"""

from __future__ import annotations

import json
import time
from itertools import count
from typing import Annotated, Any

import typer
from aiohttp import web
from transformers import AutoTokenizer

_WORDS = ("It", " takes", " eight", " minutes", ",", " more", " or", " less")
_CONTEXT = 4096
_Json = dict[str, Any]


class Stub:
    """Answers as the model `name`; prompts of chats are counted with `tokenizer`."""

    def __init__(self, name: str, tokenizer: Any) -> None:
        self._name = name
        self._tokenizer = tokenizer
        self._numbers = count(1)

    def app(self) -> web.Application:
        """Its routes."""
        app = web.Application(client_max_size=2**28)
        app.router.add_get("/health", self._health)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/completions", self._completion)
        return app

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response()

    async def _models(self, _: web.Request) -> web.Response:
        card = {"id": self._name, "object": "model", "max_model_len": _CONTEXT}
        return web.json_response({"object": "list", "data": [card]})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        return await self._answered(request, asked, chat=True, prompt=self._length(asked["messages"]))

    async def _completion(self, request: web.Request) -> web.StreamResponse:
        # What `lethe serve` proves at start is that a chat and its embeddings are of one length.
        sample = [{"role": "user", "content": "What is the capital of France?"}]
        return await self._answered(request, await request.json(), chat=False, prompt=self._length(sample))

    def _length(self, messages: list[_Json]) -> int:
        ids = self._tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
        return len(ids)

    async def _answered(self, request: web.Request, asked: _Json, *, chat: bool, prompt: int) -> web.StreamResponse:
        words = _WORDS[: asked.get("max_tokens") or len(_WORDS)]
        kind = "chat.completion" if chat else "text_completion"
        head = {"id": f"{'chatcmpl' if chat else 'cmpl'}-{next(self._numbers)}", "created": int(time.time())}
        head |= {"model": self._name}
        usage = {"prompt_tokens": prompt, "total_tokens": prompt + len(words), "completion_tokens": len(words)}
        if not asked.get("stream"):
            choices = [
                _whole(index, words, chat=chat, scored="logprobs" in asked) for index in range(asked.get("n") or 1)
            ]
            end = {"choices": choices, "usage": usage, "system_fingerprint": "stub"}
            return web.json_response(head | {"object": kind} | end)
        reply = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await reply.prepare(request)
        head |= {"object": f"{kind}.chunk" if chat else kind}
        for event in _events(words, chat=chat, choices=asked.get("n") or 1):
            await reply.write(_sse(head | event))
        if (asked.get("stream_options") or {}).get("include_usage"):
            await reply.write(_sse(head | {"choices": [], "usage": usage, "system_fingerprint": "stub"}))
        await reply.write(b"data: [DONE]\n\n")
        return reply


def _sse(event: _Json) -> bytes:
    return f"data: {json.dumps(event, separators=(',', ':'))}\n\n".encode()


def _whole(index: int, words: tuple[str, ...], *, chat: bool, scored: bool) -> _Json:
    end = {"finish_reason": "length", "stop_reason": None}
    if not chat:
        scores = {"tokens": list(words), "token_logprobs": [-0.1] * len(words)} if scored else None
        return {"index": index, "text": "".join(words), "logprobs": scores} | end
    scores = {"content": [{"token": word, "logprob": -0.1} for word in words]} if scored else None
    return {"index": index, "message": {"role": "assistant", "content": "".join(words)}, "logprobs": scores} | end


def _events(words: tuple[str, ...], *, chat: bool, choices: int) -> list[_Json]:
    made: list[_Json] = []
    for index in range(choices):
        if chat:
            delta = {"role": "assistant", "content": ""}
            made.append({"choices": [{"index": index, "delta": delta, "logprobs": None, "finish_reason": None}]})
        for number, word in enumerate(words):
            said = {"delta": {"content": word}} if chat else {"text": word}
            last = number == len(words) - 1
            end = {"finish_reason": "length", "stop_reason": None} if last else {"finish_reason": None}
            made.append({"choices": [{"index": index, **said, "logprobs": None, **end}]})
    return made


def main(
    model: Annotated[str, typer.Option(help="A checkpoint, for its tokenizer.")],
    port: Annotated[int, typer.Option(help="Loopback port.", min=1, max=65535)],
    name: Annotated[str, typer.Option(help="What the model is called.")] = "lethe-demo",
) -> None:
    """Serve until stopped."""
    stub = Stub(name, AutoTokenizer.from_pretrained(model))
    web.run_app(stub.app(), host="127.0.0.1", port=port, print=None, access_log=None)


if __name__ == "__main__":
    typer.run(main)
