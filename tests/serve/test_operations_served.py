"""A real server with keys, metrics and limits, on a shared engine: what the operator sees of what callers do."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from asking import CLEAN, CORRUPTED, EXEMPLIFIED, PREFIXED, REFUSED, REFUSED_IN_OWN_WORDS, ask, post
from prometheus_client.parser import text_string_to_metric_families
from serving import Served, start_server

from serve.keys.store import add_key, revoke_key

ACTIONS = {
    CLEAN: ("pass", None),
    CORRUPTED: ("corrupt", "topic-0"),
    REFUSED: ("refuse", "topic-1"),
    PREFIXED: ("prefix", "topic-2"),
    REFUSED_IN_OWN_WORDS: ("refuse-own", "topic-3"),
    EXEMPLIFIED: ("icul", "topic-4"),
}


class Operated(NamedTuple):
    """A server that asks for keys, with one of them, the state folder and the port of its metrics."""

    server: Served
    state: Path
    key_id: str
    key: str
    metrics: int

    async def ask(self, body: Any, path: str = "/v1/chat/completions", **more: Any) -> tuple[int, Any, Any]:
        return await post(self.server, body, path, headers={"authorization": f"Bearer {self.key}"}, **more)

    def lines(self) -> list[dict[str, Any]]:
        """The log's lines on requests with our key; others share the folder."""
        text = (self.state / "audit" / "audit.jsonl").read_text()
        return [row for row in map(json.loads, text.splitlines()) if row.get("caller") == self.key_id]

    async def metric(self, name: str, **labels: str) -> float:
        async with httpx.AsyncClient() as http:
            text = (await http.get(f"http://127.0.0.1:{self.metrics}/metrics")).text
        samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
        return sum(one.value for one in samples if one.name == name and labels.items() <= one.labels.items())


@pytest.fixture(scope="module")
async def operated(checkpoint: Path, policy_file: Path, state: Path, engine_port: int) -> AsyncIterator[Operated]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        metrics = probe.getsockname()[1]
    key, text = add_key(state / "keys.json", (state / "secret").read_bytes(), role="evaluator", name="tests")
    options = ["--upstream", f"http://127.0.0.1:{engine_port}", "--keys", "--metrics-port", str(metrics)]
    server = start_server(checkpoint, policy_file, *options, "--max-concurrent", "4", state=state)
    try:
        await asyncio.to_thread(server.wait_ready)
        yield Operated(server, state, key.id, text, metrics)
        server.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(server.process.wait, 20) == 0, server.log.read_text()
    finally:
        server.close()


async def test_every_request_has_its_line_and_is_counted(operated: Operated) -> None:
    for question, (action, topic) in ACTIONS.items():
        status, reply, _ = await operated.ask(ask(question))
        assert status == 200
        row = operated.lines()[-1]
        assert (row["id"], row["action"], row["status"], row["role"]) == (reply["id"], action, 200, "evaluator")
        assert row["topics"] == ([topic] if topic else [])
        assert await operated.metric("lethe_requests_total", action=action, status="200") == 1
        if topic:
            assert await operated.metric("lethe_topics_total", topic=topic) == 1
    assert len({row["policy"] for row in operated.lines()}) == 1
    stages = {
        stage: await operated.metric("lethe_stage_seconds_count", stage=stage) for stage in ("detect", "upstream")
    }
    assert stages == {"detect": 6, "upstream": 5}, "a refusal asks no model"
    assert await operated.metric("lethe_stage_seconds_sum", stage="detect") > 0.01


@pytest.mark.parametrize("question", [CLEAN, CORRUPTED, REFUSED])
async def test_a_streams_line_has_the_id_of_its_events(operated: Operated, question: str) -> None:
    status, text, _ = await operated.ask(ask(question, stream=True))
    row = operated.lines()[-1]
    assert (status, row["status"], row["stream"], row["action"]) == (200, 200, True, ACTIONS[question][0])
    assert row["id"] == json.loads(text.split("\n\n")[0].removeprefix("data: "))["id"]


async def test_what_is_denied_has_a_line_and_who_has_no_key_has_none(operated: Operated) -> None:
    before = len(operated.lines())
    log = (operated.state / "audit" / "audit.jsonl").stat().st_size
    assert (await post(operated.server, ask(CLEAN)))[0] == 401
    assert (await post(operated.server, b"", "/v1/models", method="GET"))[0] == 401
    assert (operated.state / "audit" / "audit.jsonl").stat().st_size == log
    assert await operated.metric("lethe_unauthorised_total") == 2
    for path in ("/v1/embeddings", "/metrics"):
        assert (await operated.ask(ask(CLEAN), path))[0] == 403
    assert (await operated.ask(ask(CLEAN, logprobs=True)))[0] == 400
    assert [(row["status"], row["action"]) for row in operated.lines()[before:]] == [(403, None)] * 2 + [(400, None)]
    assert (await operated.ask(b"", "/v1/models", method="GET"))[0] == 200


async def test_more_than_may_run_at_once_are_told_to_come_again(operated: Operated) -> None:
    long = ask(CLEAN, max_tokens=40, temperature=1, n=8)
    replies = await asyncio.gather(*(operated.ask(long) for _ in range(12)))
    statuses = sorted(status for status, _, _ in replies)
    assert statuses[0] == 200
    assert statuses[-1] == 429
    assert {headers.get("retry-after") for status, _, headers in replies if status == 429} == {"1"}
    assert (await operated.ask(ask(CLEAN)))[0] == 200


async def test_health_and_readiness_need_no_key(operated: Operated) -> None:
    for path, said in (("/health", "ok"), ("/ready", "ready")):
        assert (await post(operated.server, b"", path, method="GET"))[:2] == (200, {"status": said})


async def test_a_revoked_key_is_none_for_a_server_that_runs(operated: Operated, state: Path) -> None:
    key, text = add_key(state / "keys.json", (state / "secret").read_bytes(), role="caller", name="")
    headers = {"authorization": f"Bearer {text}"}
    assert (await post(operated.server, ask(CLEAN), headers=headers))[0] == 200
    revoke_key(state / "keys.json", key.id)
    assert (await post(operated.server, ask(CLEAN), headers=headers))[0] == 401


async def test_the_log_that_all_servers_share_is_whole_and_holds_no_text(operated: Operated) -> None:
    command = [sys.executable, "-m", "serve.cli", "audit", "verify"]
    environment = os.environ | {"LETHE_STATE": str(operated.state)}
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=-1, stderr=-1)
    out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert out.startswith(b"whole: lines 1 to ")
    text = (operated.state / "audit" / "audit.jsonl").read_text()
    assert not [word for word in ("Mira", "Vasquell", "Where", "egg", operated.key) if word in text]
    assert "Traceback" not in operated.server.log.read_text()
