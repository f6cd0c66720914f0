"""Errors that are made before the guard reads a request have the form of the path's dialect, and their true status."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from streams import HEAD, Sending, chunk, compact, sse, usage_event, whole
from stubs import PATH, Planned

from guard.types import Pass
from serve.asgi import Guard
from serve.audit.log import AuditLog
from serve.dialects.chat import ChatDialect
from serve.dialects.completions import CompletionsDialect
from serve.dialects.messages import MessagesDialect
from serve.dialects.responses import ResponsesDialect
from serve.keys.keyed import Keyed, Keyring
from serve.limited import Limited
from serve.metrics import Metrics
from serve.recorded import Recorded
from serve.responses.store import ResponseStore

SECRET = b"0" * 32
CHAT = {"messages": [{"role": "user", "content": "Hi"}]}
ASKED: dict[str, dict[str, Any]] = {
    PATH: CHAT,
    "/v1/completions": {"prompt": "Hi"},
    "/v1/messages": CHAT | {"max_tokens": 9},
    "/v1/responses": {"input": "Hi"},
}
TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


@pytest.fixture
def front(tmp_path: Path, dialect: ChatDialect) -> Any:
    """Makes a guard with all dialects in front of a server, recorded, limited and behind keys."""
    metrics, logs = Metrics(), []

    def make(server: Any, **limits: Any) -> Any:
        logs.append(AuditLog(tmp_path / "audit", SECRET))
        dialects = [CompletionsDialect(dialect), MessagesDialect(dialect), ResponsesDialect(dialect, STORE), dialect]
        app = Guard(server, planner=Planned(Pass()), dialects=dialects, max_body=2**20, plan_timeout=5)
        return Recorded(Limited(app, **({"most": 9, "seconds": 60} | limits)), logs[-1], metrics, SECRET)

    yield make
    for log in logs:
        log.close()


STORE = ResponseStore(SECRET)


def says(path: str, *, stream: bool = False) -> Sending:
    """A model server that answers what is asked of it for this path."""
    if path == "/v1/completions":
        text = {"index": 0, "text": "Hi.", "finish_reason": "stop"}
        usage = usage_event(9, 1)
        events, answer = [HEAD | {"choices": [text]}, usage], HEAD | {"choices": [text], "usage": usage["usage"]}
    else:
        events, answer = [chunk("Hi.", role=True), chunk("", finish="stop"), usage_event(9, 1)], whole("Hi.")
    return Sending(sse(*events, "[DONE]")) if stream else Sending([compact(answer).encode()], "application/json")


async def post(app: Any, path: str, **more: Any) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as http:
        return await http.post(path, json={"model": "m"} | ASKED.get(path, {}) | more)


def check(answer: httpx.Response, path: str, status: int, code: str) -> None:
    body = answer.json()
    assert answer.status_code == status
    if path.startswith("/v1/messages"):
        assert list(body) == ["type", "error"]
        assert (body["type"], list(body["error"])) == ("error", ["type", "message"])
        assert body["error"]["type"] == TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    else:
        assert list(body) == ["error"]
        assert body["error"]["code"] == code


def fail(*_: Any) -> None:
    raise OSError(28, "No space left on device")


async def halting(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.sleep(30)


@pytest.mark.parametrize("path", ASKED)
async def test_what_is_refused_before_the_guard_reads_it(
    front: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    keyed = Keyed(front(halting), Keyring(tmp_path / "keys.json", SECRET), Metrics())
    none = await post(keyed, path)
    check(none, path, 401, "invalid_api_key")
    assert none.headers["www-authenticate"] == "Bearer"
    (tmp_path / "keys.json").touch(mode=0o644)
    check(await post(keyed, path), path, 503, "not_served")
    busy = await post(front(halting, most=0), path)
    check(busy, path, 429, "too_many_requests")
    assert busy.headers["retry-after"] == "1"
    check(await post(front(halting, seconds=0.05), path), path, 504, "timeout")
    app = front(says(path))
    monkeypatch.setattr("os.write", fail)
    check(await post(app, path), path, 503, "not_served")


@pytest.mark.parametrize("path", ["/v1/messages/count_tokens", "/v1/responses/a/input_items", "/v1/embeddings"])
async def test_what_is_denied(front: Any, path: str) -> None:
    check(await post(front(halting), path), path, 403, "route_not_served")


BEGUN = sse(chunk("", role=True), chunk("Eight."))


async def unended(scope: Any, receive: Any, send: Any) -> None:
    async def sending(message: Any) -> None:
        if message.get("body") or message["type"] == "http.response.start":
            await send(message)

    if scope["path"] == "/v1/completions":
        told = [HEAD | {"choices": [{"index": 0, "text": "Eight.", "finish_reason": None}]}]
        await Sending(sse(*told))(scope, receive, sending)
    else:
        await Sending(BEGUN)(scope, receive, sending)
    await asyncio.sleep(30)


@pytest.mark.parametrize("path", ASKED)
async def test_what_ends_a_stream_that_has_begun(front: Any, path: str) -> None:
    late = await post(front(unended, seconds=0.25), path, stream=True)
    assert (late.status_code, "Eight." in late.text) == (200, True)
    events = late.text.removesuffix("\n\n").split("\n\n")
    *kind, data = events[-1].split("\n")
    told = json.loads(data.removeprefix("data: "))
    if path == "/v1/messages":
        assert (kind, told["error"]["type"]) == (["event: error"], "api_error")
    elif path == "/v1/responses":
        assert kind == ["event: error"]
        assert (told["type"], told["code"], told["sequence_number"]) == ("error", "timeout", len(events) - 1)
    else:
        assert (kind, told["error"]["code"]) == ([], "timeout")


@pytest.mark.parametrize("path", ASKED)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_line_has_the_id_of_the_reply_and_is_written_before_the_end_leaves(
    front: Any, tmp_path: Path, path: str, stream: bool
) -> None:
    app, lines = front(says(path, stream=stream)), []

    def read() -> list[Any]:
        rows = map(json.loads, (tmp_path / "audit" / "audit.jsonl").read_text().splitlines())
        return [row for row in rows if row["event"] == "request"]

    async def looking(scope: Any, receive: Any, send: Any) -> None:
        async def look(message: Any) -> None:
            lines.append((len(read()), message.get("body")))
            await send(message)

        await app(scope, receive, look)

    got = await post(looking, path, stream=stream)
    (row,) = read()
    prefix = {PATH: "chatcmpl-", "/v1/completions": "cmpl-", "/v1/messages": "msg_", "/v1/responses": "resp_"}[path]
    assert row["id"].startswith(prefix)
    assert f'"id":"{row["id"]}"' in got.text
    counts = [count for count, body in lines if body]
    assert (counts[0], counts[-1]) == (0 if stream else 1, 1)
