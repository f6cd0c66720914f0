"""Two hundred streams at once, clean and flagged: none is lost, none is answered twice, none gets another's answer."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
from asking import CORRUPTED, PREFIXED, REFUSED, ask
from serving import Served

# No two of the clean ones are the same, so that each must be checked for itself.
QUESTIONS = ("How do I boil {} eggs?", CORRUPTED, REFUSED, PREFIXED)
COUNT = 200


async def streamed(session: aiohttp.ClientSession, number: int) -> list[str]:
    """The data of the events of one stream, whose every piece has come."""
    body = ask(QUESTIONS[number % len(QUESTIONS)].format(number), stream=True, max_tokens=6, seed=number)
    async with session.post("/v1/chat/completions", json=body) as reply:
        assert reply.status == 200, await reply.text()
        text = await reply.text()
    assert text.endswith("\n\n")
    return [event.removeprefix("data: ") for event in text.removesuffix("\n\n").split("\n\n")]


async def test_two_hundred_streams_at_once_are_all_answered_once(served: Served, state: Path) -> None:
    timeout = aiohttp.ClientTimeout(total=240)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(served.url, connector=connector, timeout=timeout) as session:
        streams = await asyncio.gather(*(streamed(session, number) for number in range(COUNT)))
        refused = [said(parsed(data)) for data in streams[QUESTIONS.index(REFUSED) :: len(QUESTIONS)]]
    ids = []
    for events in streams:
        assert events.count("[DONE]") == 1
        assert events[-1] == "[DONE]"
        answer = parsed(events)
        assert len({event["id"] for event in answer}) == 1
        ends = [choice["finish_reason"] for event in answer for choice in event["choices"] if choice["finish_reason"]]
        assert len(ends) == 1
        assert said(answer)
        ids.append(answer[0]["id"])
    assert len(set(ids)) == COUNT
    assert len(set(refused)) == 1, "one question, one refusal"
    lines = (state / "audit" / "audit.jsonl").read_text().splitlines()
    kept = [row["id"] for row in map(json.loads, lines) if row.get("id") in set(ids)]
    assert sorted(kept) == sorted(ids), "each has its line, once"


def parsed(events: list[str]) -> list[dict[str, Any]]:
    return [json.loads(data) for data in events[:-1]]


def said(answer: list[dict[str, Any]]) -> str:
    return "".join(choice["delta"].get("content") or "" for event in answer for choice in event["choices"])
