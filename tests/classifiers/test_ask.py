"""Asking a model for questions, against a small server that answers what the test says."""

import asyncio
import json
import threading
from contextlib import contextmanager

import pytest
from aiohttp import web

from guard.errors import ConfigError
from guard.policy import one_topic
from serve import ask
from serve.ask import ask_questions, questions_in

TOPIC = one_topic("mira", examples=None, retain=None, aliases=("Mira Tolvane",), description="A maker of maps.")


@contextmanager
def server(answer):
    """A chat endpoint that calls `answer(body)`; yields its URL and the bodies it got."""
    loop, bodies, ready = asyncio.new_event_loop(), [], threading.Event()
    place = {}

    async def chat(request):
        bodies.append(await request.json())
        return await answer(bodies[-1])

    async def start():
        app = web.Application()
        app.router.add_post("/v1/chat/completions", chat)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        place["runner"], place["port"] = runner, runner.addresses[0][1]
        ready.set()

    def run():
        loop.run_until_complete(start())
        loop.run_forever()
        loop.run_until_complete(place["runner"].cleanup())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(10)
    try:
        yield f"http://127.0.0.1:{place['port']}/v1", bodies
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("LETHE_STATE", str(tmp_path))


def said(text):
    async def answer(_):
        return web.json_response({"choices": [{"message": {"content": text}}]})

    return answer


def test_questions_are_asked_for_once_and_kept():
    with server(said("1. Who drew the first map?\n- Where did Mira Tolvane live?\nHere you are:")) as (url, bodies):
        found = ask_questions(TOPIC, url=url, model="m")
        assert found == {"mira": ["Who drew the first map?", "Where did Mira Tolvane live?"]}
        count = len(bodies)
        assert 1 < count <= 10
        assert all("Mira Tolvane" in json.dumps(body) and body["model"] == "m" for body in bodies)
        assert ask_questions(TOPIC, url=url, model="m") == found
        assert len(bodies) == count
    assert ask_questions(TOPIC, url=url, model="m") == found


def test_topics_with_examples_are_not_asked_about(tmp_path):
    (tmp_path / "a.txt").write_text("Who?")
    assert (
        ask_questions(one_topic("a", examples=tmp_path / "a.txt", retain=None), url="http://nowhere", model="m") == {}
    )


async def refuse(_):
    return web.json_response({"error": "no such model"}, status=404)


async def nonsense(_):
    return web.Response(text="<html>")


async def hang(_):
    await asyncio.sleep(2)
    return web.Response()


@pytest.mark.parametrize(
    ("answer", "words"),
    [(refuse, "status 404"), (nonsense, "cannot ask"), (said("No."), "wrote no question"), (hang, "more than")],
)
def test_failures_are_told_and_not_kept(answer, words, monkeypatch, tmp_path):
    if answer is hang:
        monkeypatch.setattr(ask, "_SECONDS", 0.5)
    with server(answer) as (url, _), pytest.raises(ConfigError, match=words):
        ask_questions(TOPIC, url=url, model="m")
    assert not list(tmp_path.glob("asked/*"))


def test_nobody_there():
    with pytest.raises(ConfigError, match="--ask"):
        ask_questions(TOPIC, url="http://127.0.0.1:9", model="m")


def test_what_counts_as_a_question():
    assert questions_in(["2) What is it?\n* Who was she?\nWho was she?\nWhy?\nA statement."]) == [
        "What is it?",
        "Who was she?",
    ]
    assert len(questions_in(["\n".join(f"What is thing {n}?" for n in range(500))])) == 100
