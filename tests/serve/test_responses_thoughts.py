"""What a model thinks, in the items and events of OpenAI's Responses, and in what goes on from them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from responding import BASE, answered, expected, parsed, read
from streams import DONE, Sending, chunk, compact, sse, usage_event, whole
from test_answer_texts import calling, event
from watches import Word

from guard.types import Pass
from serve.dialects.chat import ChatDialect
from serve.dialects.chat_parts import THOUGHTS
from serve.dialects.responses import ResponsesDialect
from serve.responses.store import ResponseStore

SPENT = {"completion_tokens_details": {"reasoning_tokens": 7}}


@pytest.fixture
def responses(dialect: ChatDialect) -> ResponsesDialect:
    return ResponsesDialect(dialect, ResponseStore(b"0" * 32))


def thoughts(text: str, status: str | None = None) -> dict[str, Any]:
    part = {"text": text, "type": "reasoning_text"}
    told = {"id": "rs_7", "summary": [], "type": "reasoning", "content": [part]}
    return told | {"encrypted_content": None, "status": status}


def thinking(text: str | None = "It is so.", status: str | None = None) -> dict[str, Any]:
    """The response to the usual request, with thoughts of a status; without a message where no text is said."""
    made = expected(BASE, text or "")
    message = made["output"][0] | {"id": "msg_7_1"}
    made["output"] = [thoughts("Let me see.", status), *([message] if text else [])]
    made["usage"]["output_tokens_details"]["reasoning_tokens"] = 7
    return made


@pytest.mark.parametrize("field", THOUGHTS)
@pytest.mark.parametrize("text", ["It is so.", None])
async def test_a_whole_answer_tells_what_was_thought(responses: ResponsesDialect, field: str, text: str | None) -> None:
    answer = whole(text, **{field: "Let me see."})
    answer["usage"] |= SPENT
    got = await answered(Pass(Word()), responses, Sending([compact(answer).encode()], "application/json"))
    assert json.loads(got.body) == thinking(text)
    assert list(json.loads(got.body)["output"][0]) == list(thoughts(""))


@pytest.mark.parametrize("field", THOUGHTS)
async def test_a_stream_tells_thoughts_before_the_message(responses: ResponsesDialect, field: str) -> None:
    usage = usage_event(9, 30)
    usage["usage"] |= SPENT
    thought = [event({field: text}) for text in ("Let me ", "see.")]
    pieces = sse(chunk("", role=True), *thought, chunk("It is so."), chunk("", finish="stop"), usage)
    got = await answered(Pass(Word()), responses, Sending([*pieces, DONE]), stream=True)
    final = thinking(status="completed")
    at = {"item_id": "rs_7", "output_index": 0, "content_index": 0}
    part = {"text": "Let me see.", "type": "reasoning_text"}
    begun = thoughts("") | {"content": None, "status": "in_progress"}
    told = [
        ("response.output_item.added", {"item": begun, "output_index": 0}),
        ("response.content_part.added", at | {"part": part | {"text": ""}}),
        ("response.reasoning_text.delta", at | {"delta": "Let me "}),
        ("response.reasoning_text.delta", at | {"delta": "see."}),
        ("response.reasoning_text.done", at | {"text": "Let me see."}),
        ("response.content_part.done", at | {"part": part}),
        ("response.output_item.done", {"item": final["output"][0], "output_index": 0}),
    ]
    numbered = [(kind, data | {"sequence_number": number, "type": kind}) for number, (kind, data) in enumerate(told, 2)]
    events = parsed(got.body)
    assert events[2:9] == numbered
    assert [kind.removeprefix("response.") for kind, _ in events[9:]] == [
        "output_item.added", "content_part.added", "output_text.delta", "output_text.done", "content_part.done",
        "output_item.done", "completed",
    ]  # fmt: skip
    assert all(data["output_index"] == 1 for _, data in events[9:-1])
    assert events[-1][1]["response"] == final


@pytest.mark.parametrize("stream", [True, False])
async def test_thoughts_leave_as_the_guard_lets_them(responses: ResponsesDialect, stream: bool) -> None:
    thought = [event({"reasoning": text}) for text in ("Let me see. ", "A Sec", "ret.")]
    pieces = [*sse(chunk("", role=True), *thought, chunk("So."), chunk("", finish="stop"), usage_event(9, 30)), DONE]
    answer = compact(whole("So.", reasoning="Let me see. A Secret.")).encode()
    server = Sending(pieces) if stream else Sending([answer], "application/json")
    got = await answered(Pass(Word()), responses, server, stream=stream)
    final = parsed(got.body)[-1][1]["response"] if stream else json.loads(got.body)
    assert final["output"] == [thoughts("Let me see. A ", "completed" if stream else None)]
    assert b"ret." not in got.body.replace(b"secret", b"")


async def test_thoughts_are_kept_and_gone_on_from_as_if_they_were_sent(responses: ResponsesDialect) -> None:
    pieces = [*sse(*calling('{"who": ', '"she"}'), usage_event(9, 30)), DONE]
    tool = {"type": "function", "name": "look_up"}
    got = await answered(Pass(Word()), responses, Sending(pieces), stream=True, tools=[tool])
    made = parsed(got.body)[-1][1]["response"]
    assert [item["type"] for item in made["output"]] == ["reasoning", "message", "function_call"]
    given = {"type": "function_call_output", "call_id": made["output"][-1]["call_id"], "output": "A tower."}
    kept = read(responses, {"headers": []}, input=[given], previous_response_id=made["id"])
    sent = read(responses, input=[{"role": "user", "content": BASE["input"]}, *made["output"], given])
    assert kept.conversation == sent.conversation
    assert "Let me see." in [message.text for message in kept.conversation.messages if message.aside][1]


def test_thoughts_that_came_to_nothing_are_a_turn_of_their_own(responses: ResponsesDialect) -> None:
    answer = whole(None, finish="length", reasoning="Let me see.")
    made = json.loads(read(responses).translator().whole(compact(answer).encode()))
    assert made["status"] == "incomplete"
    kept = read(responses, input="Go on", previous_response_id=made["id"])
    turns = [{"role": "user", "content": text} for text in (BASE["input"], "Go on")]
    sent = read(responses, input=[turns[0], *made["output"], turns[1]])
    for request in (kept, sent):
        turn = {"role": "assistant", "content": "", "reasoning": "Let me see."}
        assert json.loads(request.clean_body())["messages"] == [turns[0], turn, turns[1]]
