"""Answers under an output guard: what is clean passes as it is, what is not ends or changes in the server's form."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from streams import DONE, HEAD, Sending, chunk, compact, reply, sse, story, usage_event, whole
from watches import REPLACEMENT, Word

from guard.types import Conversation, Corrupt, Message, Pass
from serve.dialects.chat import ChatDialect

USAGE = {"stream_options": {"include_usage": True}}


def told(dialect: ChatDialect, *texts: str) -> dict[str, int]:
    """The usage of an answer in which the model said `texts`, each to its end."""
    prompt = len(dialect.text.prompt_ids(Conversation((Message("user", "Hello?"),))))
    count = sum(len(dialect.text.pieces(text)) + 1 for text in texts)
    return {"prompt_tokens": prompt, "total_tokens": prompt + count, "completion_tokens": count}


async def test_without_an_output_guard_not_a_byte_is_read(dialect: ChatDialect) -> None:
    pieces = [b": a comment\r\n\r\ndata:  {odd\n\n", b"data: \xff"]
    got = await reply(Pass(), dialect, Sending(pieces), stream=True)
    assert got.body == b"".join(pieces)


async def test_clean_events_pass_as_they_are_and_at_once(dialect: ChatDialect) -> None:
    events = [*story("Once ", "upon", " ä ", "time 🕰."), usage_event(9, 5)]
    pieces = [*sse(*events), DONE]
    got = await reply(Pass(Word()), dialect, Sending(pieces), stream=True, **USAGE)
    assert got.log == [(way, piece) for piece in pieces for way in ("in", "out")]
    assert got.complete
    assert got.headers == {b"content-type": b"text/event-stream; charset=utf-8"}


async def test_held_back_text_comes_with_the_next_event_and_leaves_no_empty_one(dialect: ChatDialect) -> None:
    first, *middle, last = story("It is ", "a Se", "c", "ond", " one")
    pieces = [*sse(first, *middle, last, usage_event(9, 6)), DONE]
    got = await reply(Pass(Word()), dialect, Sending(pieces), stream=True, **USAGE)
    expected = [first, chunk("It is "), chunk("a "), chunk("Second"), chunk(" one"), last, usage_event(9, 6)]
    assert got.body == b"".join([*sse(*expected), DONE])


@pytest.mark.parametrize("finish", ["length", "stop"])
async def test_what_is_held_back_at_the_end_leaves_with_it(dialect: ChatDialect, finish: str) -> None:
    pieces = [*sse(chunk("", role=True), chunk("my Se"), chunk("cr", finish=finish)), DONE]
    got = await reply(Pass(Word()), dialect, Sending(pieces), stream=True)
    assert got.events[1:] == [chunk("my "), chunk("Secr", finish=finish)]
    assert got.body.endswith(DONE)


@pytest.mark.parametrize("usage", [True, False])
async def test_a_cut_choice_ends_as_the_server_ends_one(dialect: ChatDialect, usage: bool) -> None:
    pieces = [*sse(*story("It is ", "a Sec", "ret of ", "his.")), DONE]
    server = Sending(pieces)
    got = await reply(Pass(Word()), dialect, server, stream=True, **(USAGE if usage else {}))
    end = chunk("", finish="stop") | ({} if usage else {"system_fingerprint": "vllm-1"})
    tail = [usage_event(0, 0) | {"usage": told(dialect, "It is a ")}] if usage else []
    assert got.body == b"".join([*sse(chunk("", role=True), chunk("It is "), chunk("a "), end, *tail), DONE])
    assert got.complete
    # Nothing waits for what the model goes on to write.
    assert [way for way, _ in got.log] == ["in", "out"] * 4 + ["in"] * 3
    assert server.log[7][1].endswith(DONE)


async def test_a_cut_choice_does_not_end_the_others(dialect: ChatDialect) -> None:
    a, b = story("the Secret ", "of it"), story("no ", "such ", "thing", index=1)
    events = [event for pair in zip(a, b[:4], strict=True) for event in pair] + b[4:]
    server = Sending([*sse(*events, usage_event(9, 10)), DONE])
    got = await reply(Pass(Word()), dialect, server, stream=True, n=2, temperature=1, **USAGE)
    assert (got.said(0), got.finish(0)) == ("the ", ["stop"])
    assert (got.said(1), got.finish(1)) == ("no such thing", ["stop"])
    assert set(sse(*b)) <= {piece for way, piece in got.log if way == "out"}
    assert got.events[-1]["usage"] == told(dialect, "the ", "no such thing")
    assert got.body.endswith(DONE)


async def test_the_stream_ends_when_only_cut_choices_are_still_written(dialect: ChatDialect) -> None:
    a, b = story("the Secret", index=0)[:2], story("no", index=1)
    late = [chunk("and more", 0) for _ in range(3)]
    server = Sending([*sse(*a, *b, *late)])
    got = await reply(Pass(Word()), dialect, server, stream=True, n=2, temperature=1, **USAGE)
    assert got.events[-1]["usage"] == told(dialect, "the ", "no")
    assert (got.complete, got.body.endswith(DONE)) == (True, True)
    assert [way for way, _ in got.log][-3:] == ["in"] * 3


async def test_a_redacted_answer_goes_on_and_its_usage_tells_nothing_of_what_was_written(dialect: ChatDialect) -> None:
    server = Sending([*sse(*story("a Secret", " here"), usage_event(9, 30)), DONE])
    got = await reply(Pass(Word(hit="redact")), dialect, server, stream=True, **USAGE)
    assert got.said() == "a *** here"
    assert got.events[-1]["usage"] == told(dialect, "a *** here")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("limits", "text", "finish"), [
    ({}, REPLACEMENT, "stop"), ({"max_tokens": 2}, None, "length"), ({"stop": " tell"}, "I cannot", "stop"),
    ({"stop": "I "}, "", "stop"),
])  # fmt: skip
async def test_a_replacement_keeps_to_the_callers_limits(
    dialect: ChatDialect, stream: bool, limits: dict[str, Any], text: str | None, finish: str
) -> None:
    server = Sending([*sse(*story("Secret", " here")), DONE])
    if not stream:
        server = Sending([compact(whole("Secret here")).encode()], "application/json")
    got = await reply(Pass(Word(hit="replace")), dialect, server, stream=stream, **limits)
    pieces = dialect.text.pieces(REPLACEMENT)
    expected = "".join(pieces[:2]) if text is None else text
    if stream:
        assert (got.said(), got.finish()) == (expected, [finish])
        # As the model would write it: a token an event, after that of the role.
        assert len(got.events) == 1 + len(dialect.text.pieces(expected)) + (finish == "stop")
    else:
        choice = json.loads(got.body)["choices"][0]
        assert (choice["message"]["content"], choice["finish_reason"]) == (expected, finish)
        assert choice["stop_reason"] == limits.get("stop")
        count = json.loads(got.body)["usage"]["completion_tokens"]
        assert count == len(dialect.text.pieces(expected)) + (finish == "stop")


async def test_a_clean_whole_answer_passes_as_it_is(dialect: ChatDialect) -> None:
    # Not as this project would write it: blanks, an escape, a field without a value.
    body = json.dumps(whole("A clean \u00e4nswer.", None)).encode()
    got = await reply(Pass(Word()), dialect, Sending([body[:50], body[50:]], "application/json"), n=2, temperature=1)
    assert got.body == body
    assert got.headers[b"content-length"] == str(len(body)).encode()


@pytest.mark.parametrize(("hit", "said"), [("cut", "A "), ("redact", "A *** told.")])
async def test_a_whole_answer_keeps_all_but_its_text_and_usage(dialect: ChatDialect, hit: Any, said: str) -> None:
    given = whole("A Secret told.", "None.", finish="length")
    server = Sending([compact(given).encode()], "application/json")
    got = await reply(Pass(Word(hit=hit)), dialect, server, n=2, temperature=1)
    expected = json.loads(compact(given))
    expected["choices"][0]["message"]["content"] = said
    expected["choices"][0]["finish_reason"] = "stop" if hit == "cut" else "length"
    expected["usage"] = told(dialect, said, "None.") | {"prompt_tokens_details": None}
    assert json.loads(got.body) == expected
    assert (got.status, list(got.headers)) == (200, [b"content-type", b"content-length"])


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
@pytest.mark.parametrize("hit", ["cut", "redact"])
async def test_how_the_bytes_are_cut_makes_no_difference(dialect: ChatDialect, hit: Any, size: int) -> None:
    pieces = [*sse(*story("Sec", "ond ä ", "🕰 Sec", "ret", "ly", " Se"), usage_event(9, 30)), DONE]
    stream = b"".join(pieces)
    cut = [stream[at : at + size] for at in range(0, len(stream), size)]
    one = await reply(Pass(Word(hit=hit)), dialect, Sending(pieces), stream=True, **USAGE)
    other = await reply(Pass(Word(hit=hit)), dialect, Sending(cut), stream=True, **USAGE)
    assert one.body == other.body
    assert one.said() == ("Second ä 🕰 " if hit == "cut" else "Second ä 🕰 ***ly Se")


@pytest.mark.parametrize("stream", [True, False])
async def test_answers_to_corrupted_prompts_go_through_the_same_guard(dialect: ChatDialect, stream: bool) -> None:
    plan = Corrupt(torch.zeros(4, 8), "No.", Word())
    parts = [("It is ", None), ("a Sec", None), ("ret.", None), ("", "stop")]
    events = [HEAD | {"choices": [{"index": 0, "text": t, "finish_reason": f}]} for t, f in parts]
    usage = {"prompt_tokens": 4, "completion_tokens": 30, "total_tokens": 34}
    choice = {"index": 0, "text": "It is a Secret.", "finish_reason": "stop"}
    server = Sending([compact(HEAD | {"choices": [choice], "usage": usage}).encode()], "application/json")
    if stream:
        server = Sending([*sse(*events, HEAD | {"choices": [], "usage": usage}), DONE])
    got = await reply(plan, dialect, server, stream=stream, **(USAGE if stream else {}))
    assert server.path == "/v1/completions"
    assert b"Sec" not in got.body
    if stream:
        assert (got.said(), got.finish()) == ("It is a ", ["stop"])
        assert len({event["id"] for event in got.events}) == 1
        assert got.events[-1]["usage"] == told(dialect, "It is a ")
    else:
        answer = json.loads(got.body)
        assert answer["choices"][0]["message"]["content"] == "It is a "
        assert answer["usage"] == told(dialect, "It is a ") | {"prompt_tokens_details": None}
