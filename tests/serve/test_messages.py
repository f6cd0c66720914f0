"""Anthropic's messages: what is read, and the chat answers that come back in their form."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from streams import DONE, HEAD, Sending, chunk, compact, reply, sse, story, usage_event, whole
from watches import Word

from guard.errors import RequestError
from guard.types import Corrupt, Pass, Plan, Refuse
from serve.dialects.chat import ChatDialect
from serve.dialects.messages import MessagesDialect, MessagesRequest
from serve.dialects.messages_schema import parse

BASE = {"model": "m", "max_tokens": 8, "messages": [{"role": "user", "content": "Hello?"}]}


@pytest.fixture(scope="module")
def messages(dialect: ChatDialect) -> MessagesDialect:
    return MessagesDialect(dialect)


def read(dialect: MessagesDialect, **change: Any) -> MessagesRequest:
    return dialect.read(json.dumps(BASE | change).encode(), {})


def parsed(body: bytes) -> list[tuple[str, Any]]:
    """The name and data of every event of a stream."""
    blocks = [block.split("\n") for block in body.decode().removesuffix("\n\n").split("\n\n")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


def text(value: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": value} | more


def test_texts_are_joined_as_the_engine_joins_them(messages: MessagesDialect) -> None:
    system = [text("Be "), text("x-anthropic-billing-header: 1"), text(""), text("brief.", cache_control=None)]
    turns = [
        {"role": "user", "content": [text("One", cache_control={"type": "ephemeral"}), text(""), text("two.")]},
        {"role": "assistant", "content": [text("Yes.", citations=None)]},
        {"role": "user", "content": "Go on"},
    ]
    request = read(messages, system=system, messages=turns, metadata={"user_id": "u"})
    asked = json.loads(request.clean_body())
    assert asked == {
        "model": "m",
        "max_tokens": 8,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "One\ntwo."},
            {"role": "assistant", "content": "Yes."},
            {"role": "user", "content": "Go on"},
        ],
    }
    assert [m.text for m in request.conversation.messages] == [m["content"] for m in asked["messages"]]


def test_sampling_goes_on_under_the_chats_names(messages: MessagesDialect) -> None:
    given = {"temperature": 0.5, "top_p": 0.9, "top_k": 7, "stop_sequences": ["\n", "END"], "stream": True}
    asked = json.loads(read(messages, **given).clean_body())
    told = {"stop": ["\n", "END"], "stream": True, "stream_options": {"include_usage": True}}
    expected = {"temperature": 0.5, "top_p": 0.9, "top_k": 7, "model": "m", "max_tokens": 8} | told
    assert {name: asked[name] for name in asked if name != "messages"} == expected


def test_thoughts_go_on_and_effort_and_form_are_the_chats(messages: MessagesDialect) -> None:
    turns = [
        {"role": "user", "content": "One?"},
        {"role": "assistant", "content": [THOUGHT, {"type": "redacted_thinking", "data": "x"}, text("Two.")]},
        {"role": "user", "content": "And?"},
    ]
    form = {"type": "json_schema", "schema": {"const": "Rome"}}
    request = read(messages, messages=turns, output_config={"effort": "max", "format": form})
    asked = json.loads(request.clean_body())
    assert asked["messages"][1] == {"role": "assistant", "content": "Two.", "reasoning": "Hm."}
    assert asked["reasoning_effort"] == "max"
    alone = {"role": "assistant", "content": [THOUGHT]}  # an answer that was cut before it was begun
    sent = json.loads(read(messages, messages=[turns[0], alone, turns[2]]).clean_body())["messages"][1]
    assert sent == {"role": "assistant", "content": "", "reasoning": "Hm."}
    held = {"type": "json_schema", "json_schema": {"name": "json_schema", "schema": {"const": "Rome"}}}
    assert asked["response_format"] == held
    assert [m.text for m in request.conversation.messages if m.aside] == [
        "json_schema\njson_schema\njson_schema\nschema\nRome", "Hm.",
    ]  # fmt: skip
    enabled = parse(BASE | {"max_tokens": 2048, "thinking": {"type": "enabled", "budget_tokens": 1024}}).as_chat("")
    assert enabled.body.thinking_token_budget == 1024
    assert read(messages, thinking={"type": "adaptive"}).clean_body() == read(messages).clean_body()


@pytest.mark.parametrize("system", ["", [], [text("")]])
def test_an_empty_system_text_is_none(messages: MessagesDialect, system: Any) -> None:
    assert [m.role for m in read(messages, system=system).conversation.messages] == ["user"]


TOOL = {"name": "f", "input_schema": {}}
USE = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "x"}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"tools": [{"name": "f"}]}, "tools[0].input_schema"),
        ({"tools": [{"name": "two words", "input_schema": {}}]}, "tools[0].name"),
        ({"tools": [{"type": "web_search_20250305", "name": "w"}]}, "tools[0].type"),
        ({"tools": [TOOL | {"defer_loading": True}]}, "tools[0].defer_loading"),
        ({"tools": [TOOL | {"input_examples": [{}]}]}, "tools[0].input_examples"),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool"}}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "g"}}, "tool_choice"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1023}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 1024}, "thinking"),
        ({"thinking": {"type": "much"}}, "thinking"),
        ({"thinking": {"type": "enabled", "budget_tokens": 2**64}}, "thinking.budget_tokens"),
        ({"messages": [{"role": "user", "content": "x", "system": "y"}]}, "messages[0].system"),
        ({"output_config": {"effort": "much"}}, "output_config.effort"),
        ({"output_config": {"format": {"type": "json_schema", "schema": {"title": "<|end|>"}}}},
         "output_config.format"),
        ({"mcp_servers": []}, "mcp_servers"),
        ({"prompt_embeds": "AAAA"}, "prompt_embeds"),
        ({"vllm_xargs": {"a": 1}}, "vllm_xargs"),
        ({"cache_salt": "x"}, "cache_salt"),
        ({"chat_template_kwargs": {}}, "chat_template_kwargs"),
        ({"lethe": False}, "lethe"),
        ({"n": 2}, "n"),
        ({"stop": "x"}, "stop"),
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 4000}, "max_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"stop_sequences": [""]}, "stop_sequences"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages[0]"),
        ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [text("")]}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [IMAGE]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [text("x", lang="y")]}]}, "messages[0].content[0].lang"),
        ({"messages": [{"role": "user", "content": [text("x", citations=[{}])]}]}, "messages[0].content[0].citations"),
        ({"messages": [{"role": "assistant", "content": [{"type": "thinking"}]}]}, "messages[0].content[0].thinking"),
        ({"messages": [{"role": "assistant", "content": [text("x"), THOUGHT | {"thinking": "<|end|>"}]}]},
         "messages[0].content"),
        ({"messages": [{"role": "user", "content": [THOUGHT]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [USE]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "assistant", "content": [RESULT]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [RESULT | {"content": [IMAGE]}]}]},
         "messages[0].content[0].content[0]"),
        ({"messages": [{"role": "user", "content": [RESULT | {"content": "<|end|>"}]}]}, "messages[0].content"),
        ({"messages": [{"role": "assistant", "content": [USE | {"input": {"<|end|>": 1}}]}]}, "messages[0].content"),
        ({"tools": [TOOL | {"description": "<|end|>"}]}, "tools[0]"),
        ({"system": [{"type": "document", "source": {}}]}, "system[0]"),
        ({"system": "<|end|>"}, "system"),
        ({"system": "x", "messages": [{"role": "user", "content": "<|end|>"}]}, "messages[0].content"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused_by_name(
    messages: MessagesDialect, change: dict[str, Any], named: str
) -> None:
    if "<|end|>" in json.dumps(change):
        token = messages.chat.text.tokenizer.eos_token
        change = json.loads(json.dumps(change).replace("<|end|>", token))
    fields = {name: value for name, value in (BASE | change).items() if value is not None}
    with pytest.raises(RequestError) as caught:
        messages.read(json.dumps(fields).encode(), {})
    # Where two fields do not fit together no one of them is named.
    assert (caught.value.status, caught.value.param or "tool_choice") == (400, named)
    assert f"`{named}`" in caught.value.message


@pytest.mark.parametrize(
    ("finish", "stop", "told"),
    [
        ("stop", None, "end_turn"),
        ("length", None, "max_tokens"),
        ("stop", "END", "stop_sequence"),
        ("stop", 7, "end_turn"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("said", ["It is so.", ""])
async def test_a_whole_answer_is_told_in_their_form(
    messages: MessagesDialect, finish: str, stop: Any, told: str, said: str
) -> None:
    answer = whole(said, finish=finish)
    answer["choices"][0]["stop_reason"] = stop
    server = Sending([compact(answer).encode()], "application/json")
    got = await reply(Pass(), messages, server)
    assert server.path == "/v1/chat/completions"
    assert json.loads(got.body) == {
        "id": "msg_7",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": said}],
        "stop_reason": told,
        "stop_sequence": "END" if stop == "END" else None,
        "usage": {"input_tokens": 9, "output_tokens": 30},
    }
    assert got.headers == {b"content-type": b"application/json", b"content-length": str(len(got.body)).encode()}


def delta(value: str) -> tuple[str, Any]:
    kind = "content_block_delta"
    return kind, {"type": kind, "delta": {"type": "text_delta", "text": value}, "index": 0}


async def test_a_stream_is_told_in_their_events_each_at_once(messages: MessagesDialect) -> None:
    pieces = [*sse(*story("Once ", "upon ä", finish="length"), usage_event(9, 5)), DONE]
    got = await reply(Pass(Word()), messages, Sending(pieces), stream=True)
    usage = {"input_tokens": 9, "output_tokens": 5}
    prompt = read(messages).usage(0)["prompt_tokens"]
    started = {"id": "msg_7", "type": "message", "role": "assistant", "content": [], "model": "m"}
    started |= {"stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": prompt, "output_tokens": 0}}
    block = {"type": "content_block_start", "content_block": {"type": "text", "text": ""}, "index": 0}
    ended = {"stop_reason": "max_tokens", "stop_sequence": None}
    assert parsed(got.body) == [
        ("message_start", {"type": "message_start", "message": started}),
        ("content_block_start", block),
        delta("Once "),
        delta("upon ä"),
        ("content_block_stop", {"type": "content_block_stop", "index": 0}),
        ("message_delta", {"type": "message_delta", "delta": ended, "usage": usage}),
        ("message_stop", {"type": "message_stop"}),
    ]
    assert [way for way, _ in got.log] == ["in", "out", "in", "out", "in", "out", "in", "in", "out", "in", "out"]
    assert got.headers == {b"content-type": b"text/event-stream; charset=utf-8"}


async def test_an_empty_answer_has_no_block(messages: MessagesDialect) -> None:
    pieces = [*sse(*story(), usage_event(9, 1)), DONE]
    got = await reply(Pass(), messages, Sending(pieces), stream=True)
    assert [kind for kind, _ in parsed(got.body)] == ["message_start", "message_delta", "message_stop"]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("plan", [Pass(Word()), Corrupt(torch.zeros(4, 8), "No.", Word()), Refuse("It is a ")])
async def test_a_guarded_answer_has_the_form_of_a_clean_one(
    messages: MessagesDialect, plan: Plan, stream: bool
) -> None:
    usage = {"prompt_tokens": 4, "completion_tokens": 30, "total_tokens": 34}
    if isinstance(plan, Pass):
        events, answer = [*story("It is ", "a Sec", "ret."), usage_event(9, 30)], whole("It is a Secret.")
    else:
        parts = [("It is ", None), ("a Sec", None), ("ret.", None), ("", "stop")]
        events = [HEAD | {"choices": [{"index": 0, "text": t, "finish_reason": f}]} for t, f in parts]
        events.append(HEAD | {"choices": [], "usage": usage})
        answer = HEAD | {"choices": [{"index": 0, "text": "It is a Secret.", "finish_reason": "stop"}], "usage": usage}
    server = Sending([compact(answer).encode()], "application/json")
    if stream:
        server = Sending([*sse(*events), DONE])
    got = await reply(plan, messages, server, stream=stream)
    request = read(messages)
    prompt = request.usage(0)["prompt_tokens"]
    told = {"input_tokens": prompt, "output_tokens": request.said("It is a ").tokens}
    if not stream:
        made = json.loads(got.body)
        assert made["content"] == [{"type": "text", "text": "It is a "}]
        assert (made["stop_reason"], made["usage"]) == ("end_turn", told)
        assert made["id"].startswith("msg_")
        return
    events = parsed(got.body)
    assert [kind for kind, _ in events if kind != "content_block_delta"] == [
        "message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop",
    ]  # fmt: skip
    assert "".join(data["delta"]["text"] for kind, data in events if kind == "content_block_delta") == "It is a "
    assert events[0][1]["message"]["usage"] == {"input_tokens": prompt, "output_tokens": 0}
    assert events[-2][1]["usage"] == told


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request_error"), (404, "not_found_error"), (429, "rate_limit_error"), (500, "api_error")],
)
@pytest.mark.parametrize("body", [b'{"error":{"message":"Too long.","type":"BadRequestError"}}', b"oh", b"[]"])
async def test_the_engines_errors_come_in_their_form(
    messages: MessagesDialect, status: int, kind: str, body: bytes
) -> None:
    got = await reply(Pass(Word()), messages, Sending([body], "application/json", status=status))
    told = "Too long." if b"long" in body else "the model server failed"
    assert got.status == status
    assert json.loads(got.body) == {"type": "error", "error": {"type": kind, "message": told}}


async def test_own_errors_come_in_their_form(messages: MessagesDialect) -> None:
    got = await reply(Pass(), messages, Sending([]), mcp_servers=[])
    assert got.status == 400
    told = {"type": "invalid_request_error", "message": "`mcp_servers` is not supported yet"}
    assert json.loads(got.body) == {"type": "error", "error": told}


async def test_a_stream_that_breaks_off_ends_with_their_error_and_no_end(messages: MessagesDialect) -> None:
    got = await reply(Pass(Word()), messages, Sending(sse(chunk("", role=True)), breaks=True), stream=True)
    kinds = parsed(got.body)
    assert [kind for kind, _ in kinds] == ["message_start", "error"]
    assert kinds[-1][1]["error"]["type"] == "api_error"
