"""Responses that are kept: read again, gone on from and dropped by who got them, and by nobody else."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from responding import BASE, SCOPE, answered, read
from streams import Sending, compact, whole
from stubs import Planned

from guard.errors import RequestError
from guard.types import Pass
from serve.asgi import Guard
from serve.caller import Caller, with_caller
from serve.dialects.chat import ChatDialect
from serve.dialects.responses import ResponsesDialect
from serve.responses.routes import Retrieving
from serve.responses.store import Kept, ResponseStore, Shelf

SECRET = b"0" * 32


@pytest.fixture
def responses(dialect: ChatDialect) -> ResponsesDialect:
    return ResponsesDialect(dialect, ResponseStore(SECRET))


async def test_who_wants_nothing_kept_finds_nothing(responses: ResponsesDialect) -> None:
    server = Sending([compact(whole("Yes.")).encode()], "application/json")
    await answered(Pass(), responses, server, store=False)
    with pytest.raises(RequestError, match="there is no response 'resp_7' here"):
        responses.store.of({"headers": []}).find("resp_7", "response_id")


def test_what_goes_on_is_read_as_one_conversation_without_the_instructions_of_before(
    responses: ResponsesDialect,
) -> None:
    first = read(
        responses,
        instructions="Be long.",
        input=[{"role": "system", "content": "Rhyme."}, {"role": "user", "content": "One?"}],
    )
    first.translator().whole(compact(whole("Two.")).encode())
    second = read(responses, previous_response_id="resp_7", input="And then?", instructions="Be brief.")
    turns = [(message.role, message.text) for message in second.conversation.messages]
    assert turns == [
        ("system", "Be brief."),
        ("system", "Rhyme."),
        ("user", "One?"),
        ("assistant", "Two."),
        ("user", "And then?"),
    ]
    assert second.params == ("instructions", *["previous_response_id"] * 3, "input")
    second.translator().whole(compact(whole("Three.") | {"id": "chatcmpl-8"}).encode())
    third = read(responses, previous_response_id="resp_8", input=[{"role": "user", "content": "Then?"}])
    assert [m.text for m in third.conversation.messages] == [*(text for _, text in turns[1:]), "Three.", "Then?"]
    assert third.params[-1] == "input[0].content"
    assert json.loads(third.translator().whole(compact(whole("")).encode()))["previous_response_id"] == "resp_8"


def test_nobody_goes_on_from_what_another_caller_got(responses: ResponsesDialect) -> None:
    read(responses).translator().whole(compact(whole("Yes.")).encode())
    keyed = with_caller(SCOPE, Caller("key-1", "caller"))
    others = [SCOPE | {"client": ("10.0.0.2", 5)}, SCOPE | {"headers": [(b"authorization", b"Bearer x")]}, keyed]
    errors = []
    for scope, id in [*((scope, "resp_7") for scope in others), (SCOPE, "resp_8")]:
        with pytest.raises(RequestError) as caught:
            read(responses, scope, previous_response_id=id)
        errors.append((caught.value.status, caught.value.code, caught.value.message.replace(id, "ID")))
    assert set(errors) == {(404, "response_not_found", "there is no response 'ID' here, or no longer")}
    twice = SCOPE | {"headers": [(b"authorization", b"Bearer x"), (b"authorization", b"Bearer y")]}
    with pytest.raises(RequestError, match="one Authorization header"):
        read(responses, twice)


def test_an_answer_that_forges_a_turn_is_not_gone_on_from(responses: ResponsesDialect) -> None:
    token = responses.chat.text.tokenizer.eos_token
    responses.store.of(SCOPE).put("resp_1", Kept(b"{}", (turn("user", "a"), turn("assistant", token))))
    with pytest.raises(RequestError, match="control tokens") as caught:
        read(responses, previous_response_id="resp_1")
    assert caught.value.param == "previous_response_id"


def turn(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "content": content}


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def kept(size: int = 10) -> Kept:
    return Kept(b"x" * size, ())


def found(shelf: Shelf, *ids: str) -> list[bool]:
    def find(id: str) -> bool:
        try:
            return bool(shelf.find(id, "response_id"))
        except RequestError:
            return False

    return [find(id) for id in ids]


def test_a_response_is_kept_for_its_time_and_no_longer() -> None:
    clock = Clock()
    shelf = ResponseStore(SECRET, seconds=60, timer=clock).of(SCOPE)
    shelf.put("a", kept())
    clock.now = 59
    assert found(shelf, "a") == [True]
    clock.now = 61
    assert found(shelf, "a") == [False]


def test_so_many_are_kept_and_so_much_text() -> None:
    shelf = ResponseStore(SECRET, most=3, size=300).of(SCOPE)
    for id in "abcd":
        shelf.put(id, kept())
    assert found(shelf, *"abcd") == [False, True, True, True]
    shelf.put("e", Kept(b"x" * 100, (turn("user", "ä" * 30),)))
    assert found(shelf, *"bcde") == [False, False, True, True]
    shelf.put("f", kept(301))
    assert found(shelf, *"def") == [True, True, False]


class Door:
    """The routes of kept responses before a guard, asked by callers with tokens of their own."""

    def __init__(self, dialect: ResponsesDialect) -> None:
        server = Sending([compact(whole("Eight minutes.")).encode()], "application/json")
        guard = Guard(server, planner=Planned(Pass()), dialects=[dialect], max_body=2**20, plan_timeout=5)
        self._app = Retrieving(guard, dialect.store)

    async def ask(self, method: str, path: str, token: str = "ada", body: Any = None) -> tuple[int, Any]:
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as http:
            headers = {"authorization": f"Bearer {token}"}
            answer = await http.request(method, f"/v1/responses{path}", json=body, headers=headers)
            return answer.status_code, answer.json()


async def test_who_got_a_response_may_read_and_drop_it(responses: ResponsesDialect) -> None:
    door = Door(responses)
    status, made = await door.ask("POST", "", body=BASE)
    assert (status, made["id"]) == (200, "resp_7")
    assert await door.ask("GET", "/resp_7") == (200, made)
    status, refused = await door.ask("POST", "/resp_7/cancel")
    assert (status, refused["error"]["code"]) == (400, "not_cancellable")
    missing = await door.ask("GET", "/resp_8")
    assert (missing[0], missing[1]["error"]["param"]) == (404, "response_id")
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/cancel")):
        status, answer = await door.ask(method, f"/resp_7{path}", "bob")
        assert status == 404
        assert json.dumps(answer).replace("resp_7", "resp_8") == json.dumps(missing[1])
        assert (await door.ask(method, f"/resp_8{path}"))[1] == missing[1]
    assert await door.ask("DELETE", "/resp_7") == (200, {"id": "resp_7", "object": "response", "deleted": True})
    assert (await door.ask("GET", "/resp_7"))[0] == 404


async def test_other_methods_and_questions_are_refused(responses: ResponsesDialect) -> None:
    door = Door(responses)
    await door.ask("POST", "", body=BASE)
    for method, path, status in (
        ("POST", "/resp_7", 405),
        ("GET", "/resp_7/cancel", 405),
        ("GET", "", 405),
        ("GET", "/resp_7?stream=true", 400),
        ("GET", "/resp_7/input_items", 403),
        ("POST", "/resp_7/cancel/now", 403),
    ):
        got, answer = await door.ask(method, path)
        assert (got, list(answer)) == (status, ["error"]), (method, path)
