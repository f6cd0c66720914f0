"""Calls of tools in answers, in the events of Anthropic's messages and of Responses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from responding import NOT_CHAT, parsed
from streams import DONE, Reply, Sending, chunk, compact, reply, sse, usage_event
from test_answer_texts import answered, call, calling, event
from watches import Word

from guard.types import Pass
from serve.dialects.chat import ChatDialect
from serve.dialects.messages import MessagesDialect
from serve.dialects.responses import ResponsesDialect
from serve.model_text import ModelText
from serve.responses.store import ResponseStore

TOOL = {"name": "look_up", "input_schema": {}}
FLAT = {"type": "function", "name": "look_up"}
MESSAGE: dict[str, Any] = {"tools": [TOOL], "max_tokens": 8}
RESPONSE: dict[str, Any] = {**NOT_CHAT, "input": "Hello?", "tools": [FLAT]}
TWO = [
    chunk("", role=True), chunk("Well."), event(call('{"a"', name="look_up")), event(call(': "b"}')), chunk("And"),
    event(call("{}", name="look_up", index=1)), chunk("so."), event({}, finish="tool_calls"),
]  # fmt: skip


@pytest.fixture
def messages(dialect: ChatDialect) -> MessagesDialect:
    return MessagesDialect(dialect)


@pytest.fixture
def responses(dialect: ChatDialect) -> ResponsesDialect:
    return ResponsesDialect(dialect, ResponseStore(b"0" * 32))


def streaming(*events: dict[str, Any]) -> Sending:
    return Sending([*sse(*events, usage_event(9, 5)), DONE])


def blocks(got: Reply) -> list[tuple[Any, str]]:
    """What every block opens with, and all that it grows by."""
    found: list[tuple[Any, str]] = []
    for kind, data in parsed(got.body):
        if kind == "content_block_start":
            assert data["index"] == len(found)
            found.append((data["content_block"], ""))
        if kind == "content_block_delta":
            assert data["index"] == len(found) - 1
            told = data["delta"]
            if told["type"] == "signature_delta":
                continue
            more = told.get("text") or told.get("thinking") or told["partial_json"]
            found[-1] = (found[-1][0], found[-1][1] + more)
    return found


def used(number: int) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"call-{number}", "name": "look_up", "input": {}}


TEXT = {"type": "text", "text": ""}
THINKING = {"type": "thinking", "thinking": ""}


async def test_blocks_come_one_after_another(messages: MessagesDialect) -> None:
    got = await reply(Pass(Word()), messages, streaming(*TWO), stream=True, **MESSAGE)
    assert blocks(got) == [(TEXT, "Well."), (used(0), '{"a": "b"}'), (TEXT, "And"), (used(1), "{}"), (TEXT, "so.")]
    kinds = [kind for kind, _ in parsed(got.body) if kind != "content_block_delta"]
    assert kinds == [
        "message_start",
        *["content_block_start", "content_block_stop"] * 5,
        "message_delta",
        "message_stop",
    ]
    assert parsed(got.body)[-2][1]["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}


async def test_thoughts_are_blocks_of_their_own_and_signed(messages: MessagesDialect) -> None:
    events = [event({"reasoning": "Let me "}), event({"reasoning": "see."}), chunk("So."), event({"reasoning": "Hm."})]
    got = await reply(
        Pass(Word()), messages, streaming(chunk("", role=True), *events, event({}, finish="stop")), stream=True,
        **MESSAGE,
    )  # fmt: skip
    assert blocks(got) == [(THINKING, "Let me see."), (TEXT, "So."), (THINKING, "Hm.")]
    deltas = [data["delta"] for kind, data in parsed(got.body) if kind == "content_block_delta"]
    assert [len(told["signature"]) for told in deltas if told["type"] == "signature_delta"] == [32, 32]
    got = await reply(
        Pass(Word()), messages, Sending([compact(answered("Hm.", "Hi", "{}")).encode()], "application/json"), **MESSAGE
    )
    first, *others = json.loads(got.body)["content"]
    assert {name: first[name] for name in ("type", "thinking")} == THINKING | {"thinking": "Hm."}
    assert others == [{"type": "text", "text": "Hi"}, used(0)]


@pytest.mark.parametrize("stop", [None, "END"])
async def test_a_call_that_is_cut_is_not_to_be_run(messages: MessagesDialect, stop: str | None) -> None:
    got = await reply(Pass(Word()), messages, streaming(*calling('{"who": "the Sec', 'ret"}')), stream=True, **MESSAGE)
    assert blocks(got)[-1] == (used(0), '{"who": "the ')
    assert parsed(got.body)[-2][1]["delta"]["stop_reason"] == "end_turn"
    broken = event({}, finish="stop")
    broken["choices"][0]["stop_reason"] = stop
    torn = streaming(chunk("", role=True), event(call('{"who', name="look_up")), broken)
    got = await reply(Pass(Word()), messages, torn, stream=True, **MESSAGE)
    told = {"stop_reason": "stop_sequence" if stop else "end_turn", "stop_sequence": stop}
    assert parsed(got.body)[-2][1]["delta"] == told


@pytest.mark.parametrize(
    ("answer", "content", "stop"),
    [
        (answered(None, None, '{"a": 1}', "{}"), [used(0) | {"input": {"a": 1}}, used(1)], "tool_use"),
        (answered(None, "Hi", "{}"), [{"type": "text", "text": "Hi"}, used(0)], "tool_use"),
        (answered(None, "Hi", '{"a": 1', "{}"), [{"type": "text", "text": "Hi"}, used(1)], "tool_use"),
        (answered(None, None, '{"a": NaN}'), [TEXT], "end_turn"),
        (answered(None, "Hi", '{"a": "Secret"}'), [{"type": "text", "text": "Hi"}], "end_turn"),
        (answered("A Secret", "Hi", "{}"), [THINKING | {"thinking": "A "}], "end_turn"),
    ],
)  # fmt: skip
async def test_a_whole_message_has_its_calls_that_are_complete(
    messages: MessagesDialect, answer: Any, content: list[Any], stop: str
) -> None:
    got = await reply(Pass(Word()), messages, Sending([compact(answer).encode()], "application/json"), **MESSAGE)
    made = json.loads(got.body)
    for block in made["content"]:
        block.pop("signature", None)
    assert (made["content"], made["stop_reason"]) == (content, stop)


def items(got: Reply) -> list[tuple[str, str]]:
    """The kind of every item of a response, and what it says or is called with."""
    made = parsed(got.body)[-1][1]["response"]["output"]
    return [(one["type"], one["arguments"] if "arguments" in one else one["content"][0]["text"]) for one in made]


async def test_items_come_one_after_another_and_are_kept(responses: ResponsesDialect) -> None:
    got = await reply(Pass(Word()), responses, streaming(*TWO), stream=True, **RESPONSE)
    told = [("message", "Well."), ("function_call", '{"a": "b"}'), ("message", "And"), ("function_call", "{}")]
    assert items(got) == [*told, ("message", "so.")]
    events = parsed(got.body)
    item = ["output_item.added", "content_part.added", "output_text.delta", "output_text.done", "content_part.done"]
    item.append("output_item.done")
    done = ["function_call_arguments.done", "output_item.done"]
    first, second = (["output_item.added", *["function_call_arguments.delta"] * n, *done] for n in (2, 1))
    kinds = ["created", "in_progress", *item, *first, *item, *second, *item, "completed"]
    assert [kind for kind, _ in events] == [f"response.{kind}" for kind in kinds]
    assert [data["sequence_number"] for _, data in events] == list(range(len(events)))
    final = events[-1][1]["response"]
    assert [data["item"] for kind, data in events if kind == "response.output_item.done"] == final["output"]
    assert len({one["id"] for one in final["output"]}) == 5
    calls = [
        {"id": f"call-{n}", "function": {"name": "look_up", "arguments": a}} for n, a in enumerate(('{"a": "b"}', "{}"))
    ]
    said = {"role": "assistant", "content": "Well.Andso.", "tool_calls": calls}
    shelf = responses.store.of({"headers": []})
    assert shelf.find(final["id"], "response_id").turns == ({"role": "user", "content": "Hello?"}, said)
    output = {"type": "function_call_output", "call_id": "call-0", "output": "It is."}
    asked = {"model": "m", "input": [output], "previous_response_id": final["id"]}
    request = responses.read(json.dumps(asked).encode(), {"headers": []})
    assert [m.role for m in request.conversation.messages if not m.aside] == ["user", "assistant", "tool"]
    assert request.params[-2:] == ("input[0].output",) * 2


async def test_a_call_that_the_guard_cuts_is_told_to_be_incomplete(responses: ResponsesDialect) -> None:
    server = streaming(*calling('{"who": "the Sec', 'ret"}'))
    got = await reply(Pass(Word()), responses, server, stream=True, **RESPONSE)
    assert items(got)[-1] == ("function_call", '{"who": "the ')
    assert parsed(got.body)[-1][1]["response"]["output"][-1]["status"] == "incomplete"
    assert b"ret" not in got.body.replace(b"response", b"")


async def test_a_whole_response_has_a_message_only_where_something_is_said(responses: ResponsesDialect) -> None:
    for said, kinds in ((None, ["function_call"]), ("Hi", ["message", "function_call"])):
        body = compact(answered(None, said, '{"a": 1}')).encode()
        got = await reply(Pass(Word()), responses, Sending([body], "application/json"), **RESPONSE)
        assert [item["type"] for item in json.loads(got.body)["output"]] == kinds


@pytest.mark.parametrize(("heeds", "effort"), [("effort", "none"), ("switch", "none"), ("nothing", "low")])
def test_thinking_is_turned_off_as_the_model_server_does(dialect: ChatDialect, heeds: str, effort: str) -> None:
    from copy import deepcopy

    tokenizer = deepcopy(dialect.text.tokenizer)
    heard = {"effort": "{{ reasoning_effort }}", "switch": "{% if enable_thinking %}think{% endif %}", "nothing": ""}
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}" + heard[heeds]
    text = ModelText(tokenizer)
    assert text.unthinking == effort
    other = MessagesDialect(ChatDialect(("m",), 128, text, dialect.shape))
    body = {"model": "m", "max_tokens": 8, "messages": [{"role": "user", "content": "Hi"}]}
    asked = other.read(json.dumps(body | {"thinking": {"type": "disabled"}}).encode(), {})
    assert json.loads(asked.clean_body())["reasoning_effort"] == effort
    assert "reasoning_effort" not in json.loads(other.read(json.dumps(body).encode(), {}).clean_body())
