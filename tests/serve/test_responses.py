"""OpenAI's Responses: what is read of a request, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from responding import BASE, SCOPE, read
from streams import compact, whole

from guard.errors import RequestError
from serve.dialects.chat import ChatDialect
from serve.dialects.responses import ResponsesDialect
from serve.responses.store import ResponseStore


@pytest.fixture
def responses(dialect: ChatDialect) -> ResponsesDialect:
    return ResponsesDialect(dialect, ResponseStore(b"0" * 32))


TOOL = {"type": "function", "name": "f"}
CALL = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "call_1", "output": "x"}
IMAGE = {"type": "input_image", "image_url": "data:image/png;base64,AA=="}


def said(value: str, **more: Any) -> dict[str, Any]:
    return {"type": "input_text", "text": value} | more


def told(value: str, **more: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": value} | more


def test_items_become_the_turns_that_the_engine_makes_of_them(responses: ResponsesDialect) -> None:
    items = [
        {"role": "user", "content": [said("One"), said("two.")]},
        {
            "type": "message", "id": "msg_1", "status": "completed", "phase": None, "role": "assistant",
            "content": [told("Yes.", annotations=[], logprobs=None, parsed=None)],
        },
        {"role": "developer", "content": "Shorter."},
        {"type": "message", "role": "user", "content": "Go on"},
    ]  # fmt: skip
    request = read(responses, instructions="Be brief.", input=items)
    asked = json.loads(request.clean_body())
    assert asked == {
        "model": "m",
        "max_tokens": 8,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "One\ntwo."},
            {"role": "assistant", "content": "Yes."},
            {"role": "system", "content": "Shorter."},
            {"role": "user", "content": "Go on"},
        ],
    }
    assert [m.text for m in request.conversation.messages] == [m["content"] for m in asked["messages"]]


def thought(value: str, **more: Any) -> dict[str, Any]:
    return {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": value}]} | more


def test_thoughts_are_of_the_assistants_turn_beside_them_and_are_read(responses: ResponsesDialect) -> None:
    summary = [{"type": "summary_text", "text": text} for text in ("So", "it is.")]
    given_back = {"id": "rs_1", "status": "completed", "encrypted_content": None}
    items = [
        {"role": "user", "content": "One?"}, thought("Is it?", **given_back), CALL, RESULT,
        thought("", content=None, summary=summary), {"role": "assistant", "content": "Yes."},
        thought("Or no?", status=None), {"role": "assistant", "content": "Perhaps."},
        {"role": "user", "content": "Well?"}, thought("Hm."),
        {"role": "user", "content": "Go on"},
    ]  # fmt: skip
    request = read(responses, input=items)
    call = {"id": "call_1", "function": {"arguments": "{}", "name": "f"}, "type": "function"}
    assert json.loads(request.clean_body())["messages"] == [
        {"role": "user", "content": "One?"},
        {"role": "assistant", "content": None, "tool_calls": [call], "reasoning": "Is it?"},
        {"role": "tool", "content": "x", "tool_call_id": "call_1"},
        {"role": "assistant", "content": "Yes.", "reasoning": "So\nit is."},
        {"role": "assistant", "content": "Perhaps.", "reasoning": "Or no?"},
        {"role": "user", "content": "Well?"},
        {"role": "assistant", "content": "", "reasoning": "Hm."},
        {"role": "user", "content": "Go on"},
    ]
    aside = [message.text for message in request.conversation.messages if message.aside]
    assert all(any(thoughts in text for text in aside) for thoughts in ("Is it?", "So\nit is.", "Or no?", "Hm."))


SCHEMA = {"type": "object", "properties": {"town": {"enum": ["Paris", "Rome"]}}}
JSON_SCHEMA = {"type": "json_schema", "name": "town", "schema": SCHEMA}


@pytest.mark.parametrize(
    ("form", "asked", "echo"),
    [
        ({"type": "json_object"}, {"type": "json_object"}, {"type": "json_object"}),
        (JSON_SCHEMA, {"type": "json_schema", "json_schema": {"name": "town", "schema": SCHEMA}},
         JSON_SCHEMA | {"description": None, "strict": None}),
        (JSON_SCHEMA | {"strict": True, "description": "Which?"},
         {"type": "json_schema",
          "json_schema": {"name": "town", "schema": SCHEMA, "strict": True, "description": "Which?"}},
         JSON_SCHEMA | {"strict": True, "description": "Which?"}),
    ],
)  # fmt: skip
def test_a_form_is_that_of_chats_and_is_read_and_rehearsed(
    responses: ResponsesDialect, form: dict[str, Any], asked: dict[str, Any], echo: dict[str, Any]
) -> None:
    request = read(responses, text={"format": form})
    for body in (request.clean_body(), request.trial_body() or b"{}"):
        assert json.loads(body)["response_format"] == asked
    assert "text.format" in request.params
    made = json.loads(request.translator().whole(compact(whole("{}")).encode()))
    assert made["text"] == {"format": echo, "verbosity": None}


def test_sampling_goes_on_under_the_chats_names_and_notes_stay_here(responses: ResponsesDialect) -> None:
    given = {"temperature": 0.5, "top_p": 0.9, "top_k": 7, "stream": True}
    notes = {"user": "u", "metadata": {"a": "b"}, "text": {"format": {"type": "text"}}, "truncation": "disabled"}
    asked = json.loads(read(responses, **given, **notes, store=True, instructions="").clean_body())
    expected = given | {"model": "m", "max_tokens": 8, "stream_options": {"include_usage": True}}
    assert asked == expected | {"messages": [{"role": "user", "content": "Hello?"}]}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"tools": [{"type": "function", "name": "two words"}]}, "tools[0].name"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [TOOL | {"output_schema": {}}]}, "tools[0].output_schema"),
        ({"tools": [TOOL | {"description": "<|end|>"}]}, "tools[0]"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "name": "g"}}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
        ({"reasoning": {"summary": "auto"}}, "reasoning.summary"),
        ({"include": ["message.output_text.logprobs"]}, "include[0]"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"background": True}, "background"),
        ({"stream_options": {"include_obfuscation": True}}, "stream_options.include_obfuscation"),
        ({"conversation": "c"}, "conversation"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"previous_input_messages": []}, "previous_input_messages"),
        ({"enable_response_messages": True}, "enable_response_messages"),
        ({"chat_template_kwargs": {}}, "chat_template_kwargs"),
        ({"request_id": "resp_1"}, "request_id"),
        ({"vllm_xargs": {"a": 1}}, "vllm_xargs"),
        ({"cache_salt": "x"}, "cache_salt"),
        ({"lethe": False}, "lethe"),
        ({"max_tokens": 8}, "max_tokens"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"max_output_tokens": 4000}, "max_output_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"truncation": "auto"}, "truncation"),
        ({"text": {"format": {"type": "regex"}}}, "text.format"),
        ({"text": {"format": {"type": "json_object", "schema": {}}}}, "text.format.schema"),
        ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format.schema"),
        ({"text": {"format": JSON_SCHEMA | {"description": "<|end|>"}}}, "text.format"),
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"metadata": {str(number): "" for number in range(17)}}, "metadata"),
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": 5}, "input"),
        ({"input": [{"role": "tool", "content": "x"}]}, "input[0]"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0].call_id"),
        ({"input": [RESULT | {"output": [IMAGE]}]}, "input[0].output"),
        ({"input": [RESULT | {"output": "<|end|>"}]}, "input[0].output"),
        ({"input": [CALL | {"namespace": "n"}]}, "input[0].namespace"),
        ({"input": [CALL | {"status": "in_progress"}]}, "input[0].status"),
        ({"input": [CALL | {"arguments": '{"a": "<|end|>"}'}]}, "input[0]"),
        ({"input": [thought("x")]}, "input"),
        ({"input": [{"role": "assistant", "content": "x"}, thought("x")]}, "input"),
        ({"input": [thought("x", encrypted_content="x"), CALL]}, "input[0].encrypted_content"),
        ({"input": [thought("x", status="incomplete"), CALL]}, "input[0].status"),
        ({"input": [thought("x", content="x"), CALL]}, "input[0].content"),
        ({"input": [thought("x", content=[told("x")]), CALL]}, "input[0].content[0].type"),
        ({"input": [thought("<|end|>"), CALL]}, "input[0]"),
        ({"input": [{"type": "item_reference", "role": "user", "content": "x"}]}, "input[0].type"),
        ({"input": [{"role": "user", "content": []}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": [IMAGE]}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": [told("x")]}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": [said("x", annotations=[])]}]}, "input[0].content"),
        ({"input": [{"role": "assistant", "content": [said("x")]}]}, "input[0].content"),
        ({"input": [{"role": "assistant", "content": [told("x", logprobs=[{}])]}]}, "input[0].content"),
        ({"input": [{"role": "assistant", "content": [{"type": "refusal", "refusal": "x"}]}]}, "input[0].content"),
        ({"input": [{"role": "assistant", "content": "x", "status": "incomplete"}]}, "input[0].status"),
        ({"input": "<|end|>"}, "input"),
        ({"instructions": "<|end|>"}, "instructions"),
        ({"instructions": "x", "input": [{"role": "user", "content": "<|end|>"}]}, "input[0].content"),
        ({"input": "word " * 200}, "input"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused_by_name(
    responses: ResponsesDialect, change: dict[str, Any], named: str
) -> None:
    if "<|end|>" in json.dumps(change):
        token = responses.chat.text.tokenizer.eos_token
        change = json.loads(json.dumps(change).replace("<|end|>", token))
    fields = {name: value for name, value in (BASE | change).items() if value is not None}
    with pytest.raises(RequestError) as caught:
        responses.read(json.dumps(fields).encode(), SCOPE).check_room()
    # Where two fields do not fit together no one of them is named.
    assert (caught.value.status, caught.value.param or "tool_choice") == (400, named)
    assert f"`{named}`" in caught.value.message or caught.value.code == "context_length_exceeded"
