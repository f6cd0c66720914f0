"""Tools, thoughts and log-probabilities with the official SDK and a real server that parses tools and thoughts.

Its random model says nothing of sense; vLLM's grammars make it call tools.
"""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from asking import CLEAN, CORRUPTED, PREFIXED, REFUSED, ask, bare, post, said, shape
from fronting import events, guarded
from tooling import BRIEF, NAMED, TOWNS, Tooled, tool, turns
from watches import Word

from guard.act.refuse import DECLINE, PHRASINGS
from guard.types import Ask, Pass
from serve.dialects.chat_schema import parse
from serve.dialects.chat_turns import conversation_of, read_turns

APART = {"id": "", "created": 0}


def create(client: openai.OpenAI, text: str = CLEAN, **more: Any) -> Any:
    known = {name: more.pop(name) for name in ("structured_outputs",) if name in more}
    return client.chat.completions.create(**ask(text) | more, extra_body=known)


CLEAN_ONES: list[dict[str, Any]] = [
    {"tools": [TOWNS], **BRIEF},
    {"tools": [TOWNS], "tool_choice": "none", **BRIEF},
    {"tools": [TOWNS], "tool_choice": "required", "parallel_tool_calls": False, **BRIEF},
    {"tools": [TOWNS], "tool_choice": NAMED, **BRIEF},
    {"tools": [TOWNS], "messages": turns()},
    {"messages": turns(), "reasoning_effort": "low"},
    {"include_reasoning": False},
    {"thinking_token_budget": 4},
    {},
]


def told(stream: Any) -> tuple[str, str, dict[int, list[str]], set[str]]:
    """What a stream of the SDK says, thinks and calls, and why it ends, in whatever pieces it comes."""
    content, thought, calls, ends = "", "", {}, set()
    for choice in (choice for chunk in stream for choice in chunk.choices):
        content += choice.delta.content or ""
        thought += getattr(choice.delta, "reasoning", None) or ""
        for call in choice.delta.tool_calls or ():
            name, arguments = calls.setdefault(call.index, ["", ""])
            calls[call.index] = [name + (call.function.name or ""), arguments + (call.function.arguments or "")]
        ends |= {choice.finish_reason} - {None}
    return content, thought, calls, ends


def unnamed(answer: Any) -> Any:
    """An answer without what two answers to the same request never share."""
    for choice in answer["choices"]:
        for call in choice["message"].get("tool_calls") or ():
            call["id"] = ""
    return answer | APART


@pytest.mark.parametrize("change", CLEAN_ONES)
async def test_clean_requests_are_answered_as_by_the_bare_engine(tooled: Tooled, change: dict[str, Any]) -> None:
    # The SDK knows not all of them by name.
    answer = tooled.caller.chat.completions.create(**ask(CLEAN), extra_body=change)
    plain = await bare(tooled.server, ask(CLEAN) | change)
    assert unnamed(json.loads(answer.to_json(exclude_unset=True))) == unnamed(plain)
    stream = tooled.caller.chat.completions.create(**ask(CLEAN), extra_body=change, stream=True)
    content, thought, calls, _ = told(stream)
    message = plain["choices"][0]["message"]
    if change.get("tool_choice") not in ("required", NAMED):
        assert (content, thought) == (message["content"] or "", message["reasoning"] or "")
        assert not calls


@pytest.mark.parametrize("choice", ["required", NAMED])
def test_a_tool_is_called_streamed_and_whole(tooled: Tooled, choice: Any) -> None:
    asked = {"tools": [TOWNS], "tool_choice": choice, "parallel_tool_calls": False, **BRIEF}
    message = create(tooled.caller, **asked).choices[0].message
    called = message.tool_calls[0].function
    assert called.name == "look_up"
    assert json.loads(called.arguments)["town"] in ("Paris", "Rome")
    _, _, calls, ends = told(create(tooled.caller, stream=True, **asked))
    assert calls[0][0] == "look_up"
    assert json.loads(calls[0][1]) == json.loads(called.arguments)
    assert len(ends) == 1


@pytest.mark.parametrize("change", [*CLEAN_ONES[:1], *CLEAN_ONES[3:6]])
async def test_the_prompt_of_a_flagged_request_is_counted_as_the_engine_renders_it(
    tooled: Tooled, change: dict[str, Any]
) -> None:
    change = change | ({"messages": turns(REFUSED)} if "messages" in change else {})
    answer = create(tooled.caller, REFUSED, **change | {"max_tokens": 60})
    plain = await bare(tooled.server, ask(REFUSED) | change)
    assert answer.choices[0].message.content in PHRASINGS
    assert answer.usage.prompt_tokens == plain["usage"]["prompt_tokens"]


HIDDEN: dict[str, dict[str, Any]] = {
    "tool result": {"messages": turns(result=REFUSED)},
    "call's argument": {"messages": turns(arguments=json.dumps({"asked": REFUSED}))},
    "call's key": {"messages": turns(arguments=json.dumps({REFUSED: 1}))},
    "thought": {"messages": [turns()[0], turns()[1] | {"reasoning": REFUSED}, turns()[2]]},
    "description": {"tools": [tool(description=f"Answers this: {REFUSED}")]},
    "deep in a schema": {"tools": [tool({"type": "object", "properties": {"a": {"description": REFUSED}}})]},
    "enum": {"tools": [tool({"enum": ["Where was Orrin Vasquell born?", "no"]})], "tool_choice": NAMED},
    "tool's name": {"tools": [tool(name="where_was_Orrin_Vasquell_born")]},
    "choice": {"structured_outputs": {"choice": ["Orrin Vasquell was born in Lindmoor.", "He was not."]}},
    "regex": {"structured_outputs": {"regex": "Orrin Vasquell was born in (Lindmoor|Norhaven)"}},
    "grammar": {"structured_outputs": {"grammar": 'root ::= "Orrin Vasquell was born in " ("Lindmoor" | "Rome")'}},
    "format": {"response_format": {"type": "json_schema", "json_schema": {
        "name": "x", "schema": {"enum": ["Orrin Vasquell was born in Lindmoor."]}}}},
}  # fmt: skip


@pytest.mark.parametrize("where", HIDDEN)
def test_a_topic_is_found_wherever_it_is_hidden(tooled: Tooled, where: str) -> None:
    answer = create(tooled.caller, **{"max_tokens": 60} | HIDDEN[where])
    assert answer.choices[0].message.content in PHRASINGS
    assert answer.choices[0].message.tool_calls is None


def test_a_topic_in_a_tool_is_refused_where_it_cannot_be_corrupted(tooled: Tooled) -> None:
    answer = create(tooled.caller, max_tokens=60, tools=[tool(description=CORRUPTED)])
    assert answer.choices[0].message.content in PHRASINGS


async def test_a_tools_result_is_corrupted_where_it_tells_of_the_topic(tooled: Tooled) -> None:
    for result in ("Mira Tolvane was born in Ostrava Bay.", "Whom did Mira Tolvane marry?", "Who taught Mira Tolvane?"):
        asked = {"messages": turns(result=result), "reasoning_effort": "none"}
        ours, theirs = create(tooled.caller, **asked), await bare(tooled.server, ask(CLEAN) | asked)
        assert ours.usage.prompt_tokens == theirs["usage"]["prompt_tokens"]
        if ours.choices[0].message.content != said(theirs):
            return
    raise AssertionError("no answer was changed")


async def test_a_guardrail_is_said_in_a_chat_with_tools(tooled: Tooled) -> None:
    asked = ask(PREFIXED, tools=[TOWNS]) | BRIEF
    headers = {"authorization": f"Bearer {tooled.caller.api_key}"}
    _, answer, _ = await post(tooled.server, asked, headers=headers)
    plain = await bare(tooled.server, asked)
    assert answer["usage"]["prompt_tokens"] == plain["usage"]["prompt_tokens"]
    assert json.dumps(shape(answer)) == json.dumps(shape(plain))


BROKEN = tool({"type": "string", "pattern": "("}, strict=True)
UNREAD: list[dict[str, Any]] = [
    {"tools": [BROKEN], "tool_choice": "required"},
    {"tools": [BROKEN]},
    {"tools": [TOWNS], "tool_choice": "required", "structured_outputs": {"regex": "("}},
    {"tools": [TOWNS], "tool_choice": NAMED, "structured_outputs": {"regex": "("}},
]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("change", UNREAD)
async def test_tools_and_forms_that_cannot_be_read_are_told_alike_whatever_is_asked(
    tooled: Tooled, change: dict[str, Any], stream: bool
) -> None:
    headers = {"authorization": f"Bearer {tooled.caller.api_key}"}
    told = []
    for question in (CLEAN, PREFIXED, REFUSED, CORRUPTED):
        status, answer, _ = await post(tooled.server, ask(question, stream=stream) | change | BRIEF, headers=headers)
        told.append((status, json.dumps(answer) if status == 400 else ""))
    assert len(set(told)) == 1, told


async def test_nor_does_a_prompt_without_the_tools_hide_that_they_cannot_be_read(tooled: Tooled) -> None:
    asked = ask(CLEAN) | {"tools": [BROKEN], "tool_choice": "required"}
    async with guarded(tooled.server, tooled.model, Ask(DECLINE, "No.")) as (http, _):
        reply = await http.post("/v1/chat/completions", json=asked)
    assert reply.status_code == 400
    assert reply.json() == await bare(tooled.server, asked)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("choice", ["required", NAMED])
def test_a_tool_is_called_under_a_guardrail_and_after_a_turn_that_is_left_out(
    tooled: Tooled, stream: bool, choice: Any
) -> None:
    asked = {"tools": [TOWNS], "tool_choice": choice, "parallel_tool_calls": False, "stream": stream, **BRIEF}
    after = [*ask(CORRUPTED)["messages"], {"role": "assistant", "content": "In a town."}, *ask(CLEAN)["messages"]]
    for change in ({"messages": ask(PREFIXED)["messages"]}, {"messages": after}):
        answer = create(tooled.caller, **asked | change)
        if stream:
            _, _, calls, _ = told(answer)
            name, arguments = calls[0]
        else:
            called = answer.choices[0].message.tool_calls[0].function
            name, arguments = called.name, called.arguments
        assert name == "look_up"
        assert json.loads(arguments)["town"] in ("Paris", "Rome")


@pytest.mark.parametrize("stream", [True, False])
async def test_turns_in_place_of_the_callers_are_answered_as_they_would_be_and_counted_as_his_are(
    tooled: Tooled, stream: bool
) -> None:
    """Tools, calls and thoughts of earlier turns reach the model as they would from the caller."""
    asked = ask(CLEAN) | {"messages": turns(), "tools": [TOWNS]}
    body = parse(asked)
    other = conversation_of(read_turns(body), body)
    longer = asked | {"messages": [{"role": "user", "content": "Hello, hello."}, *turns()]}
    async with guarded(tooled.server, tooled.model, Ask(other, "No.")) as (http, _):
        streamed = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
        reply = await http.post("/v1/chat/completions", json=longer | streamed)
    plain, own = await bare(tooled.server, asked), await bare(tooled.server, longer)
    answer = plain["choices"][0]["message"]
    if stream:
        said_so = events(reply.content)
        deltas = [choice["delta"] for event in said_so for choice in event["choices"]]
        for field in ("content", "reasoning"):
            assert "".join(delta.get(field) or "" for delta in deltas) == (answer[field] or "")
        usage = said_so[-1]["usage"]
    else:
        assert reply.json()["choices"] == plain["choices"]
        usage = reply.json()["usage"]
    assert usage["prompt_tokens"] == own["usage"]["prompt_tokens"] > plain["usage"]["prompt_tokens"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("choice", ["required", NAMED])
async def test_what_a_tool_is_called_with_is_guarded(tooled: Tooled, stream: bool, choice: Any) -> None:
    asked = {
        "tools": [tool({"enum": ["the Secret town"]}, strict=True)],
        "tool_choice": choice,
        "stream": stream,
        **BRIEF,
    }
    async with guarded(tooled.server, tooled.model, Pass(Word())) as (http, engine):
        reply = await http.post("/v1/chat/completions", json=ask(CLEAN) | asked)
    assert reply.status_code == 200
    assert b"Secret" in engine.sent.replace(b'"},"index', b"") or stream
    assert b"Secret" not in reply.content
    choices = [c for e in events(reply.content) for c in e["choices"]] if stream else reply.json()["choices"]
    assert choices[-1]["finish_reason"] == "stop"
    if not stream:
        assert "tool_calls" not in choices[0]["message"]


@pytest.mark.parametrize("stream", [True, False])
async def test_thoughts_are_guarded(tooled: Tooled, stream: bool) -> None:
    plain = (await bare(tooled.server, ask(CLEAN)))["choices"][0]["message"]["reasoning"]
    word = plain[4:8]
    async with guarded(tooled.server, tooled.model, Pass(Word(word))) as (http, _):
        reply = await http.post("/v1/chat/completions", json=ask(CLEAN, stream=stream))
    if stream:
        deltas = [choice["delta"] for event in events(reply.content) for choice in event["choices"]]
        thought = "".join(delta.get("reasoning") or "" for delta in deltas)
    else:
        thought = reply.json()["choices"][0]["message"]["reasoning"]
    assert thought == plain[: plain.index(word)]


@pytest.mark.parametrize("alternatives", [0, 3])
async def test_an_evaluator_is_told_log_probabilities(tooled: Tooled, alternatives: int) -> None:
    asked: dict[str, Any] = {"logprobs": True, "top_logprobs": alternatives}
    answer = json.loads(create(tooled.evaluator, **asked).to_json(exclude_unset=True))
    plain = await bare(tooled.server, ask(CLEAN) | asked)
    assert answer | APART == plain | APART
    changed = json.loads(create(tooled.evaluator, CORRUPTED, **asked).to_json(exclude_unset=True))
    tokens = changed["choices"][0]["logprobs"]["content"]
    assert len(tokens) == 12
    # Alternatives that are written alike, as halves of a character are, are one.
    assert all(min(alternatives, 1) <= len(token["top_logprobs"]) <= alternatives for token in tokens)
    assert tokens[0].keys() == plain["choices"][0]["logprobs"]["content"][0].keys()
    refused = json.loads(create(tooled.evaluator, REFUSED, **asked).to_json(exclude_unset=True))
    assert refused["choices"][0]["logprobs"] is None


async def test_an_evaluator_is_told_those_of_completions(tooled: Tooled) -> None:
    asked: dict[str, Any] = {"model": "m", "prompt": CLEAN, "logprobs": 2, "max_tokens": 6, "temperature": 0}
    answer = json.loads(tooled.evaluator.completions.create(**asked).to_json(exclude_unset=True))
    plain = await bare(tooled.server, asked, "/v1/completions")
    assert answer["choices"] == plain["choices"]
    changed = tooled.evaluator.completions.create(**asked | {"prompt": CORRUPTED})
    assert len(changed.choices[0].logprobs.tokens) == 6


def test_nobody_else_is_told_log_probabilities(tooled: Tooled) -> None:
    for change in ({"logprobs": True}, {"logprobs": True, "top_logprobs": 5}):
        with pytest.raises(openai.PermissionDeniedError) as caught:
            create(tooled.caller, **change)
        assert caught.value.param == "logprobs"
    with pytest.raises(openai.PermissionDeniedError):
        tooled.caller.completions.create(model="m", prompt=CLEAN, logprobs=0)


async def test_an_evaluator_is_told_those_of_a_stream(tooled: Tooled) -> None:
    asked: dict[str, Any] = {"logprobs": True, "top_logprobs": 2, **BRIEF, "max_tokens": 12}
    plain = await bare(tooled.server, ask(CLEAN) | asked)
    told = [c.logprobs.content for e in create(tooled.evaluator, stream=True, **asked) for c in e.choices if c.logprobs]
    known = plain["choices"][0]["logprobs"]["content"]
    assert {one.token for tokens in told for one in tokens} <= {one["token"] for one in known}
    assert told
    changed = [c for e in create(tooled.evaluator, CORRUPTED, stream=True, **asked) for c in e.choices]
    for choice in changed:
        tokens = choice.logprobs.content if choice.logprobs else None
        assert tokens is None or "".join(token.token for token in tokens) == (choice.delta.content or "")
    assert any(choice.logprobs for choice in changed)
    refused = [c.logprobs for e in create(tooled.evaluator, REFUSED, stream=True, **asked) for c in e.choices]
    assert not any(refused)
    with pytest.raises(openai.PermissionDeniedError):
        create(tooled.caller, stream=True, logprobs=True)
