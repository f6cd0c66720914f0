"""How many requests are answered at once, for how long, and whether the server is ready for one."""

import asyncio
import json
import time

import httpx
import pytest
from aiohttp import web
from asking import CLEAN, ask
from streams import Sending, chunk, compact, sse, whole
from stubs import PATH, Planned, misbehaving

from guard.errors import AuditError, DetectorError
from guard.types import Pass
from serve.asgi import Guard
from serve.limited import Limited
from serve.ready import Readiness
from serve.upstream import ReverseProxy, Upstream


def post(app, **more):
    async def ask_it():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as http:
            return await http.post(PATH, json=ask(CLEAN, **more))

    return ask_it()


def guarded(server, dialect):
    return Guard(server, planner=Planned(Pass()), dialects=[dialect], max_body=2**20, plan_timeout=5)


async def test_what_is_too_many_at_once_is_told_to_come_again(dialect):
    go, answer = asyncio.Event(), Sending([compact(whole("Eight.")).encode()], "application/json")

    async def waiting(scope, receive, send):
        await go.wait()
        await answer(scope, receive, send)

    app = Limited(guarded(waiting, dialect), most=2, seconds=60)
    running = [asyncio.create_task(post(app)) for _ in range(2)]
    await asyncio.sleep(0.2)
    busy = await post(app)
    assert (busy.status_code, busy.headers["retry-after"]) == (429, "1")
    assert busy.json()["error"]["type"] == "rate_limit_error"
    go.set()
    assert [(await one).status_code for one in running] == [200, 200]
    assert (await post(app)).status_code == 200, "one that has ended makes room"


async def test_one_that_fails_makes_room(dialect):
    async def failing(scope, receive, send):
        raise RuntimeError

    app = Limited(failing, most=1, seconds=60)
    for _ in range(3):
        with pytest.raises(RuntimeError):
            await post(app)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_takes_too_long_is_a_504_and_the_model_server_is_left(dialect, tmp_path, stream):
    left = asyncio.Event()

    async def slow(request):
        while request.transport is not None and not request.transport.is_closing():
            await asyncio.sleep(0.01)
        left.set()
        return web.Response()

    async with misbehaving(tmp_path, slow) as upstream, upstream:
        app = Limited(guarded(ReverseProxy(upstream), dialect), most=9, seconds=0.3)
        late = await post(app, stream=stream)
        assert (late.status_code, late.json()["error"]["code"]) == (504, "timeout")
        await asyncio.wait_for(left.wait(), 10)


async def test_half_a_whole_answer_never_leaves(dialect):
    async def halting(scope, receive, send):
        kind = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": kind})
        await send({"type": "http.response.body", "body": b'{"id":', "more_body": True})
        await asyncio.sleep(30)

    late = await post(Limited(guarded(halting, dialect), most=9, seconds=0.3))
    assert (late.status_code, late.json()["error"]["code"]) == (504, "timeout")


async def test_a_stream_that_takes_too_long_ends_with_an_error(dialect):
    first = Sending(sse(chunk("", role=True), chunk("Eight.")))

    async def halting(scope, receive, send):
        async def unended(message):
            if message.get("body") or message["type"] == "http.response.start":
                await send(message)

        await first(scope, receive, unended)
        await asyncio.sleep(30)

    late = await post(Limited(guarded(halting, dialect), most=9, seconds=0.3), stream=True)
    assert late.status_code == 200
    assert "Eight." in late.text
    last = json.loads(late.text.strip().split("\n\n")[-1].removeprefix("data: "))
    assert last["error"]["code"] == "timeout"


async def test_a_timeout_of_the_apps_own_is_not_taken_for_ours():
    async def failing(scope, receive, send):
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await post(Limited(failing, most=1, seconds=60))


class Detecting:
    def __init__(self, fault=None):
        self.fault = fault
        self.asked = 0

    def detect(self, conversation):
        self.asked += 1
        if self.fault is not None:
            raise self.fault
        return ()


class Owing:
    def __init__(self, fault=None):
        self.fault = fault

    def settle(self):
        if self.fault is not None:
            raise self.fault


@pytest.fixture
async def engine(tmp_path):
    async def health(request):
        return web.Response()

    app = web.Application()
    app.router.add_get("/health", health)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "s")).start()
    async with Upstream(uds=tmp_path / "s") as upstream:
        yield upstream
    await runner.cleanup()


@pytest.mark.parametrize(
    ("detector", "audit", "told"),
    [
        (None, None, None),
        (DetectorError("encoder gone"), None, "the detector failed: DetectorError"),
        (None, AuditError("cannot write"), "not ready: cannot write"),
    ],
)
async def test_ready_is_who_could_answer_and_the_operator_is_told_why_not(engine, caplog, detector, audit, told):
    assert await Readiness(engine, [Detecting(), Detecting(detector)], Owing(audit))() == (told is None)
    assert told is None or told in caplog.text
    assert "encoder gone" not in caplog.text


async def test_without_a_model_server_nobody_is_ready(tmp_path):
    async with Upstream(uds=tmp_path / "none") as upstream:
        assert not await Readiness(upstream, [Detecting()], Owing())()


async def test_who_asks_again_and_again_is_told_what_was_found_before(engine, monkeypatch):
    detector = Detecting()
    ready = Readiness(engine, [detector], Owing())
    assert await asyncio.gather(*(ready() for _ in range(5))) == [True] * 5
    assert detector.asked == 1
    detector.fault = DetectorError("gone")
    assert await ready()
    real = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + 6)
    assert not await ready()
