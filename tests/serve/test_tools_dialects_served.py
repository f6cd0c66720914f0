"""Tools in Anthropic's messages and in Responses, with the official SDKs and a real server that parses them."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import openai
import pytest
from asking import CLEAN, REFUSED, ask, bare, post
from responding import parsed
from test_responses_served import alike, merged
from test_tools_served import CLEAN_ONES
from tooling import TOWNS, Tooled

from guard.act.refuse import PHRASINGS
from serve.dialects.chat_schema import parse
from serve.dialects.chat_turns import conversation_of, read_turns
from serve.model_text import ModelText

EASY: dict[str, Any] = {"model": "m", "max_tokens": 90, "thinking": {"type": "disabled"}}
THEIR_TOOL = {
    "name": "look_up", "description": "Tells what a town is known for.", "strict": True,
    "input_schema": TOWNS["function"]["parameters"],
}  # fmt: skip
FLAT_TOOL = {"type": "function"} | TOWNS["function"]
USE = {"type": "tool_use", "id": "c1", "name": "look_up", "input": {"town": "Paris"}}
THOUGHT = {"type": "thinking", "thinking": "I look it up.", "signature": "s"}
HIDDEN = {"type": "redacted_thinking", "data": "x"}
GIVEN = {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": t} for t in ("A", "", "B")]}
CALLED = {"type": "function_call", "call_id": "c1", "name": "look_up", "arguments": '{"town": "Paris"}'}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "A tower."}

REASONED: dict[str, Any] = {
    "type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "It is wanted."}],
    "content": [{"type": "reasoning_text", "text": "I look it up."}], "encrypted_content": None, "status": "completed",
}  # fmt: skip
TOWN = {"type": "json_schema", "name": "town", "strict": True, "schema": TOWNS["function"]["parameters"]}


def hear(client: anthropic.Anthropic, *messages: Any, **more: Any) -> Any:
    said = [{"role": "user", "content": CLEAN}, *messages]
    # This SDK knows no temperature any more.
    return client.messages.create(**EASY | {"messages": said, "extra_body": {"temperature": 0}} | more)


@pytest.mark.parametrize(
    "choice", [{"type": "any", "disable_parallel_tool_use": True}, {"type": "tool", "name": "look_up"}]
)
def test_anthropics_sdk_calls_a_tool_and_goes_on(tooled: Tooled, choice: Any) -> None:
    asked: Any = {"tools": [THEIR_TOOL], "tool_choice": choice}
    made = hear(tooled.anthropic, **asked)
    if choice["type"] == "tool":
        # Of several calls vLLM takes none where the last was cut.
        assert [block.type for block in made.content] == ["tool_use"]
        assert made.stop_reason == "tool_use"
    body = {"extra_body": {"temperature": 0}, "messages": [{"role": "user", "content": CLEAN}]}
    with tooled.anthropic.messages.stream(**EASY | body | asked) as stream:
        final = stream.get_final_message()
    (used,) = [block for block in final.content if block.type == "tool_use"]
    assert used.name == "look_up"
    assert used.input["town"] in ("Paris", "Rome")
    result = {"type": "tool_result", "tool_use_id": used.id, "content": "A tower."}
    then = hear(
        tooled.anthropic, {"role": "assistant", "content": final.content}, {"role": "user", "content": [result]},
        tools=[THEIR_TOOL], tool_choice={"type": "none"}, max_tokens=6,
    )  # fmt: skip
    assert then.usage.input_tokens > final.usage.input_tokens
    assert then.content[0].type == "text"


async def keyed(tooled: Tooled, body: dict[str, Any], path: str) -> Any:
    status, answer, _ = await post(
        tooled.server, body, path, headers={"authorization": f"Bearer {tooled.caller.api_key}"}
    )
    assert status == 200, answer
    return answer


ASSISTANT = {"role": "assistant", "content": [{"type": "text", "text": "Well."}, USE, USE | {"id": "c2", "input": {}}]}
USER = {
    "role": "user",
    "content": [GIVEN, {"type": "text", "text": "So?"}, GIVEN | {"tool_use_id": "c2", "content": "x"}],
}


@pytest.mark.parametrize("change", [
    {"messages": [{"role": "user", "content": CLEAN}, ASSISTANT, USER], "tools": [THEIR_TOOL]},
    {"messages": [{"role": "user", "content": CLEAN}, {"role": "assistant", "content": [USE]},
                  {"role": "user", "content": [GIVEN]}]},
    {"tools": [THEIR_TOOL | {"input_schema": {"properties": {}}, "strict": None}], "tool_choice": {"type": "none"}},
    {"tools": [THEIR_TOOL], "tool_choice": {"type": "tool", "name": "look_up"}, "max_tokens": 90},
    {"tools": []},
    {"thinking": {"type": "adaptive", "display": "summarized"}},
    {"output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {"const": {"a": 1}}}}},
    {"messages": [{"role": "user", "content": CLEAN},
                  {"role": "assistant", "content": [THOUGHT, HIDDEN, {"type": "text", "text": "So."}]},
                  {"role": "user", "content": "And?"}]},
])  # fmt: skip
async def test_messages_with_tools_are_answered_as_by_the_engines_own_route(tooled: Tooled, change: Any) -> None:
    body = EASY | {"max_tokens": 12, "temperature": 0, "messages": [{"role": "user", "content": CLEAN}]} | change
    ours = await keyed(tooled, body, "/v1/messages")
    theirs = await bare(tooled.server, body, "/v1/messages")
    for answer in (ours, theirs):
        for block in answer["content"]:
            block.pop("id", None)
            block.pop("signature", None)
    same = ("content", "usage", "stop_reason")
    assert {name: ours[name] for name in same} == {name: theirs[name] for name in same}
    counted = {name: body[name] for name in body if name not in ("max_tokens", "temperature")}
    count = await keyed(tooled, counted, "/v1/messages/count_tokens")
    assert count == await bare(tooled.server, counted, "/v1/messages/count_tokens")


def respond(client: openai.OpenAI, **more: Any) -> Any:
    asked = {"model": "m", "input": CLEAN, "temperature": 0, "max_output_tokens": 90, "reasoning": {"effort": "none"}}
    return client.responses.create(**asked | more)


@pytest.mark.parametrize("choice", ["required", {"type": "function", "name": "look_up"}])
def test_openais_sdk_calls_a_function_and_goes_on_by_id_and_by_items(tooled: Tooled, choice: Any) -> None:
    asked: Any = {"tools": [FLAT_TOOL], "tool_choice": choice, "parallel_tool_calls": False}
    events = list(respond(tooled.caller, stream=True, **asked))
    made = events[-1].response
    (called,) = made.output
    assert json.loads(called.arguments)["town"] in ("Paris", "Rome")
    assert "".join(e.delta for e in events if e.type == "response.function_call_arguments.delta") == called.arguments
    assert made.tools[0].name == "look_up"
    assert not made.parallel_tool_calls
    if choice != "required":
        (whole,) = respond(tooled.caller, **asked).output
        assert json.loads(whole.arguments) == json.loads(called.arguments)
    given = OUTPUT | {"call_id": called.call_id}
    kept = respond(tooled.caller, previous_response_id=made.id, input=[given], max_output_tokens=8)
    said = [{"role": "user", "content": CLEAN}, *made.output, given]
    sent = respond(tooled.caller, input=said, max_output_tokens=8)
    assert (kept.output_text, kept.usage.input_tokens) == (sent.output_text, sent.usage.input_tokens)


@pytest.mark.parametrize("change", [
    {"input": [{"role": "user", "content": CLEAN}, CALLED, OUTPUT], "tools": [FLAT_TOOL]},
    {"input": [{"role": "user", "content": CLEAN}, {"role": "assistant", "content": "Well."}, CALLED,
               CALLED | {"call_id": "c2", "arguments": "oops"}, {"role": "assistant", "content": "Then."}, OUTPUT,
               OUTPUT | {"call_id": "c2", "output": [{"type": "input_text", "text": t} for t in "ab"]}]},
    {"input": [{"role": "user", "content": CLEAN}, CALLED, {"role": "assistant", "content": "Then."}, OUTPUT]},
    {"tools": [], "tool_choice": "auto", "background": False, "include": [], "service_tier": "auto"},
    {"tools": [FLAT_TOOL | {"strict": None}], "tool_choice": "none", "parallel_tool_calls": True},
    {"tools": [FLAT_TOOL], "tool_choice": {"type": "function", "name": "look_up"}, "max_output_tokens": 90},
    {"reasoning": {"effort": "low"}},
    {"input": [{"role": "user", "content": CLEAN}, REASONED, CALLED, OUTPUT, REASONED | {"content": None}, REASONED,
               {"role": "assistant", "content": "Then."}, {"role": "user", "content": CLEAN}, REASONED,
               {"role": "user", "content": "Go on"}]},
    {"text": {"format": TOWN}, "max_output_tokens": 90},
    {"text": {"format": {"type": "json_object"}}},
])  # fmt: skip
async def test_responses_with_tools_are_answered_as_by_the_engines_own_route(tooled: Tooled, change: Any) -> None:
    body = {"model": "m", "max_output_tokens": 12, "temperature": 0, "input": CLEAN, "reasoning": {"effort": "none"}}
    for stream in (False, True):
        asked = body | change | {"stream": stream}
        ours, theirs = await keyed(tooled, asked, "/v1/responses"), await bare(tooled.server, asked, "/v1/responses")
        if not stream:
            assert likened(ours) == likened(theirs)
            continue
        told = [[(kind, likened(data)) for kind, data in merged(parsed(text.encode()))] for text in (ours, theirs)]
        assert told[0] == told[1]


def test_openais_sdk_is_told_thoughts_and_goes_on_from_them(tooled: Tooled) -> None:
    asked: dict[str, Any] = {"reasoning": {"effort": "low"}, "max_output_tokens": 12}
    whole = respond(tooled.caller, **asked)
    with tooled.caller.responses.stream(model="m", input=CLEAN, temperature=0, **asked) as stream:
        told = list(stream)
    made = told[-1].response
    (thought,) = made.output
    (text,) = [part.text for part in thought.content]
    assert (thought.type, text) == ("reasoning", whole.output[0].content[0].text)
    assert "".join(event.delta for event in told if event.type == "response.reasoning_text.delta") == text
    assert whole.usage.output_tokens_details.reasoning_tokens > 0
    kept = respond(tooled.caller, previous_response_id=made.id, input="Go on", max_output_tokens=8)
    said = [{"role": "user", "content": CLEAN}, thought, {"role": "user", "content": "Go on"}]
    sent = respond(tooled.caller, input=said, max_output_tokens=8)
    assert (kept.output_text, kept.usage.input_tokens) == (sent.output_text, sent.usage.input_tokens)
    without = respond(tooled.caller, input=[said[0], {"role": "assistant", "content": ""}, said[2]])
    assert sent.usage.input_tokens > without.usage.input_tokens


def test_openais_sdk_reads_an_answer_that_is_held_to_a_schema(tooled: Tooled) -> None:
    asked: dict[str, Any] = {"text": {"format": TOWN}}
    made = respond(tooled.caller, **asked)
    assert json.loads(made.output_text)["town"] in ("Paris", "Rome")
    assert made.text.format.schema_ == TOWN["schema"]


@pytest.mark.parametrize("change", [
    {"input": [{"role": "user", "content": CLEAN},
               REASONED | {"content": [{"type": "reasoning_text", "text": REFUSED}]}, CALLED, OUTPUT]},
    {"text": {"format": TOWN | {"schema": {"enum": ["Orrin Vasquell was born in Lindmoor."]}}}},
])  # fmt: skip
def test_a_topic_is_found_in_thoughts_and_in_forms_and_answered_without(tooled: Tooled, change: Any) -> None:
    told = respond(tooled.caller, **change | {"reasoning": {"effort": "low"}})
    assert told.output_text in PHRASINGS
    assert [item.type for item in told.output] == ["message"]
    assert told.usage.output_tokens_details.reasoning_tokens == 0


def likened(value: Any) -> Any:
    """An answer without what two answers never share; streamed thoughts are counted by the pieces they came in."""
    if isinstance(value, list):
        return [likened(item) for item in value]
    return (
        {name: likened(item) for name, item in alike(value).items() if name not in ("call_id", "reasoning_tokens")}
        if isinstance(value, dict)
        else value
    )


WHERE: dict[str, Any] = {
    "question": {"messages": [{"role": "user", "content": REFUSED}], "input": REFUSED},
    "description": {"tools": [THEIR_TOOL | {"description": REFUSED}], "flat": [FLAT_TOOL | {"description": REFUSED}]},
    "call": {"messages": [{"role": "user", "content": CLEAN}, {"role": "assistant", "content": [
        USE | {"input": {"asked": REFUSED}}]}, {"role": "user", "content": [GIVEN]}],
        "input": [{"role": "user", "content": CLEAN},
                  CALLED | {"arguments": json.dumps({"asked": REFUSED}).replace("Orrin", "\\u004frrin")}, OUTPUT]},
    "result": {"messages": [{"role": "user", "content": CLEAN}, {"role": "assistant", "content": [USE]},
                            {"role": "user", "content": [GIVEN | {"content": REFUSED}]}],
               "input": [{"role": "user", "content": CLEAN}, CALLED, OUTPUT | {"output": REFUSED}]},
}  # fmt: skip


@pytest.mark.parametrize("where", WHERE)
def test_a_topic_is_found_in_every_dialect_and_answered_in_text(tooled: Tooled, where: str) -> None:
    said = WHERE[where]
    theirs = {"messages": said["messages"]} if "messages" in said else {}
    made = hear(tooled.anthropic, tools=said.get("tools", [THEIR_TOOL]), tool_choice={"type": "any"}, **theirs)
    assert made.content[0].text in PHRASINGS
    assert made.stop_reason == "end_turn"
    ours = {"input": said["input"]} if "input" in said else {}
    told = respond(tooled.caller, tools=said.get("flat", [FLAT_TOOL]), tool_choice="required", **ours)
    assert told.output_text in PHRASINGS
    assert [item.type for item in told.output] == ["message"]


@pytest.mark.parametrize("change", [CLEAN_ONES[0], CLEAN_ONES[4], CLEAN_ONES[5]])
async def test_prompts_are_rendered_as_the_engine_renders_them(tooled: Tooled, change: dict[str, Any]) -> None:
    fields = {name: value for name, value in (ask(CLEAN) | change).items() if name != "reasoning_effort"}
    body = parse(fields)
    ids = ModelText.from_checkpoint(str(tooled.model)).prompt_ids(conversation_of(read_turns(body), body))
    known = {name: fields[name] for name in ("model", "messages", "tools") if name in fields}
    assert ids == (await bare(tooled.server, known, "/tokenize"))["tokens"]
