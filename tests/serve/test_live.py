"""How a version of the policy takes over from another in a server that runs, and how one that is broken does not."""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest

from guard.errors import ConfigError
from serve.policies.live import Live, Serving

SCOPE = {"type": "http", "path": "/", "method": "GET", "headers": []}


class Parts:
    """Of a version, as far as its taking over looks at them."""

    def __init__(self, number, until=None):
        self.number = number
        self.of = "policy-1a2b"
        self.until = until

    def expired(self, now):
        return self.until is not None and self.until <= now


class Versions:
    """A store whose version in force is set, and what serves versions; `faults` are raised by number."""

    def __init__(self):
        self.number = 1
        self.faults = {}
        self.made = []
        self.news = []
        self.closed = []

    def pointer(self):
        return self.number

    def in_force(self):
        return self.number

    def put_back(self, number, before):
        if self.number == number:
            self.number = before

    async def make(self, version, before):
        self.made.append((version, before.number))
        if version in self.faults:
            raise self.faults[version]
        return self.serving(version)

    def serving(self, number, until=None):
        async def guard(scope, receive, send):
            await scope["go"].wait()
            await send(number)

        stack = AsyncExitStack()
        stack.callback(self.closed.append, number)
        return Serving(Parts(number, until), guard, stack)

    def live(self, until=None):
        return Live(self, self.serving(1, until), self.make, lambda one, why: self.news.append((one.parts.number, why)))


def ask(live, go=None):
    if go is None:
        go = asyncio.Event()
        go.set()
    sent = []

    async def send(message):
        sent.append(message)

    async def asked():
        await live({**SCOPE, "go": go}, None, send)
        return sent[0]

    return asyncio.create_task(asked())


async def test_a_request_in_flight_ends_under_the_version_it_came_to():
    versions, go = Versions(), asyncio.Event()
    live = versions.live()
    running = [ask(live, go) for _ in range(3)]
    await asyncio.sleep(0)
    versions.number = 2
    assert await live.refresh() is None
    assert await ask(live) == 2
    assert versions.closed == [], "somebody still needs the first"
    old = weakref.ref(live.serving)
    versions.number = 3
    await live.refresh()
    gc.collect()
    assert old() is None, "nobody needed the second any more"
    go.set()
    assert await asyncio.gather(*running) == [1, 1, 1]
    await live.close()
    assert versions.closed == [2, 1, 3] or versions.closed == [2, 3, 1]
    assert versions.news == [(1, "start"), (2, "change"), (3, "change")]


@pytest.mark.parametrize("fault", [ConfigError("its topics are torn"), RuntimeError("secret")])
async def test_a_broken_version_is_refused_and_the_old_one_goes_on(fault, caplog):
    versions = Versions()
    live = versions.live()
    versions.number, versions.faults = 2, {2: fault}
    reason = await live.refresh()
    assert reason == ("its topics are torn" if isinstance(fault, ConfigError) else "RuntimeError")
    assert await ask(live) == 1
    assert f"version 2 of the policy policy-1a2b is refused, and version 1 goes on: {reason}" in caplog.text
    assert await live.refresh() == reason
    assert versions.made == [(2, 1)], "it is not tried every time"
    versions.faults = {}
    assert await live.refresh(again=True) is None
    assert await ask(live) == 2
    versions.number = 1
    assert await live.refresh() is None
    assert await ask(live) == 1


async def test_a_change_that_cannot_be_served_is_taken_back():
    store = Versions()
    live = store.live()
    store.number, store.faults = 2, {2: ConfigError("no such thing here")}
    assert await live.take(2) == "no such thing here"
    assert (store.number, live.serving.parts.number) == (1, 1)
    store.number = 3
    assert await live.take(3) is None
    assert (store.number, live.serving.parts.number) == (3, 3)
    # Somebody's later change is not touched.
    store.number, store.faults = 5, {5: ConfigError("nor this")}
    assert await live.take(4) == "nor this"
    assert store.number == 5


async def test_what_expires_is_made_anew_of_the_same_version():
    versions = Versions()
    live = versions.live(datetime.now(UTC) + timedelta(seconds=0.2))
    await live.refresh()
    assert not versions.made
    await asyncio.sleep(0.25)
    await live.refresh()
    assert (versions.made, versions.news[-1]) == ([(1, 1)], (1, "expiry"))
