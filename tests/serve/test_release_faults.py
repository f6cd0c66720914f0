"""Under an output guard, whatever cannot be read or checked ends the answer with an error, and no text leaves."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from aiohttp import web
from asking import CLEAN, ask
from streams import DONE, HEAD, Sending, chunk, compact, reply, sse, story, whole
from stubs import PATH, Planned, client, misbehaving
from watches import Failing, Word

from guard.errors import DetectorError
from guard.types import Corrupt, Pass, Release
from serve.asgi import Guard
from serve.dialects.chat import ChatDialect
from serve.upstream import ReverseProxy


def last_error(body: bytes) -> dict[str, Any]:
    """The error that ends a stream."""
    error: dict[str, Any] = json.loads(body.decode().split("\n\n")[-2].removeprefix("data: "))["error"]
    return error


@pytest.mark.parametrize("error", [DetectorError("on Mira"), ValueError("Mira"), TimeoutError("Mira"), OSError("Mira")])
@pytest.mark.parametrize("where", ["watch", "feed", "finish"])
async def test_a_guard_that_breaks_lets_nothing_out(dialect: ChatDialect, error: Exception, where: Any) -> None:
    plan = Pass(Failing(error, where))
    server = Sending([compact(whole("Some X told.")).encode()], "application/json")
    got = await reply(plan, dialect, server)
    assert (got.status, json.loads(got.body)["error"]["code"]) == (503, "not_checked")
    streamed = await reply(plan, dialect, Sending([*sse(*story("Some ", "X", " told.")), DONE]), stream=True)
    assert last_error(streamed.body)["code"] == "not_checked"
    assert (streamed.complete, DONE in streamed.body) == (True, False)
    for body in (got.body, streamed.body):
        assert not any(word in body for word in (b"Some", b"told", b"Mira"))


class Reading(Word):
    """Reads in its own time, which `waits` may make too long; notes in which threads."""

    def __init__(self, waits: float = 0) -> None:
        super().__init__(slow=True)
        self.waits = waits
        self.threads: set[str] = set()

    def watch(self, *, whole: bool = False) -> Any:
        inner = super().watch(whole=whole)

        class Slow:
            def feed(_, text: str) -> Release:
                self.threads.add(threading.current_thread().name.partition("_")[0])
                threading.Event().wait(self.waits if "told" in text else 0)
                return inner.feed(text)

            finish = inner.finish

        return Slow()


async def test_what_reads_long_reads_beside_the_event_loop(dialect: ChatDialect) -> None:
    output = Reading()
    pieces = [*sse(*story("Some ", "text", " told.")), DONE]
    got = await reply(Pass(output), dialect, Sending(pieces), stream=True)
    assert got.body == b"".join(pieces)
    # Apart from those that plan requests, too.
    assert output.threads == {"reading"}


@pytest.mark.parametrize("stream", [True, False])
async def test_what_reads_too_long_lets_nothing_out(dialect: ChatDialect, stream: bool) -> None:
    server = Sending([compact(whole("Some told.")).encode()], "application/json")
    if stream:
        server = Sending([*sse(*story("Some ", "told.")), DONE])
    got = await reply(Pass(Reading(waits=3)), dialect, server, stream=stream)
    error = last_error(got.body) if stream else json.loads(got.body)["error"]
    assert (got.status, error["code"], got.complete) == (200 if stream else 503, "not_checked", True)
    assert b"told" not in got.body


UNREAD = [
    {"refusal": "told"}, {"audio": {"data": "told"}}, {"thinking": "told"}, {"annotations": [{"title": "told"}]},
    {"tool_calls": [{"function": {"arguments": "told"}}]}, {"function_call": {"name": "told"}}, {"later": ["told"]},
]  # fmt: skip


@pytest.mark.parametrize("field", UNREAD, ids=lambda field: next(iter(field)))
@pytest.mark.parametrize("place", ["text", "choice", "answer"])
async def test_text_that_no_watch_reads_never_passes(dialect: ChatDialect, field: dict[str, Any], place: str) -> None:
    event, answer = chunk("more"), whole("more")
    inner = {"text": [event["choices"][0]["delta"], answer["choices"][0]["message"]],
             "choice": [event["choices"][0], answer["choices"][0]], "answer": [event, answer]}  # fmt: skip
    for fields in inner[place]:
        fields |= field
    got = await reply(Pass(Word()), dialect, Sending([compact(answer).encode()], "application/json"))
    assert (got.status, json.loads(got.body)["error"]["code"]) == (502, "upstream_failed")
    pieces = [*sse(chunk("", role=True), chunk("begun"), event, chunk("", finish="stop")), DONE]
    streamed = await reply(Pass(Word()), dialect, Sending(pieces), stream=True)
    assert streamed.body.startswith(b"".join(pieces[:2]))
    assert last_error(streamed.body)["code"] == "upstream_failed"
    assert b"told" not in got.body + streamed.body
    assert DONE not in streamed.body


@pytest.mark.parametrize("field", [
    {"logprobs": {"content": [{"token": "told"}]}}, {"token_ids": [7]}, {"message": {"content": "told"}},
], ids=lambda field: next(iter(field)))  # fmt: skip
async def test_a_choice_that_tells_its_text_twice_never_passes(dialect: ChatDialect, field: dict[str, Any]) -> None:
    event = chunk("more")
    event["choices"][0] |= field
    got = await reply(Pass(Word()), dialect, Sending([*sse(chunk("", role=True), event), DONE]), stream=True)
    assert last_error(got.body)["code"] == "upstream_failed"
    assert b"more" not in got.body


BROKEN = {
    "not JSON": b'data: {"choices": [told\n\n', "not UTF-8": b"data: told \xff\n\n", "a list": b'data: ["told"]\n\n',
    "several lines": b'data: {"choices":\ndata: [], "told": ""}\n\n', "no choices": b'data: {"told": "told"}\n\n',
    "an error": b'data: {"error": {"message": "told"}}\n\n', "deep": b"data: " + b"[" * 100_000 + b"\n\n",
    "another choice": sse(chunk("told", 1))[0], "no text": sse(chunk(["told"]))[0],  # type: ignore[arg-type]
    "no number": sse(chunk("told", "0"))[0], "the end too soon": DONE, "nothing more": b"",  # type: ignore[arg-type]
}  # fmt: skip


@pytest.mark.parametrize("piece", BROKEN.values(), ids=BROKEN.keys())
async def test_a_stream_that_cannot_be_read_ends_with_an_error(dialect: ChatDialect, piece: bytes) -> None:
    pieces = [*sse(chunk("", role=True), chunk("well")), sse(chunk("Secr"))[0], piece]
    got = await reply(Pass(Word()), dialect, Sending([p for p in pieces if p]), stream=True)
    assert got.body.startswith(b"".join(pieces[:2]))
    assert last_error(got.body)["code"] == "upstream_failed"
    assert (got.complete, DONE in got.body) == (True, False)
    assert b"told" not in got.body
    assert b"Secr" not in got.body


@pytest.mark.parametrize("body", [
    b"told", b'{"choices": "told"}', b'["told"]', b"\xff told", b'{"error": {"message": "told"}}',
    compact(whole("told", "more")).encode(),
    compact(whole("told") | {"choices": whole("told")["choices"] * 2}).encode(),
])  # fmt: skip
async def test_a_whole_answer_that_cannot_be_read_is_a_502(dialect: ChatDialect, body: bytes) -> None:
    got = await reply(Pass(Word()), dialect, Sending([body], "application/json"))
    assert (got.status, json.loads(got.body)["error"]["code"]) == (502, "upstream_failed")
    assert b"told" not in got.body


@pytest.mark.parametrize("stream", [True, False])
async def test_a_completion_that_cannot_be_rewritten_is_an_error(dialect: ChatDialect, stream: bool) -> None:
    plan = Corrupt(torch.zeros(4, 8), "No.", Word())
    kind = "text/event-stream" if stream else "application/json"
    body = sse(HEAD | {"choices": [{"told": 1}]})[0] if stream else b"told"
    got = await reply(plan, dialect, Sending([body], kind), stream=stream)
    assert got.status == (200 if stream else 502)
    error = last_error(got.body) if stream else json.loads(got.body)["error"]
    assert error["code"] == "upstream_failed"
    assert b"told" not in got.body


async def test_a_whole_answer_that_breaks_off_is_a_502(dialect: ChatDialect) -> None:
    body = compact(whole("told")).encode()
    got = await reply(Pass(Word()), dialect, Sending([body], "application/json", breaks=True))
    assert (got.status, json.loads(got.body)["error"]["code"]) == (502, "upstream_failed")
    assert b"told" not in got.body


async def test_what_fails_after_the_guard_ended_the_answer_adds_nothing(dialect: ChatDialect) -> None:
    server = Sending(sse(*story("a Secret", "more")[:-1]), breaks=True)
    with pytest.raises(ConnectionResetError):
        await reply(Pass(Word()), dialect, server, stream=True)
    sent = [piece for way, piece in server.log if way == "out"]
    assert sent[-1].endswith(DONE)
    assert b"error" not in b"".join(sent)


async def test_errors_of_the_model_server_pass_as_they_are(dialect: ChatDialect) -> None:
    body = b'{"error": {"message": "too busy"},  "object": null}'
    got = await reply(Pass(Word()), dialect, Sending([body], "application/json", 429), stream=True)
    assert (got.status, got.body, got.headers) == (429, body, {b"content-type": b"application/json"})
    with pytest.raises(ConnectionResetError):
        await reply(Pass(Word()), dialect, Sending([body], "application/json", 429, breaks=True))


async def test_a_stream_that_breaks_off_ends_with_an_error_and_without_what_was_held(
    dialect: ChatDialect, tmp_path: Path
) -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await reply.prepare(request)
        await reply.write(b"".join(sse(chunk("", role=True), chunk("well, a Secr"))))
        assert request.transport is not None
        request.transport.abort()
        return reply

    async with misbehaving(tmp_path, broken) as upstream, client(Planned(Pass(Word())), dialect, upstream) as http:
        got = await http.post(PATH, json=ask(CLEAN, stream=True))
    assert "well, a " in got.text
    assert "Secr" not in got.text
    assert "[DONE]" not in got.text
    assert last_error(got.content)["code"] == "upstream_failed"


@pytest.mark.parametrize("why", ["the guard ends it", "the guard breaks", "the caller leaves"])
async def test_an_answer_that_ends_early_cancels_the_work_upstream(
    dialect: ChatDialect, tmp_path: Path, why: str
) -> None:
    cancelled = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await reply.prepare(request)
        try:
            await reply.write(b"".join(sse(chunk("", role=True), chunk("a Secret X"))))
            while True:
                await reply.write(sse(chunk("and "))[0])
                await asyncio.sleep(0.01)
        except (ConnectionError, asyncio.CancelledError):
            cancelled.set()
            raise

    output = (
        Failing(ValueError("no"), "feed")
        if why == "the guard breaks"
        else Word("no such thing" if "leaves" in why else "Secret")
    )
    async with misbehaving(tmp_path, endless) as upstream:
        if why != "the caller leaves":
            async with client(Planned(Pass(output)), dialect, upstream) as http:
                got = await asyncio.wait_for(http.post(PATH, json=ask(CLEAN, stream=True)), 20)
                assert ("[DONE]" in got.text) == (why == "the guard ends it")
        else:
            async with upstream:
                await _leave(dialect, upstream, output)
        await asyncio.wait_for(cancelled.wait(), 20)


async def _leave(dialect: ChatDialect, upstream: Any, output: Any) -> None:
    """Ask, and hang up at the first bytes."""
    guard = Guard(
        ReverseProxy(upstream), planner=Planned(Pass(output)), dialects=[dialect], max_body=2**20, plan_timeout=5
    )
    inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    inbox.put_nowait({"type": "http.request", "body": json.dumps(ask(CLEAN, stream=True)).encode()})

    async def send(message: Any) -> None:
        if message.get("body"):
            inbox.put_nowait({"type": "http.disconnect"})

    scope = {"type": "http", "method": "POST", "path": PATH, "headers": [(b"content-type", b"application/json")]}
    await asyncio.wait_for(guard(scope, inbox.get, send), 20)
