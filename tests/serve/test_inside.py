"""The guard inside a real vLLM server, put there by its own --middleware."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from asking import CLEAN, CORRUPTED, EXEMPLIFIED, PREFIXED, REFUSED, ask, post, said, shape
from serving import Served

from guard.errors import ConfigError
from serve.engine import command, environment
from serve.inside import Inside, settings_of

KEY = {"authorization": "Bearer sesame"}
FLAGGED = (CORRUPTED, REFUSED, PREFIXED, EXEMPLIFIED)


class Inner(Served):
    """A vLLM server with the guard inside."""

    async def ask(self, question: str, path: str = "/v1/chat/completions", **more: Any) -> tuple[int, Any, Any]:
        return await post(self, ask(question, **more), path, headers=KEY)


@pytest.fixture(scope="module")
def inside(
    checkpoint: Path, policy_file: Path, state: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Inner]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("inside")
    flags = ("--middleware", "serve.inside.Inside", "--middleware", "gauges.Gauges", "--api-key", "sesame")
    line = command(str(checkpoint), "m", flags, ("--host", "127.0.0.1", "--port", str(port)))
    line.remove("--disable-log-stats")
    told = {"LETHE_POLICY": str(policy_file), "LETHE_STATE": str(state), "LETHE_MAX_BODY": "1"}
    told["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            line, stdout=log, stderr=log, env=environment(str(checkpoint), (), folder) | told, text=True
        )
    try:
        deadline = time.monotonic() + 600
        while True:
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                    break
            except (urllib.error.URLError, OSError):
                time.sleep(0.3)
        yield Inner(process, port, folder, folder / "log")
        process.terminate()
        process.wait(60)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


async def test_clean_answers_are_those_of_the_server_without_a_hop(inside: Inner, served: Served) -> None:
    status, here, _ = await inside.ask(CLEAN)
    _, there, _ = await post(served, ask(CLEAN))
    assert (status, said(here), shape(here)) == (200, said(there), shape(there))
    streamed = (await inside.ask(CLEAN, stream=True))[1].split("\n\n")
    assert streamed[-2] == "data: [DONE]"
    events = [json.loads(event.removeprefix("data: ")) for event in streamed[:-2]]
    assert "".join(c["delta"].get("content") or "" for e in events for c in e["choices"]) == said(here)


async def test_flagged_prompts_are_acted_on_and_recorded_as_behind_a_hop(
    inside: Inner, served: Served, state: Path
) -> None:
    for question in FLAGGED:
        status, here, _ = await inside.ask(question)
        _, there, _ = await post(served, ask(question))
        assert (status, shape(here)) == (200, shape(there))
        kept = [json.loads(line) for line in (state / "audit" / "audit.jsonl").read_text().splitlines()]
        rows = {row["id"]: row for row in kept if row["event"] == "request"}
        both = [rows[answer["id"]] for answer in (here, there)]
        same = ("topics", "action", "policy", "prompt", "status")
        assert [both[0][name] for name in same] == [both[1][name] for name in same]
        assert both[0]["action"] != "pass"
    assert said((await inside.ask(REFUSED))[1]) == said((await post(served, ask(REFUSED)))[1])


async def test_every_dialect_is_served(inside: Inner) -> None:
    body = {"model": "m", "max_tokens": 4, "temperature": 0}
    turns = [{"role": "user", "content": CLEAN}]
    assert (await post(inside, body | {"messages": turns}, "/v1/messages", headers=KEY))[0] == 200
    assert (await post(inside, body | {"prompt": CLEAN}, "/v1/completions", headers=KEY))[0] == 200


@pytest.mark.parametrize("path", ["/tokenize", "/invocations", "/metrics", "/openapi.json", "/v1/nil"])
async def test_other_routes_of_vllm_are_denied(inside: Inner, path: str) -> None:
    method = "GET" if path in ("/metrics", "/openapi.json") else "POST"
    status, answer, _ = await post(inside, ask(CLEAN), path, method=method, headers=KEY)
    assert (status, answer["error"]["code"]) == (403, "route_not_served")


async def test_its_own_keys_are_asked_for_before_the_guard(inside: Inner, state: Path) -> None:
    lines = (state / "audit" / "audit.jsonl").read_text().count("\n")
    for headers in ({}, {"authorization": "Bearer x"}, {"authorization": "sesame"}, {"authorization": "Basic sesame"}):
        assert (await post(inside, ask(CLEAN), headers=headers))[0] == 401
        assert (await post(inside, b"", "/metrics", method="GET", headers=headers))[0] == 401
    assert (state / "audit" / "audit.jsonl").read_text().count("\n") == lines
    for path in ("/health", "/ready"):
        assert (await post(inside, b"", path, method="GET"))[0] == 200


async def test_what_the_environment_limits_is_limited(inside: Inner) -> None:
    assert (await inside.ask("x" * 2**20))[0] == 413
    assert (await inside.ask(CLEAN, prompt_embeds="AAAA"))[0] == 400


async def test_a_websocket_is_closed(inside: Inner) -> None:
    async with aiohttp.ClientSession(headers=KEY) as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await session.ws_connect(f"{inside.url}/v1/realtime")
    assert caught.value.status == 403


async def gauge(inside: Inner, name: str) -> float:
    """The sum of a metric of vLLM's own."""
    _, text, _ = await post(inside, b"", "/gauges", method="GET")
    found = re.findall(rf"^vllm:{name}[{{ ].*?(\S+)$", text, re.MULTILINE)
    assert found, text
    return sum(map(float, found))


@pytest.mark.parametrize("question", [CLEAN, CORRUPTED])
async def test_a_caller_who_leaves_ends_the_work(inside: Inner, question: str) -> None:
    choices, tokens = 16, 180
    # No early end.
    body = ask(question, stream=True, max_tokens=tokens, temperature=1, n=choices)
    body["structured_outputs"] = {"regex": "[a-z ]{900,}"}
    written = await gauge(inside, "generation_tokens_total")
    async with aiohttp.ClientSession(headers=KEY) as session:
        reply = await session.post(f"{inside.url}/v1/chat/completions", json=body)
        await reply.content.readany()
        assert await gauge(inside, "num_requests_running") > 0
        reply.close()
    async with asyncio.timeout(20):
        while await gauge(inside, "num_requests_running"):
            await asyncio.sleep(0.05)
    # It was ended, not finished.
    assert await gauge(inside, "generation_tokens_total") - written < choices * tokens / 2
    assert (await post(inside, b"", "/ready", method="GET"))[1] == {"status": "ready"}


async def lived(app: Any, scope_app: Any) -> list[Any]:
    """What a server is told of the start of `app`."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "lifespan.startup" if not sent else "lifespan.shutdown"}

    async def send(message: Any) -> None:
        sent.append(message)

    try:
        await app({"type": "lifespan", "app": scope_app}, receive, send)
    except ConfigError:
        sent.append("raised")
    return sent


async def test_what_cannot_be_enforced_ends_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    from starlette.routing import Router

    monkeypatch.delenv("LETHE_POLICY", raising=False)
    vllm = Namespace(state=Namespace(args=Namespace(model="m", served_model_name=None, api_key=None)))
    app = Inside(Router())
    started = await lived(app, vllm)
    assert started[0]["type"] == "lifespan.startup.failed"
    assert started[0]["message"] == "error: LETHE_POLICY is not set; let it name the policy file"
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await app({"type": "http", "method": "POST", "path": "/v1/completions", "headers": []}, None, send)  # type: ignore[arg-type]
    assert sent[0]["status"] == 503


@pytest.mark.parametrize(
    ("name", "value"), [("LETHE_MAX_SECONDS", "soon"), ("LETHE_MAX_BODY", "-1"), ("LETHE_MAX_SECONDS", "inf")]
)
def test_a_number_that_is_none_is_told(checkpoint: Path, policy_file: Path, name: str, value: str) -> None:
    args = Namespace(model=str(checkpoint), served_model_name=["m"], api_key=None)
    with pytest.raises(ConfigError, match=name):
        settings_of(args, {"LETHE_POLICY": str(policy_file), name: value})
    assert settings_of(args, os.environ | {"LETHE_POLICY": str(policy_file)}).served_name == "m"
