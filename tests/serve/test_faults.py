"""What callers see when a part fails: never an unguarded answer."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from aiohttp import web
from asking import CLEAN, ask
from stubs import PATH, Planned, client, misbehaving

from guard.act.corrupt import Corrupter
from guard.errors import DetectorError, EngineError, RequestError
from guard.pipeline import Pipeline
from guard.policy import load_policy
from guard.types import Conversation, Corrupt, Detection, Pass, Plan
from serve.asgi import Guard
from serve.dialects.chat import ChatDialect
from serve.inner import encode_embeds
from serve.prove import Facts, prove_embeds
from serve.upstream import ReverseProxy, Upstream


class FailingDetector:
    def __init__(self, error: Exception) -> None:
        self._error = error

    def detect(self, conversation: Conversation) -> tuple[Detection, ...]:
        raise self._error

    def doubted(self, conversation: Conversation) -> frozenset[str]:
        return frozenset()

    def stale(self, conversation: Conversation) -> frozenset[int]:
        return frozenset()


@pytest.mark.parametrize(
    ("error", "status"), [(DetectorError("encoder gone"), 503), (RuntimeError("Mira Tolvane at 0.97"), 500)]
)
async def test_a_failing_detector_never_means_clean(
    dialect: ChatDialect, policy_file: Path, tmp_path: Path, error: Exception, status: int
) -> None:
    policy = load_policy(policy_file)
    refusing = policy.model_copy(update={"topics": policy.topics[1:2]})
    pipeline = Pipeline(refusing, FailingDetector(error), None, secret=b"0" * 32)
    async with client(pipeline, dialect, Upstream(uds=tmp_path / "none")) as http:
        reply = await http.post(PATH, json=ask(CLEAN))
    assert reply.status_code == status
    assert "Mira" not in reply.text
    assert str(error) not in reply.text


async def test_a_detector_that_hangs_is_an_error(dialect: ChatDialect, tmp_path: Path) -> None:
    import time

    class Slow:
        def plan(self, conversation: Conversation) -> Plan:
            time.sleep(2)
            return Pass()

    async with client(Slow(), dialect, Upstream(uds=tmp_path / "none")) as http:
        assert (await http.post(PATH, json=ask(CLEAN))).status_code == 503


@pytest.mark.parametrize("plan", [Pass(), Corrupt(torch.zeros(4, 8), "No.")])
@pytest.mark.parametrize("stream", [True, False])
async def test_an_upstream_that_is_down_is_a_502(
    dialect: ChatDialect, tmp_path: Path, plan: Plan, stream: bool
) -> None:
    async with client(Planned(plan), dialect, Upstream(uds=tmp_path / "none")) as http:
        reply = await http.post(PATH, json=ask(CLEAN, stream=stream))
        assert (await http.get("/health")).status_code == 503
    assert reply.status_code == 502
    assert reply.json()["error"]["code"] == "upstream_unreachable"


async def test_a_connection_that_was_idle_is_not_asked_again(dialect: ChatDialect, tmp_path: Path) -> None:
    seen: list[asyncio.BaseTransport | None] = []

    async def closing(request: web.Request) -> web.Response:
        if request.transport in seen and request.transport is not None:
            # As by a server whose time for idle connections is over just when the request comes in.
            request.transport.close()
        seen.append(request.transport)
        return web.json_response({"error": {"message": "too busy"}}, status=429)

    async with misbehaving(tmp_path, closing) as upstream, client(Planned(Pass()), dialect, upstream) as http:
        for _ in range(2):
            assert (await http.post(PATH, json=ask(CLEAN))).status_code == 429
            await asyncio.sleep(1.2)
    assert len(seen) == 2


@pytest.mark.parametrize("plan", [Pass(), Corrupt(torch.zeros(4, 8), "No.")])
async def test_upstream_statuses_and_error_bodies_pass_through(
    dialect: ChatDialect, tmp_path: Path, plan: Plan
) -> None:
    async def busy(_: web.Request) -> web.Response:
        return web.json_response({"error": {"message": "too busy"}}, status=429)

    async with misbehaving(tmp_path, busy) as upstream, client(Planned(plan), dialect, upstream) as http:
        reply = await http.post(PATH, json=ask(CLEAN))
    assert (reply.status_code, reply.json()) == (429, {"error": {"message": "too busy"}})


@pytest.mark.parametrize("plan", [Pass(), Corrupt(torch.zeros(4, 8), "No.")])
@pytest.mark.parametrize(("code", "status"), [(400, 400), (500, 200), (None, 200)])
async def test_a_stream_that_begins_with_the_callers_fault_has_its_status(
    dialect: ChatDialect, tmp_path: Path, plan: Plan, code: int | None, status: int
) -> None:
    told = {"error": {"message": "no such grammar", "code": code}}

    async def late(request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await reply.prepare(request)
        await reply.write(b"data: " + json.dumps(told).encode() + b"\r\n\r\ndata: [DONE]\r\n\r\n")
        return reply

    async with misbehaving(tmp_path, late) as upstream, client(Planned(plan), dialect, upstream) as http:
        reply = await http.post(PATH, json=ask(CLEAN, stream=True))
    assert reply.status_code == status
    assert json.loads(reply.text.split("\n")[0].strip().removeprefix("data: ")) == told


async def test_an_error_that_speaks_of_embeddings_is_withheld(dialect: ChatDialect, tmp_path: Path) -> None:
    async def telling(_: web.Request) -> web.Response:
        return web.json_response({"error": {"message": "`prompt_embeds` are bad"}}, status=400)

    plan = Corrupt(torch.zeros(4, 8), "No.")
    async with misbehaving(tmp_path, telling) as upstream, client(Planned(plan), dialect, upstream) as http:
        reply = await http.post(PATH, json=ask(CLEAN))
    assert reply.status_code == 502
    assert "embed" not in reply.text


@pytest.mark.parametrize("plan", [Pass(), Corrupt(torch.zeros(4, 8), "No.")])
async def test_a_stream_that_breaks_off_ends_with_an_error_event(
    dialect: ChatDialect, tmp_path: Path, plan: Plan
) -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await reply.prepare(request)
        event = {"choices": [{"index": 0, "text": "a", "delta": {"content": "a"}, "finish_reason": None}]}
        await reply.write(f"data: {json.dumps(event)}\n\n".encode())
        assert request.transport is not None
        request.transport.abort()
        return reply

    async with misbehaving(tmp_path, broken) as upstream, client(Planned(plan), dialect, upstream) as http:
        reply = await http.post(PATH, json=ask(CLEAN, stream=True))
    assert "[DONE]" not in reply.text
    last = json.loads(reply.text.strip().split("\n\n")[-1].removeprefix("data: "))
    assert last["error"]["code"] == "upstream_failed"


async def test_a_caller_who_leaves_cancels_the_work_upstream(dialect: ChatDialect, tmp_path: Path) -> None:
    cancelled = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await reply.prepare(request)
        try:
            while True:
                await reply.write(b"data: {}\n\n")
                await asyncio.sleep(0.01)
        except (ConnectionError, asyncio.CancelledError):
            cancelled.set()
            raise

    async with misbehaving(tmp_path, endless) as upstream, upstream:
        guard = Guard(
            ReverseProxy(upstream), planner=Planned(Pass()), dialects=[dialect], max_body=2**20, plan_timeout=1
        )
        inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        await inbox.put({"type": "http.request", "body": json.dumps(ask(CLEAN, stream=True)).encode()})

        async def send(message: Any) -> None:
            if message.get("body"):
                await inbox.put({"type": "http.disconnect"})

        scope = {
            "type": "http",
            "method": "POST",
            "path": PATH,
            "headers": [(b"content-type", b"application/json")],
        }
        await asyncio.wait_for(guard(scope, inbox.get, send), 10)
        await asyncio.wait_for(cancelled.wait(), 10)


@pytest.mark.parametrize("fault", ["refuses", "differs", "renders otherwise"])
async def test_a_server_whose_embeddings_mean_something_else_is_found_out(
    checkpoint: Path, dialect: ChatDialect, tmp_path: Path, fault: str
) -> None:
    async def answer(request: web.Request) -> web.Response:
        told = {"tokens": ["a"], "token_logprobs": [-0.5 if fault == "differs" else -0.1]}
        usage = {"prompt_tokens": 7}
        if request.path == PATH:
            content = [{"token": "a", "logprob": -0.1}]
            choice = {"message": {"content": "a"}, "logprobs": {"content": content}}
            return web.json_response({"choices": [choice], "usage": usage})
        if fault == "refuses":
            return web.json_response({"error": {"message": "no embeddings"}}, status=400)
        if fault == "renders otherwise":
            usage = {"prompt_tokens": 8}
        return web.json_response({"choices": [{"text": "a", "logprobs": told}], "usage": usage})

    corrupter = Corrupter.from_checkpoint(str(checkpoint), secret=b"0" * 32)
    facts = Facts("m", 128, dialect.shape, 0)
    async with misbehaving(tmp_path, answer) as upstream, upstream:
        with pytest.raises(EngineError, match="kind: refuse"):
            await prove_embeds(upstream, facts, corrupter)


def test_embeddings_that_are_not_finite_are_never_sent() -> None:
    with pytest.raises(RequestError):
        encode_embeds(torch.tensor([[0.0, float("nan")]]))
