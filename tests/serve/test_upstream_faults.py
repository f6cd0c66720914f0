"""What comes wrongly from the model server, or from a caller beside the body: packed, cut, in pieces, by status."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from asking import CLEAN, ask
from streams import DONE, Sending, chunk, compact, reply, sse, story, whole
from stubs import PATH, Planned, client, misbehaving
from watches import Word

from guard.types import Pass
from serve.dialects.chat import ChatDialect
from serve.sse import Frames
from serve.upstream import Upstream

PASSES = [pytest.param(Pass(), id="not watched"), pytest.param(Pass(Word()), id="watched")]


def sending(body: bytes, kind: str, **more: str) -> Any:
    async def send(_: web.Request) -> web.Response:
        return web.Response(body=body, headers={"content-type": kind} | more)

    return send


@pytest.mark.parametrize("plan", PASSES)
async def test_a_packed_answer_is_unpacked_and_guarded(dialect: ChatDialect, tmp_path: Path, plan: Pass) -> None:
    told = compact(whole("well, a Secret")).encode()
    packed = sending(gzip.compress(told), "application/json", **{"content-encoding": "gzip"})
    async with misbehaving(tmp_path, packed) as upstream, client(Planned(plan), dialect, upstream) as http:
        got = await http.post(PATH, json=ask(CLEAN))
    assert got.status_code == 200
    assert "content-encoding" not in got.headers
    assert int(got.headers.get("content-length", len(got.content))) == len(got.content)
    assert got.content == told if plan.output is None else "Secret" not in got.text


@pytest.mark.parametrize("plan", PASSES)
async def test_a_packed_stream_is_unpacked_and_guarded(dialect: ChatDialect, tmp_path: Path, plan: Pass) -> None:
    told = b"".join([*sse(*story("well, ", "a Secret")), DONE])
    packed = sending(gzip.compress(told), "text/event-stream", **{"content-encoding": "gzip"})
    async with misbehaving(tmp_path, packed) as upstream, client(Planned(plan), dialect, upstream) as http:
        got = await http.post(PATH, json=ask(CLEAN, stream=True))
    assert got.content.endswith(DONE)
    assert got.content == told if plan.output is None else "Secret" not in got.text


@pytest.mark.parametrize("dies", [True, False])
@pytest.mark.parametrize("plan", PASSES)
async def test_half_an_event_never_leaves_and_the_stream_ends_with_an_error(
    dialect: ChatDialect, tmp_path: Path, plan: Pass, dies: bool
) -> None:
    first, half = b"".join(sse(chunk("", role=True), chunk("well, "))), sse(chunk("told"))[0][:-9]

    async def cut(request: web.Request) -> web.StreamResponse:
        out = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await out.prepare(request)
        await out.write(first + half)
        if dies:
            assert request.transport is not None
            request.transport.abort()
        return out

    async with misbehaving(tmp_path, cut) as upstream, client(Planned(plan), dialect, upstream) as http:
        got = await http.post(PATH, json=ask(CLEAN, stream=True))
    assert got.content.startswith(first)
    assert b"told" not in got.content
    last = got.content.removeprefix(first).decode()
    assert json.loads(last.strip().removeprefix("data: "))["error"]["code"] == "upstream_failed"


@pytest.mark.parametrize("size", [1, 7])
def test_events_leave_as_soon_as_they_are_whole(size: int) -> None:
    text, frames, out = b"data: a\n\ndata: b\r\n\r\ndata: c\n\nda", Frames(), []
    for at in range(0, len(text), size):
        out.append(frames.feed(text[at : at + size]))
    assert b"".join(out) == b"data: a\n\ndata: b\r\n\r\ndata: c\n\n"
    assert frames.held == b"da"
    whole_first = Frames().feed(text[:9])
    assert whole_first == b"data: a\n\n"


async def test_an_event_in_several_lines_ends_the_stream_with_an_error(dialect: ChatDialect) -> None:
    """It is good JSON, but sent on as it was read it would be several lines again, and sent on as one it is another."""
    split = json.dumps(chunk("a Secret"), indent=0).replace("\n", "\ndata: ")
    pieces = [*sse(chunk("", role=True)), f"data: {split}\n\n".encode(), *sse(chunk("", finish="stop")), DONE]
    got = await reply(Pass(Word()), dialect, Sending(pieces), stream=True)
    assert (b"Secret" in got.body, DONE in got.body) == (False, False)
    assert json.loads(got.body.decode().split("\n\n")[-2].removeprefix("data: "))["error"]["code"] == "upstream_failed"


async def test_comments_and_other_fields_of_events_never_pass_a_guard(dialect: ChatDialect) -> None:
    pieces = [b": Secret ping\n\n", b"event: Secret\nid: Secret\n" + sse(chunk("", role=True))[0]]
    pieces += [*sse(chunk("well"), chunk("", finish="stop")), DONE]
    got = await reply(Pass(Word()), dialect, Sending(pieces), stream=True)
    assert (got.said(), b"Secret" in got.body) == ("well", False)


@pytest.mark.parametrize("status", [400, 429, 500, 503])
@pytest.mark.parametrize("plan", PASSES)
@pytest.mark.parametrize("stream", [True, False])
async def test_the_engines_errors_keep_their_status(
    dialect: ChatDialect, tmp_path: Path, plan: Pass, status: int, stream: bool
) -> None:
    told = {"error": {"message": "not now", "type": "some", "param": None, "code": status}}

    async def failing(_: web.Request) -> web.Response:
        return web.json_response(told, status=status)

    async with misbehaving(tmp_path, failing) as upstream, client(Planned(plan), dialect, upstream) as http:
        got = await http.post(PATH, json=ask(CLEAN, stream=stream))
    assert (got.status_code, got.json()) == (status, told)


async def test_no_header_of_a_caller_reaches_the_model_server(dialect: ChatDialect, tmp_path: Path) -> None:
    seen: list[Any] = []

    async def noting(request: web.Request) -> web.Response:
        seen.append((request.path_qs, {name.lower() for name in request.headers}))
        return web.json_response(whole("Eight."))

    sent = {
        "X-Amzn-SageMaker-Custom-Attributes": "route=/v1/completions;model=other",
        "X-Amzn-SageMaker-Adapter-Identifier": "other",
        "X-Amzn-SageMaker-Session-Id": "NEW_SESSION",
        "X-Forwarded-For": "10.0.0.1",
        "X-Data-Parallel-Rank": "0",
        "Cookie": "a=b",
    }
    async with misbehaving(tmp_path, noting) as upstream, client(Planned(Pass()), dialect, upstream) as http:
        assert (await http.post(f"{PATH}?model=other", json=ask(CLEAN), headers=sent)).status_code == 200
    ((path, headers),) = seen
    assert path == PATH
    assert headers <= {"host", "accept", "accept-encoding", "user-agent", "content-type", "content-length"} | {
        "transfer-encoding"
    }


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(ask(CLEAN)).encode("utf-16"),
        json.dumps(ask(CLEAN)).encode("utf-16-le"),
        json.dumps(ask(CLEAN)).encode("utf-32-be"),
        b"\xef\xbb\xbf" + json.dumps(ask(CLEAN)).encode(),
        json.dumps(ask("caf\u00e9"), ensure_ascii=False).encode("latin-1"),
        json.dumps(ask(CLEAN)).encode() * 2,
        b"+ADw-",
        b"",
    ],
)
async def test_what_is_no_utf8_json_is_refused(dialect: ChatDialect, tmp_path: Path, body: bytes) -> None:
    async with client(Planned(Pass()), dialect, Upstream(uds=tmp_path / "none")) as http:
        for kind in ("application/json", "application/json; charset=utf-16"):
            got = await http.post(PATH, content=body, headers={"content-type": kind})
            assert (got.status_code, got.json()["error"]["code"]) == (400, "invalid_json")


async def test_a_body_in_chunks_is_cut_off_where_it_grows_too_large(dialect: ChatDialect, tmp_path: Path) -> None:
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while sent < 2**30:
            sent += 2**16
            yield b"x" * 2**16

    async with client(Planned(Pass()), dialect, Upstream(uds=tmp_path / "none")) as http:
        got = await http.post(PATH, content=endless(), headers={"content-type": "application/json"})
    assert (got.status_code, got.json()["error"]["code"]) == (413, "body_too_large")
    assert sent < 2**22, "the rest is not read"
