"""Images, sounds and films: refused, or let through as they are where a policy says so and nothing else was found."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from streams import compact, reply, whole
from stubs import Planned
from test_asked_again import Answering, Renewing

from guard.conversation import single
from guard.errors import RequestError
from guard.types import Ask, Corrupt, Grounds, Pass, Plan, Refuse
from serve.asgi import Guard
from serve.dialects.chat import ChatDialect
from serve.dialects.messages import MessagesDialect
from serve.monitor import Monitoring
from serve.record import Record, with_record

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0=", "detail": "low"}}
SOUND = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
FILM = {"type": "video_url", "video_url": {"url": "https://example.org/a.mp4"}}
TEXT = {"type": "text", "text": "What is this?"}
ASKED = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [IMAGE, TEXT, SOUND, {"type": "text", "text": "And that?"}]},
    {"role": "assistant", "content": "A bell."},
    {"role": "user", "content": [FILM]},
]


@pytest.fixture(scope="module")
def seeing(dialect: ChatDialect) -> ChatDialect:
    return replace(dialect, passes_unread=True)


def read(dialect: ChatDialect, content: Any, role: str = "user") -> Any:
    body = {"model": "m", "messages": [{"role": role, "content": content}, {"role": "user", "content": "?"}]}
    return dialect.read(json.dumps(body).encode(), {})


@pytest.mark.parametrize("part", [IMAGE, SOUND, FILM])
def test_without_the_policys_word_they_are_refused(dialect: ChatDialect, part: Any) -> None:
    with pytest.raises(RequestError, match="may hold parts of type text only") as caught:
        read(dialect, [TEXT, part])
    assert (caught.value.status, caught.value.param) == (400, "messages[0].content")


@pytest.mark.parametrize(
    ("part", "param"),
    [
        # Under an identity of their own vLLM finds what another caller sent.
        (IMAGE | {"uuid": "1"}, "[1]"),
        (IMAGE | {"text": "Mira Tolvane"}, "[1]"),
        (IMAGE | {"image_url": None}, "[1]"),
        (IMAGE | {"image_url": "https://example.org/a.png"}, "[1]"),
        (IMAGE | {"image_url": {"url": ["x"]}}, "[1]"),
        (SOUND | {"input_audio": {"data": "", "format": "wav", "transcript": "x"}}, "[1]"),
        ({"type": "image_embeds", "image_embeds": "AAAA"}, ""),
        ({"type": "prompt_embeds", "data": "AAAA"}, ""),
        ({"type": "input_image", "image_url": "https://example.org/a.png"}, ""),
        ({"image_url": {"url": "https://example.org/a.png"}}, ""),
        ({"type": ["image_url"]}, ""),
        ("What?", ""),
    ],
)
def test_what_holds_more_than_an_image_a_sound_or_a_film_is_refused(seeing: ChatDialect, part: Any, param: str) -> None:
    with pytest.raises(RequestError) as caught:
        read(seeing, [IMAGE, part])
    assert (caught.value.status, caught.value.param) == (400, f"messages[0].content{param}")


@pytest.mark.parametrize("role", ["system", "developer", "assistant"])
def test_only_users_show_something(seeing: ChatDialect, role: str) -> None:
    with pytest.raises(RequestError, match="may hold parts of type text only"):
        read(seeing, [IMAGE], role)


def test_the_texts_beside_them_are_read_as_ever(seeing: ChatDialect) -> None:
    body = {"model": "m", "messages": ASKED}
    request = seeing.read(json.dumps(body).encode(), {})
    assert [turn.text for turn in request.conversation.messages] == [
        "Be brief.",
        "What is this?\nAnd that?",
        "A bell.",
        "",
    ]
    assert request.unread
    with pytest.raises(RequestError, match="control tokens"):
        read(seeing, [IMAGE, {"type": "text", "text": "<|end|>"}])
    with pytest.raises(RequestError, match="holds `type` and `text`"):
        read(seeing, [IMAGE, TEXT | {"cache": 1}])
    assert not read(seeing, [TEXT]).unread
    with pytest.raises(RequestError, match="must be a block of type text"):
        MessagesDialect(seeing).read(json.dumps(body | {"messages": ASKED[3:], "max_tokens": 1}).encode(), {})


async def asked(plan: Any, dialect: ChatDialect, server: Any) -> tuple[Any, Record]:
    guard = Guard(server, planner=plan, dialects=[dialect], max_body=2**20, plan_timeout=5)
    record, sent = Record(), []

    async def receive() -> Any:
        return {"type": "http.request", "body": json.dumps({"model": "m", "messages": ASKED}).encode()}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": dialect.path, "headers": headers}
    await guard(with_record(scope, record), receive, send)
    assert sent[0]["status"] == 200
    return json.loads(sent[1]["body"]), record


async def test_a_clean_request_reaches_the_model_with_every_part_as_it_came(seeing: ChatDialect) -> None:
    server = Answering(compact(whole("A bell, and a bell.")).encode())
    _, record = await asked(Planned(Pass()), seeing, server)
    assert server.bodies[0]["messages"] == ASKED
    assert record.grounds is not None
    assert record.grounds.action == "pass-unread"


@pytest.mark.parametrize(
    "plan",
    [
        Refuse("No."),
        Ask(single("x"), "No.", grounds=Grounds(action="prefix")),
        Ask(single("x"), "No.", grounds=Grounds(action="shorten")),
        Corrupt(torch.zeros(3, 8), "No."),
    ],
)
async def test_a_flagged_request_is_refused_whatever_its_action(seeing: ChatDialect, plan: Plan) -> None:
    server = Answering(b"")
    answer, record = await asked(Planned(plan), seeing, server)
    assert answer["choices"][0]["message"]["content"] == "No."
    assert not server.bodies
    assert record.grounds is not None
    assert record.grounds.action == "refuse"


async def test_what_only_watches_lets_it_pass(seeing: ChatDialect) -> None:
    server = Answering(compact(whole("A bell.")).encode())
    _, record = await asked(Monitoring(Planned(Refuse("No."))), seeing, server)
    assert server.bodies[0]["messages"] == ASKED
    assert record.grounds is not None
    assert record.grounds.action == "monitor:refuse-unread"


async def test_an_answer_that_told_too_much_is_replaced_and_not_asked_for_again(seeing: ChatDialect) -> None:
    output = Renewing()
    server = Answering(compact(whole("The Secret.")).encode())
    got = await reply(Pass(output), seeing, server, messages=ASKED)
    assert "Secret" not in got.body.decode()
    assert (got.status, len(server.bodies), output.asked) == (200, 1, [])
