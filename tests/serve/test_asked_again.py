"""Answers that told too much are asked for again: what leaves is the new one, in the form of any answer."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from streams import DONE, HEAD, Reply, chunk, compact, reply, sse, story, usage_event, whole
from watches import REPLACEMENT, Failing, Word

from guard.types import Conversation, Corrupt, Message, Output, Pass
from serve.dialects.chat import ChatDialect
from serve.dialects.completions import CompletionsDialect
from serve.dialects.messages import MessagesDialect

USAGE = {"stream_options": {"include_usage": True}}
COMPLETIONS = "/v1/completions"


@dataclass
class Renewing(Word):
    """A guard that asks for another answer up to so many times, each time with a longer prompt."""

    hit: Any = "again"
    tries: int = 2
    then: Output | None = None
    asked: list[tuple[int, bool]] = field(default_factory=list)

    def again(self, topics: frozenset[str], number: int, *, drawn: bool) -> Corrupt | None:
        assert topics == {"t"}
        self.asked.append((number, drawn))
        return Corrupt(torch.zeros(3 + number, 8), "No.", self.then or self) if number <= self.tries else None


def completion(*texts: str, finish: str = "stop", **more: Any) -> bytes:
    choices = [{"index": i, "text": text, "finish_reason": finish, "stop_reason": None} for i, text in enumerate(texts)]
    # In any order, and with more than the text: nothing of that may leave.
    usage = {"prompt_tokens": 3, "completion_tokens": 99, "total_tokens": 102}
    return compact({"choices": choices[::-1], "usage": usage, "prompt_logprobs": ["told"]} | more).encode()


class Answering:
    """A model server that answers a chat with `first`, and what it is asked again with one after the other."""

    def __init__(self, first: bytes | list[bytes], *later: bytes | int) -> None:
        self.first = first
        self.later = list(later)
        self.bodies: list[dict[str, Any]] = []
        self.log: list[tuple[str, bytes]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = json.loads((await receive())["body"])
        self.bodies.append(body)
        made: Any = self.first
        if len(self.bodies) > 1:
            assert scope["path"] == COMPLETIONS
            made = self.later.pop(0)
        status = made if isinstance(made, int) else 200
        kind = b"text/event-stream" if isinstance(made, list) else b"application/json"
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})
        for piece in made if isinstance(made, list) else [b"{}" if isinstance(made, int) else made]:
            self.log.append(("in", piece))
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b""})


def told(dialect: ChatDialect, *texts: str) -> dict[str, int]:
    prompt = len(dialect.text.prompt_ids(Conversation((Message("user", "Hello?"),))))
    count = sum(len(dialect.text.pieces(text)) + 1 for text in texts)
    return {"prompt_tokens": prompt, "total_tokens": prompt + count, "completion_tokens": count}


def answer(got: Reply) -> tuple[list[str], list[str]]:
    choices = json.loads(got.body)["choices"]
    return [c["message"]["content"] for c in choices], [c["finish_reason"] for c in choices]


async def test_a_whole_answer_is_the_new_one_and_so_is_its_usage(dialect: ChatDialect) -> None:
    output = Renewing()
    first = whole("The Secret.")
    server = Answering(compact(first).encode(), completion("None of it."))
    got = await reply(Pass(output), dialect, server, temperature=0)
    expected = json.loads(compact(first))
    expected["choices"][0]["message"]["content"] = "None of it."
    expected["usage"] = told(dialect, "None of it.") | {"prompt_tokens_details": None}
    assert json.loads(got.body) == expected
    assert (got.status, list(got.headers)) == (200, [b"content-type", b"content-length"])
    assert output.asked == [(1, False)]
    again = server.bodies[1]
    assert set(again) == {"model", "temperature", "n", "max_tokens", "prompt_embeds"}
    assert (again["n"], again["max_tokens"], len(server.bodies)) == (1, 40, 2)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("form", [MessagesDialect, CompletionsDialect])
async def test_other_dialects_get_the_new_answer_too(dialect: ChatDialect, form: Any, stream: bool) -> None:
    raw = form is CompletionsDialect
    parts = [{"index": 0, "text": t, "finish_reason": f} for t, f in (("Sec", None), ("ret", "stop"))]
    texts = [HEAD | {"choices": [part]} for part in parts]
    events = texts if raw else [*story("Sec", "ret"), usage_event(9, 3)]
    whole_answer = completion("The Secret.") if raw else compact(whole("The Secret.")).encode()
    server = Answering([*sse(*events), DONE] if stream else whole_answer, completion("None of it."))
    asked: dict[str, Any] = {"prompt": "Hello?", "messages": None} if raw else {}
    got = await reply(Pass(Renewing()), form(dialect), server, stream=stream, **asked)
    lines = [line[6:] for line in got.body.decode().split("\n") if line.startswith("data: ")] or [got.body.decode()]
    parts = [json.loads(line) for line in lines if line != "[DONE]"]
    if raw:
        said = [part["choices"][0]["text"] for part in parts]
    elif stream:
        said = [part["delta"].get("text", "") for part in parts if "delta" in part]
    else:
        said = [part["content"][0]["text"] for part in parts]
    assert "".join(said) == "None of it."
    assert set(server.bodies[1]) >= {"prompt_embeds", "n"}


@pytest.mark.parametrize("stream", [True, False])
async def test_when_tries_are_exhausted_a_refusal_takes_its_place(dialect: ChatDialect, stream: bool) -> None:
    output = Renewing()
    first: Any = [*sse(*story("Secret", " here")), DONE] if stream else compact(whole("Secret here")).encode()
    server = Answering(first, completion("A Secret"), completion("Secrets, Secret"))
    got = await reply(Pass(output), dialect, server, stream=stream, **(USAGE if stream else {}))
    assert [number for number, _ in output.asked] == [1, 2, 3]
    assert b"Secret" not in got.body
    if stream:
        assert (got.said(), got.finish()) == (REPLACEMENT, ["stop"])
        assert got.events[-1]["usage"] == told(dialect, REPLACEMENT)
        assert got.body.endswith(DONE)
    else:
        assert answer(got) == ([REPLACEMENT], ["stop"])
        assert json.loads(got.body)["usage"]["completion_tokens"] == told(dialect, REPLACEMENT)["completion_tokens"]


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
async def test_a_stream_that_told_before_its_first_text_is_a_stream_of_the_new_answer(
    dialect: ChatDialect, size: int
) -> None:
    stream = b"".join([*sse(*story("Sec", "ret", " of his"), usage_event(9, 30)), DONE])
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    got = await reply(
        Pass(Renewing()), dialect, Answering(pieces, completion("None of it.", finish="length")), stream=True, **USAGE
    )
    assert (got.said(), got.finish(), got.complete) == ("None of it.", ["length"], True)
    texts = dialect.text.pieces("None of it.")
    expected = [chunk("", role=True), *map(chunk, texts[:-1]), chunk(texts[-1], finish="length")]
    usage = {**told(dialect, "None of it."), "completion_tokens": len(texts)}
    usage["total_tokens"] = usage["prompt_tokens"] + len(texts)
    assert got.body == b"".join([*sse(*expected, usage_event(0, 0) | {"usage": usage}), DONE])


async def test_what_the_model_server_still_writes_is_not_waited_for(dialect: ChatDialect) -> None:
    server = Answering([*sse(*story("Secret", *["on and on"] * 50)), DONE], completion("No."))
    got = await reply(Pass(Renewing()), dialect, server, stream=True)
    assert got.said() == "No."
    assert len([way for way, _ in server.log if way == "in"]) == 3


async def test_after_its_first_text_a_stream_can_only_be_cut(dialect: ChatDialect) -> None:
    output = Renewing()
    server = Answering([*sse(*story("It is ", "a Secret", " of his")), DONE])
    got = await reply(Pass(output), dialect, server, stream=True)
    assert (got.said(), got.finish(), output.asked) == ("It is a ", ["stop"], [])


async def test_only_choices_that_told_are_asked_for_again(dialect: ChatDialect) -> None:
    first = whole("The Secret.", "No such thing.", "A Secret.")
    server = Answering(compact(first).encode(), completion("One.", "A Secret"), completion("Two."))
    got = await reply(Pass(Renewing()), dialect, server, n=3, seed=2**63 - 2)
    assert answer(got) == (["One.", "No such thing.", "Two."], ["stop"] * 3)
    count = told(dialect, "One.", "No such thing.", "Two.")["completion_tokens"]
    assert json.loads(got.body)["usage"]["completion_tokens"] == count
    assert [body["n"] for body in server.bodies] == [3, 2, 1]
    # Seeds of their own, within what the model server takes.
    assert [body["seed"] for body in server.bodies] == [2**63 - 2, -(2**63) + 1, -(2**63) + 4]


async def test_in_a_stream_the_other_choices_flow_and_the_new_answer_follows(dialect: ChatDialect) -> None:
    a, b = story("Secret", " here"), story("no ", "such ", "thing", index=1)
    events = [event for pair in zip(a, b[:4], strict=True) for event in pair] + b[4:]
    server = Answering([*sse(*events, usage_event(9, 10)), DONE], completion("Well."))
    got = await reply(Pass(Renewing()), dialect, server, stream=True, n=2, temperature=1, **USAGE)
    assert set(sse(*b)) <= {piece for way, piece in server.log if way == "out"}
    assert [(got.said(i), got.finish(i)) for i in (0, 1)] == [("Well.", ["stop"]), ("no such thing", ["stop"])]
    assert got.events[-1]["usage"] == told(dialect, "Well.", "no such thing")
    assert got.body.count(b"[DONE]") == 1


async def test_the_new_answer_is_redacted_where_its_guard_redacts(dialect: ChatDialect) -> None:
    server = Answering(compact(whole("Secret.")).encode(), completion("A Secret it is."))
    got = await reply(Pass(Renewing(then=Word(hit="redact"))), dialect, server)
    assert answer(got) == (["A *** it is."], ["stop"])


async def test_the_callers_stops_and_limits_hold_for_the_refusal(dialect: ChatDialect) -> None:
    got = await reply(Pass(Renewing(tries=0)), dialect, Answering(compact(whole("Secret")).encode()), stop=" tell")
    assert answer(got) == (["I cannot"], ["stop"])
    got = await reply(Pass(Renewing(tries=0)), dialect, Answering(compact(whole("Secret")).encode()), max_tokens=2)
    assert answer(got)[1] == ["length"]


async def test_a_prompt_that_grew_too_long_is_not_asked_again(dialect: ChatDialect) -> None:
    output = Renewing()
    server = Answering(compact(whole("Secret")).encode())
    context = len(dialect.text.prompt_ids(Conversation((Message("user", "Hello?"),)))) + 40
    small = ChatDialect(dialect.models, context, dialect.text, dialect.shape)
    output.again = lambda topics, number, drawn: Corrupt(torch.zeros(context, 8), "No.", output)  # type: ignore[method-assign,misc]
    assert answer(await reply(Pass(output), small, server)) == ([REPLACEMENT], ["stop"])


BROKEN: dict[str, bytes | int] = {
    "status": 400, "not JSON": b"told", "an error": b'{"error": {"message": "told"}}', "too few": completion(),
    "too many": completion("told", "told"), "no text": b'{"choices": [{"index": 0, "finish_reason": "stop"}]}',
    "unfinished": completion("told", finish=None),  # type: ignore[arg-type]
}  # fmt: skip


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
async def test_a_model_server_that_fails_when_asked_again_is_an_error(
    dialect: ChatDialect, broken: bytes | int, stream: bool
) -> None:
    first: Any = [*sse(*story("Secret", " told")), DONE] if stream else compact(whole("Secret told")).encode()
    got = await reply(Pass(Renewing()), dialect, Answering(first, broken), stream=stream)
    assert error(got, stream) == (200 if stream else 502, "upstream_failed")
    assert b"told" not in got.body
    assert b"Secret" not in got.body


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("where", ["again", "watch", "finish"])
async def test_a_guard_that_breaks_on_the_new_answer_lets_nothing_out(
    dialect: ChatDialect, where: Any, stream: bool
) -> None:
    output = Renewing(then=Failing(ValueError("Mira"), where))
    if where == "again":
        output.again = Failing(ValueError("Mira"), "watch").again  # type: ignore[method-assign]
    first: Any = [*sse(*story("Secret", " told")), DONE] if stream else compact(whole("Secret told")).encode()
    got = await reply(Pass(output), dialect, Answering(first, completion("told")), stream=stream)
    assert error(got, stream) == (200 if stream else 503, "not_checked")
    assert b"told" not in got.body


def error(got: Reply, stream: bool) -> tuple[int, str]:
    body = got.body.decode().split("\n\n")[-2].removeprefix("data: ") if stream else got.body
    assert got.complete
    assert DONE not in got.body
    return got.status, json.loads(body)["error"]["code"]
