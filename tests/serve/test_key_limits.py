"""Limits of each key: what is too many of one caller's is refused unread, and nobody else notices."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from asking import CLEAN, ask
from stubs import PATH

from serve.caller import Caller, with_caller
from serve.keys.limited import LimitedKeys
from serve.keys.store import Grant
from serve.replies import send_body


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Asked:
    """An app behind the limits, which answers once it may go on; it counts the bodies that were read."""

    def __init__(self) -> None:
        self.go, self.read, self.clock = asyncio.Event(), 0, Clock()
        self._limited = LimitedKeys(self._answer, timer=self.clock)

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        self.read += 1
        await self.go.wait()
        if scope["path"] == "/fails":
            raise RuntimeError
        await send_body(send, 200, b"{}")

    async def ask(self, grant: Grant | None, key: str = "key-1", path: str = PATH) -> httpx.Response:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            scope = scope if grant is None else with_caller(scope, Caller(key, "caller", grant))
            await self._limited(scope, receive, send)

        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as http:
            return await http.post(path, json=ask(CLEAN))


@pytest.fixture
def asked() -> Asked:
    return Asked()


async def test_what_is_too_many_of_one_key_at_once_is_refused_unread_and_others_are_served(asked: Asked) -> None:
    two = Grant(max_concurrent=2)
    running = [asyncio.create_task(asked.ask(two)) for _ in range(2)]
    while asked.read < 2:
        await asyncio.sleep(0.01)
    busy = await asked.ask(two)
    assert (busy.status_code, busy.headers["retry-after"], asked.read) == (429, "1", 2)
    assert busy.json()["error"]["type"] == "rate_limit_error"
    others = [asyncio.create_task(asked.ask(two, "key-2")), *(asyncio.create_task(asked.ask(None)) for _ in range(3))]
    asked.go.set()
    assert {(await one).status_code for one in [*running, *others]} == {200}
    assert (await asked.ask(two)).status_code == 200, "one that has ended makes room"
    for _ in range(3):
        with pytest.raises(RuntimeError):
            await asked.ask(two, path="/fails")


async def test_no_minute_holds_more_than_a_key_may_ask_whenever_it_begins(asked: Asked) -> None:
    asked.go.set()
    three = Grant(per_minute=3)
    taken, waits = [], {}
    for tenth in range(0, 1800):
        asked.clock.now = tenth / 10
        reply = await asked.ask(three) if tenth % 150 == 0 or tenth in waits.values() else None
        if reply is not None and reply.status_code == 200:
            taken.append(asked.clock.now)
        elif reply is not None:
            waits[tenth] = tenth + 10 * int(reply.headers["retry-after"])
    assert taken[:4] == [0, 15, 30, 60]
    assert all(sum(at <= one < at + 60 for one in taken) <= 3 for at in taken)
    assert waits[450] == 600, "the header says when there is room"
    assert (await asked.ask(Grant())).status_code == 200, "without a limit nothing is counted"


async def test_what_is_refused_since_too_much_runs_does_not_count_in_the_minute(asked: Asked) -> None:
    grant = Grant(max_concurrent=1, per_minute=2)
    running = asyncio.create_task(asked.ask(grant))
    while not asked.read:
        await asyncio.sleep(0.01)
    assert [(await asked.ask(grant)).headers["retry-after"] for _ in range(3)] == ["1"] * 3
    asked.go.set()
    await running
    assert [(await asked.ask(grant)).status_code for _ in range(2)] == [200, 429]


async def test_errors_have_the_form_of_their_dialect(asked: Asked) -> None:
    asked.go.set()
    once = Grant(per_minute=1)
    await asked.ask(once)
    told = (await asked.ask(once, path="/v1/messages")).json()
    assert (told["type"], told["error"]["type"]) == ("error", "rate_limit_error")
