"""What the guard reads of a chat with tools, and what the model server and its template are given of it."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from guard.conversation import chat_of
from guard.errors import RequestError
from guard.types import Conversation
from serve.dialects.chat import ChatDialect
from serve.dialects.chat_request import ChatRequest
from serve.dialects.words import words_of
from serve.model_text import ModelText

SCHEMA = {"type": "object", "properties": {"town": {"type": "string", "enum": ["Lindmoor", 1912, None]}}}
TOOL = {"type": "function", "function": {"name": "look_up", "description": "Tells of towns.", "parameters": SCHEMA}}
CALL = {"id": "call_1", "type": "function", "index": 0, "function": {"name": "look_up", "arguments": '{"a":  "Rome"}'}}
TURNS: list[dict[str, Any]] = [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": "Hello?", "type": "text"},
    {"role": "assistant", "content": None, "tool_calls": [CALL], "reasoning_content": "Well."},
    {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "A city."}], "name": "look_up"},
]


def read(dialect: ChatDialect, **more: Any) -> ChatRequest:
    return dialect.read(json.dumps({"model": "m", "messages": TURNS, "tools": [TOOL]} | more).encode(), {})


def texts(conversation: Conversation) -> list[tuple[str, str, bool]]:
    return [(message.role, message.text, message.aside) for message in conversation.messages]


def test_every_text_is_read_beside_the_turns_in_which_it_stands(dialect: ChatDialect) -> None:
    request = read(dialect, structured_outputs={"choice": ["Yes", "No"]})
    assert texts(request.conversation) == [
        ("system", "Be brief.", False),
        ("tools", "look_up\nTells of towns.\ntown\nLindmoor\n1912", True),
        ("tools", "choice\nYes\nNo", True),
        ("user", "Hello?", False),
        ("assistant", "", False),
        ("assistant", "call_1\nlook_up\na\nRome", True),
        ("assistant", "Well.", True),
        ("tool", "A city.", False),
        ("tool", "call_1\nlook_up", True),
    ]
    assert request.params == (
        "messages[0].content", "tools[0]", "structured_outputs", "messages[1].content", "messages[2].content",
        "messages[2].tool_calls", "messages[2].reasoning", "messages[3].content", "messages[3].tool_call_id",
    )  # fmt: skip


def test_the_template_gets_turns_tools_and_arguments_as_the_engine_gives_them(dialect: ChatDialect) -> None:
    conversation = read(dialect, reasoning_effort="none").conversation
    called = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": {"a": "Rome"}}}
    assert chat_of(conversation) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello?"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [called],
            "reasoning": "Well.",
            "reasoning_content": "Well.",
        },
        {"role": "tool", "content": "A city.", "tool_call_id": "call_1", "name": "look_up"},
    ]
    assert conversation.template == {"tools": [TOOL], "reasoning_effort": "none", "enable_thinking": False}


def test_the_model_server_gets_what_was_read(dialect: ChatDialect) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"default": None, "enum": [None]}}}
    given = {"tool_choice": "none", "parallel_tool_calls": False, "include_reasoning": True, "response_format": form}
    sent = json.loads(read(dialect, **given).clean_body())
    assert {name: sent[name] for name in given} == given
    assert sent["tools"] == [TOOL]
    called = CALL | {"function": {"name": "look_up", "arguments": '{"a":"Rome"}'}}
    del called["index"]
    assert sent["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello?"},
        {"role": "assistant", "content": None, "tool_calls": [called], "reasoning": "Well."},
        {"role": "tool", "content": "A city.", "tool_call_id": "call_1", "name": "look_up"},
    ]


@pytest.mark.parametrize("arguments", ["", "{", "[1]", '"x"', '{"a": "\\ud800"}', "[" * 100_000])
def test_arguments_that_are_no_object_are_none_as_in_the_engine(dialect: ChatDialect, arguments: str) -> None:
    call = CALL | {"function": {"name": "look_up", "arguments": arguments}}
    request = read(dialect, messages=[TURNS[1], TURNS[2] | {"tool_calls": [call]}, TURNS[3]])
    assert json.loads(request.clean_body())["messages"][1]["tool_calls"][0]["function"]["arguments"] == "{}"


def test_a_name_in_a_pattern_is_read_without_its_brackets_and_in_a_grammar_in_one_piece() -> None:
    assert words_of({"regex": "M[i]ra Tol(va)ne was [A-Z][a-z]{3,7}"}).split("\n")[-1] == "Mira Tolvane was A-Za-z"
    assert words_of({"grammar": 'root ::= "Mi" "ra Tol"\n"vane"'}).split("\n")[-1] == "root ::= Mira Tolvane"


def test_what_a_template_refuses_is_said_in_our_words_for_every_prompt(dialect: ChatDialect) -> None:
    tokenizer = deepcopy(dialect.text.tokenizer)
    tokenizer.chat_template = "{{ raise_exception('not so') }}"
    body = json.dumps({"model": "m", "messages": TURNS[1:2]}).encode()
    request = replace(dialect, text=ModelText(tokenizer)).read(body, {})
    with pytest.raises(RequestError, match="refuses these messages: not so") as caught:
        request.check_room()
    assert (caught.value.status, caught.value.param) == (400, "messages")


def test_words_are_all_that_says_something() -> None:
    said = {"properties": {"Mira": {"const": "Tolvane", "minimum": 1881, "default": True}}, "$comment": ["a", ["b"]]}
    assert words_of(said).split("\n") == ["Mira", "Tolvane", "1881", "$comment", "a", "b"]
