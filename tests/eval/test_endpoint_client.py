"""The client against a real server that misbehaves: a failure is named, never an empty answer."""

import asyncio
import json

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from eval.engines.endpoint import EndpointClient, EndpointError


def completion(text, finish="stop"):
    return web.json_response(
        {"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": finish}]}
    )


async def models(request):
    return web.json_response({"data": [{"id": "small"}]})


def served(handler):
    app = web.Application()
    app.router.add_post("/v1/chat/completions", handler)
    app.router.add_get("/v1/models", models)
    return TestServer(app)


async def ask(server, **options):
    async with EndpointClient(str(server.make_url("/v1")), backoff_s=0.01, **options) as client:
        return await client.ask("Who?", model=await client.first_model(), max_tokens=9)


async def test_asks_greedily_and_reads_the_answer():
    seen = []

    async def handler(request):
        seen.append(await request.json())
        return completion("Mira.", "length")

    async with served(handler) as server:
        reply = await ask(server)
    assert (reply.text, reply.finish_reason, reply.attempts) == ("Mira.", "length", 1)
    assert reply.seconds > 0
    assert seen == [
        {"model": "small", "messages": [{"role": "user", "content": "Who?"}], "max_tokens": 9, "temperature": 0}
    ]


async def test_an_empty_answer_is_an_answer():
    async def handler(request):
        return completion("")

    async with served(handler) as server:
        assert (await ask(server)).text == ""


async def hang(request):
    await asyncio.sleep(30)


async def reset(request):
    request.transport.abort()
    return web.Response()


async def half(request):
    response = web.StreamResponse(headers={"Content-Length": "500"})
    await response.prepare(request)
    await response.write(b'{"choices": [')
    request.transport.close()
    return response


def answering(body, status=200):
    async def handler(request):
        return web.Response(body=body, status=status)

    return handler


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (answering(b"boom", 500), "http 500"),
        (answering(b'{"error": {"message": "too long"}}', 400), "http 400"),
        (answering(b"", 307), "http 307"),
        (hang, "timeout"),
        (reset, "connection lost"),
        (half, "connection lost"),
        (answering(b"<html>"), "malformed answer"),
        (answering(b"\xff\xfe{"), "malformed answer"),
        (answering(b"[]"), "malformed answer"),
        (answering(b'{"choices": []}'), "malformed answer"),
        (answering(json.dumps({"choices": [{"message": {"content": None}}]}).encode()), "malformed answer"),
    ],
)
async def test_a_failed_request_is_named_and_not_repeated(handler, reason):
    calls = 0

    async def counting(request):
        nonlocal calls
        calls += 1
        return await handler(request)

    async with served(counting) as server:
        with pytest.raises(EndpointError) as caught:
            await ask(server, timeout_s=0.3)
    assert (caught.value.reason, caught.value.attempts, calls) == (reason, 1, 1)
    assert caught.value.detail


async def test_work_not_begun_is_asked_for_again():
    answers = [web.Response(status=503, headers={"Retry-After": "0"}), web.Response(status=429), completion("Yes.")]

    async def handler(request):
        return answers.pop(0)

    async with served(handler) as server:
        reply = await ask(server)
    assert (reply.text, reply.attempts) == ("Yes.", 3)


async def test_a_server_that_stays_busy_or_away_is_given_up():
    async with served(answering(b"later", 503)) as server:
        with pytest.raises(EndpointError, match="later") as busy:
            await ask(server, attempts=2)
        url = str(server.make_url("/"))
    assert (busy.value.reason, busy.value.attempts) == ("http 503", 2)
    async with EndpointClient(url, backoff_s=0.01) as client:
        with pytest.raises(EndpointError) as away:
            await client.ask("Who?", model="small", max_tokens=9)
    assert (away.value.reason, away.value.attempts) == ("cannot connect", 3)


async def test_no_more_than_concurrency_at_a_time():
    now, most = 0, 0

    async def handler(request):
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.02)
        now -= 1
        return completion("Yes.")

    async with (
        served(handler) as server,
        EndpointClient(str(server.make_url("/")), concurrency=3) as client,
    ):
        replies = await asyncio.gather(*(client.ask(str(i), model="small", max_tokens=1) for i in range(12)))
    assert most == 3
    assert max(reply.seconds for reply in replies) < 0.2, "waiting for a slot is not part of the latency"
