"""The benches that put load on a server, asked of the stub that stands for an engine."""

import asyncio
import os
from itertools import islice

import aiohttp
import pytest
from aiohttp import web

from eval.bench.load import Question, ask, clean_questions, client, each, flagged_questions, mixed_questions
from eval.bench.memory import Sample, draw, held, slope
from eval.bench.overhead import compare, ratio
from eval.bench.stub_engine import Stub


class Tokenizer:
    def apply_chat_template(self, messages, **more):
        return [1] * len(messages)


@pytest.fixture
async def url():
    runner = web.AppRunner(Stub("m", Tokenizer()).app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    yield f"http://{host}:{port}/v1"
    await runner.cleanup()


async def test_questions_are_mixed_and_all_are_answered(url, policy_file):
    questions = list(islice(mixed_questions(policy_file), 8))
    assert [question.stream for question in questions] == [False, False, True, True] * 2
    assert "Mira Tolvane" in questions[1].text
    assert next(flagged_questions(policy_file)) == questions[1].text
    assert len({question.text for question in questions}) == 8
    async with client(url) as session:
        whole, streamed = [await ask(session, "m", Question("Why?", stream), max_tokens=3) for stream in (False, True)]
        await each(session, "m", iter(questions), at_once=3)
    assert (whole.tokens, streamed.tokens) == (3, 3)
    assert 0 < streamed.first <= streamed.whole


async def test_an_answer_that_fails_is_no_figure():
    async def refusing(request):
        return web.json_response({"error": {}}, status=429)

    server = web.Server(refusing)
    runner = web.ServerRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    async with client(f"http://{host}:{port}") as session:
        with pytest.raises(aiohttp.ClientResponseError, match="429"):
            await ask(session, "m", Question("Why?", False), max_tokens=3)
    await runner.cleanup()


async def test_servers_are_measured_side_by_side(url):
    found = await compare({"a": (url, None), "b": (url, "key")}, "m", 5, clean_questions(), 4, (1, 2), 3)
    assert {name: len(rounds) for name, rounds in found.items()} == {"a": 5, "b": 5}
    assert all(
        one.first_ms > 0 and len(one.rates) == 2 and min(one.rates) > 0 for rounds in found.values() for one in rounds
    )


def test_a_ratio_is_that_of_rounds():
    assert ratio([2.0, 4.0, 20.0], [1.0, 2.0, 10.0]) == "2.00 [2.00, 2.00]"


def test_a_slope_is_found_and_one_that_is_none_is_not(tmp_path):
    wobble = [0.3 * ((number * 7) % 11 - 5) for number in range(500)]
    flat = [Sample(100 * (n + 1), 500 + wobble[n] + (80 if n < 40 else 100), 9, 9) for n in range(500)]
    found = slope(flat)
    assert found.low < 0 < found.high
    growing = slope([sample._replace(mib=sample.mib + sample.requests / 10_000) for sample in flat])
    assert growing.low < 1 < growing.high
    assert growing.low > 0
    with pytest.raises(ValueError, match="too few"):
        slope(flat[:30])
    draw(flat, tmp_path / "memory.png")
    assert (tmp_path / "memory.png").read_bytes().startswith(b"\x89PNG")


async def test_what_a_process_holds_is_read():
    here = await asyncio.to_thread(held, os.getpid(), 7)
    assert here.requests == 7
    assert here.mib > 10
    assert here.files > 2
    assert here.threads >= 1
