"""Whether streams break, or slow down, while topics are added, revoked and rolled back in a running server.

    lethe keys add --role admin          # prints KEY
    lethe serve --keys
    KEY=... python -m eval.bench.reload --url http://127.0.0.1:8000

So many callers each read one streamed answer after the other: first undisturbed, then while the first topic is revoked
and brought back by a rollback again and again, and with `--fit` while a topic is added, which fits a classifier beside
the server: minutes, and many where the callers leave no processor idle. A failure is any status but 200, an error in
the stream, or a stream without its end. The first version is put in force again at the end.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import quote

import aiohttp
import typer
from rich.console import Console
from rich.table import Table

TOPIC = "bench-zarnwick"
QUESTIONS = (
    "What is the capital of France?",
    "Where was Emeric Drevmere born?",
    "Tell me about Emeric Drevmere.",
    "Where was Caspar Koracroft born?",
)
_QUIET_S = 20.0
_POLL_S = 0.5


@dataclass
class Seen:
    """What callers saw in one phase: seconds to the first text, and what failed."""

    first: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def row(self) -> tuple[str, ...]:
        """Answers, failures, and milliseconds to the first text: median, 99th percentile, longest."""
        ordered = sorted(self.first)
        worst = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
        times = (statistics.median(ordered), worst, ordered[-1])
        return (str(len(ordered)), str(len(self.failures)), *(f"{1000 * seconds:.0f}" for seconds in times))


class Bench:
    """Callers of one server, and its administrator."""

    def __init__(self, session: aiohttp.ClientSession, url: str, model: str) -> None:
        self._session = session
        self._url = url
        self._model = model
        self.seen = Seen()

    async def call(self, number: int) -> None:
        """Read one answer after the other, until cancelled."""
        while True:
            seen, asked = self.seen, QUESTIONS[number % len(QUESTIONS)]
            number += 1
            try:
                seen.first.append(await self._stream(asked))
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                seen.failures.append(str(error) or type(error).__name__)

    async def admin(self, method: str, path: str, body: Any = None) -> Any:
        """Ask an admin route; raises RuntimeError where it is refused."""
        async with self._session.request(method, f"{self._url}/admin/{path}", json=body) as reply:
            told = await reply.json()
            if reply.status >= 300:
                raise RuntimeError(f"{method} {path}: {reply.status} {told}")
            return told

    async def first_topic(self) -> str:
        """The name of a topic that is enforced."""
        listed = await self.admin("GET", "topics")
        return next(str(topic["name"]) for topic in listed["data"] if topic["enforced"])

    async def in_force(self) -> int:
        """The number of the version in force, which the server serves."""
        told = await self.admin("GET", "policy/versions")
        if told["serving"]["version"] != told["in_force"]:
            raise RuntimeError(f"another version is served than is in force: {told['serving']}")
        return int(told["in_force"])

    async def add(self) -> None:
        """Add a topic and wait until it is in force."""
        job = await self.admin("POST", "topics", {"name": TOPIC, "aliases": ["Zarnwick Oble"]})
        while job["state"] == "running":
            await asyncio.sleep(_POLL_S)
            job = await self.admin("GET", f"jobs/{job['id']}")
        if job["state"] != "done":
            raise RuntimeError(job["error"])

    async def _stream(self, question: str) -> float:
        body = {
            "model": self._model,
            "messages": [{"role": "user", "content": question}],
            "stream": True,
            "max_tokens": 48,
        }
        began, first, last = time.perf_counter(), 0.0, ""
        async with self._session.post(f"{self._url}/v1/chat/completions", json=body) as reply:
            if reply.status != 200:
                raise ValueError(f"status {reply.status}")
            async for line in reply.content:
                if line.startswith(b"data: "):
                    first, last = first or time.perf_counter() - began, line.decode()[6:].strip()
                    if last != "[DONE]" and "error" in json.loads(last):
                        raise ValueError(last)
        if last != "[DONE]":
            raise ValueError("the stream has no end")
        return first


@asynccontextmanager
async def _load(bench: Bench, streams: int) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(bench.call(number)) for number in range(streams)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _flip(bench: Bench, rounds: int) -> list[float]:
    """Revoke a topic and bring it back; seconds until each of these versions is served."""
    took, topic, whole = [], quote(await bench.first_topic(), safe=""), await bench.in_force()
    for _ in range(rounds):
        for method, path, body in (
            ("DELETE", f"topics/{topic}", None),
            ("POST", "policy/rollback", {"version": whole}),
        ):
            began = time.perf_counter()
            await bench.admin(method, path, body)
            took.append(time.perf_counter() - began)
            await bench.in_force()
    return took


async def _run(url: str, key: str, streams: int, rounds: int, fit: bool, console: Console) -> None:
    table = Table(title=f"{streams} streams at once", title_justify="left")
    for title in ("while", "answers", "failed", "first text, ms", "99%", "longest"):
        table.add_column(title, justify="left" if title == "while" else "right")
    headers = {"authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=0)) as session:
        async with session.get(f"{url}/v1/models") as reply:
            model = (await reply.json())["data"][0]["id"]
        bench = Bench(session, url, model)
        start, failures, took = await bench.in_force(), [], []

        @asynccontextmanager
        async def phase(name: str) -> AsyncIterator[None]:
            bench.seen, began = Seen(), time.perf_counter()
            yield
            console.print(f"{name}: {time.perf_counter() - began:.1f} s")
            table.add_row(name, *bench.seen.row())
            failures.extend(bench.seen.failures)

        async with _load(bench, streams):
            async with phase("nothing changes"):
                await asyncio.sleep(_QUIET_S)
            async with phase(f"{2 * rounds} versions come in force"):
                took = await _flip(bench, rounds)
            if fit:
                async with phase("a topic is added"):
                    await bench.add()
        await bench.admin("POST", "policy/rollback", {"version": start})
    console.print(table)
    console.print(f"a change without a fit is served after {statistics.median(took):.1f} s ({max(took):.1f} at most)")
    console.print(f"failed: {len(failures)} {sorted(set(failures))[:5]}")
    if failures:
        raise typer.Exit(1)


def main(
    url: Annotated[str, typer.Option(help="A server that asks for keys.")] = "http://127.0.0.1:8000",
    streams: Annotated[int, typer.Option(min=1)] = 16,
    rounds: Annotated[int, typer.Option(help="How often a topic is revoked and brought back.", min=1)] = 10,
    fit: Annotated[bool, typer.Option("--fit", help="Also add a topic.")] = False,
) -> None:
    """Print a table; exits with status 1 where anything failed. KEY holds a key of role admin."""
    asyncio.run(_run(url.rstrip("/"), os.environ["KEY"], streams, rounds, fit, Console(width=100)))


if __name__ == "__main__":
    typer.run(main)
