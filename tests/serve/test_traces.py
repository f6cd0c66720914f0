"""Traces: a span a request with its stages, for the operator's own backend; and logs a program can read."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from asking import CLEAN, ask
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from streams import whole
from stubs import PATH, Planned, misbehaving

from guard.errors import ConfigError
from guard.types import Grounds, Pass, Plan, Refuse
from serve.asgi import Guard
from serve.audit.log import AuditLog
from serve.dialects.chat import ChatDialect
from serve.metrics import Metrics
from serve.recorded import Recorded
from serve.traces import Traces
from serve.upstream import ReverseProxy

SECRET = b"0" * 32
TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLERS = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "tracestate": "mira=1", "baggage": "mira=1"}


async def traced(folder: Path, dialect: ChatDialect, plan: Plan, traces: Traces | None) -> dict[str, str]:
    """Asks a guard once; the headers that the model server got."""
    seen: dict[str, str] = {}

    async def answer(request: web.Request) -> web.Response:
        seen.update((name.lower(), value) for name, value in request.headers.items())
        return web.json_response(whole("Eight."))

    log = AuditLog(folder / "audit", SECRET)
    async with misbehaving(folder, answer) as upstream, upstream:
        limits: dict[str, Any] = {"dialects": [dialect], "max_body": 2**20, "plan_timeout": 5}
        guard = Guard(ReverseProxy(upstream), planner=Planned(plan), **limits)
        app = Recorded(guard, log, Metrics(), SECRET, traces=traces)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as http:
            assert (await http.post(PATH, json=ask(CLEAN, user="Mira"), headers=CALLERS)).status_code == 200
            assert (await http.post("/Mira", json={})).status_code == 403
    log.close()
    return seen


async def test_a_request_is_a_span_with_a_span_for_each_stage(dialect: ChatDialect, tmp_path: Path) -> None:
    kept = InMemorySpanExporter()
    traces = Traces(kept)
    sent = await traced(tmp_path, dialect, Pass(grounds=Grounds(("mira",), detect_s=1e-6)), traces)
    traces.close()
    *_, denied = spans = kept.get_finished_spans()
    named = {span.name: span for span in spans[:-1]}
    assert list(named) == ["detect", "act", "upstream", "output_guard", "lethe"]
    request = named.pop("lethe")
    assert f"{request.context.trace_id:032x}" == TRACE
    assert dict(request.attributes or {}) == {
        "http.response.status_code": 200,
        "url.path": PATH,
        "lethe.action": "pass",
    }
    assert all(span.parent.span_id == request.context.span_id for span in named.values())
    starts = [span.start_time for span in named.values()]
    assert starts == sorted(starts)
    assert request.start_time <= starts[0]
    assert max(span.end_time for span in named.values()) <= request.end_time
    assert sent["traceparent"] == f"00-{TRACE}-{request.context.span_id:016x}-01"
    assert not {"tracestate", "baggage"} & sent.keys()
    assert dict(denied.attributes or {}) == {"http.response.status_code": 403, "lethe.action": "none"}
    told = "".join(span.to_json() for span in spans)
    assert not [word for word in ("egg", "user", "127.0.0.1", "Mira") if word in told]


async def test_without_traces_nothing_of_the_callers_is_passed_on(dialect: ChatDialect, tmp_path: Path) -> None:
    assert not {"traceparent", "tracestate", "baggage"} & (await traced(tmp_path, dialect, Pass(), None)).keys()


async def test_they_are_sent_where_the_environment_says(
    dialect: ChatDialect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        monkeypatch.delenv(name, raising=False)
    assert Traces.from_environment() is None
    got: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        assert request.path == "/v1/traces"
        got.append(await request.read())
        return web.Response()

    app = web.Application()
    app.router.add_post("/{path:.*}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{host}:{port}")
    traces = Traces.from_environment()
    assert traces is not None
    await traced(tmp_path, dialect, Refuse("No.", grounds=Grounds(("mira",), "refuse")), traces)
    await asyncio.to_thread(traces.close)
    await runner.cleanup()
    read = ExportTraceServiceRequest.FromString(got[0])
    names = [span.name for scope in read.resource_spans[0].scope_spans for span in scope.spans]
    assert names == ["detect", "act", "lethe", "lethe"]
    assert not [body for body in got if b"mira" in body.lower()]
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with pytest.raises(ConfigError, match="http/protobuf"):
        Traces.from_environment()


def test_logs_are_json_lines_where_that_is_asked() -> None:
    code = (
        "import logging, serve.logs\n"
        "serve.logs.console('json').print('[bold]ready[/] at ' + 'x' * 200)\n"
        "logging.getLogger('serve.asgi').error('a request could not be checked')\n"
        "try: 1 / 0\nexcept ZeroDivisionError: logging.getLogger('uvicorn.error').exception('it failed')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    ready, checked, failed = map(json.loads, done.stderr.splitlines())
    assert (ready["level"], ready["message"]) == ("INFO", f"ready at {'x' * 200}")
    assert (checked["level"], checked["logger"]) == ("ERROR", "serve.asgi")
    assert list(checked) == ["time", "level", "logger", "message"]
    assert "ZeroDivisionError" in failed["exc_info"]


def test_a_format_that_is_none_is_told() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "serve.cli", "serve", "--log-format", "xml"], capture_output=True, text=True
    )
    assert done.returncode == 2
