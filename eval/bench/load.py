"""Puts load on an endpoint, for the benches that measure a server: questions of several kinds, whole and streamed."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count, cycle
from pathlib import Path
from typing import NamedTuple

import aiohttp

from classifiers.data import load_examples
from classifiers.general import load_general
from guard.policy import load_policy


class Served(NamedTuple):
    """How one request went: seconds to the first bytes of the answer, and to its end; how many tokens it had."""

    first: float
    whole: float
    tokens: int


class Question(NamedTuple):
    """One request to make."""

    text: str
    stream: bool


def clean_questions() -> Iterator[str]:
    """Questions on nothing in particular, for ever; no two are the same text."""
    general = cycle(example.question for example in load_general())
    for number in count(1):
        yield f"{next(general)} ({number})"


def flagged_questions(policy: Path) -> Iterator[str]:
    """For ever what the policy's examples ask."""
    topics = load_policy(policy).topics
    return cycle(pair.question for topic in topics if topic.examples for pair in load_examples(topic.examples))


def mixed_questions(policy: Path) -> Iterator[Question]:
    """For ever: of four, two clean and two that the policy's examples ask, one of each kind streamed."""
    clean, flagged = clean_questions(), flagged_questions(policy)
    for number in count():
        yield Question(next(flagged if number % 2 else clean), number % 4 >= 2)


@asynccontextmanager
async def client(url: str, *, key: str | None = None) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of any number of connections; `url` may end in /v1."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    base = url.rstrip("/").removesuffix("/v1")
    timeout = aiohttp.ClientTimeout(total=300)
    # Servers close idle connections; a request that meets such a one fails, which is no fault of what is measured.
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=1.0)
    async with aiohttp.ClientSession(base, headers=headers, timeout=timeout, connector=connector) as session:
        yield session


async def ask(session: aiohttp.ClientSession, model: str, question: Question, *, max_tokens: int) -> Served:
    """Ask once, greedily.

    Raises:
        aiohttp.ClientError: there was no answer, or none with status 200.
        ValueError: a stream ended with an error.
    """
    body = {
        "model": model,
        "messages": [{"role": "user", "content": question.text}],
        "temperature": 0,
        "max_tokens": max_tokens,
        "stream": question.stream,
    } | ({"stream_options": {"include_usage": True}} if question.stream else {})
    began = time.perf_counter()
    async with session.post("/v1/chat/completions", json=body, raise_for_status=True) as reply:
        first, text = None, b""
        async for chunk in reply.content.iter_any():
            first = first or time.perf_counter()
            text += chunk
    ended = time.perf_counter()
    if question.stream and not text.endswith(b"data: [DONE]\n\n"):
        raise ValueError(f"the stream did not end as one should: {text[-200:]!r}")
    told = text.removesuffix(b"\n\ndata: [DONE]\n\n").rpartition(b"data: ")[2]
    return Served((first or ended) - began, ended - began, json.loads(told)["usage"]["completion_tokens"])


async def each(session: aiohttp.ClientSession, model: str, questions: Iterator[Question], *, at_once: int) -> int:
    """Ask all `questions`, so many at once; how many were not answered, as by a server that is out of time."""

    async def work() -> int:
        failed = 0
        for question in questions:
            try:
                await ask(session, model, question, max_tokens=8)
            except (aiohttp.ClientError, TimeoutError, ValueError):
                failed += 1
        return failed

    return sum(await asyncio.gather(*(work() for _ in range(at_once))))
