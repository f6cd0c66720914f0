"""Completions: what is read, and the form of what comes back."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from streams import DONE, HEAD, Sending, compact, reply, sse
from watches import REPLACEMENT, Word

from guard.errors import RequestError
from guard.types import Corrupt, Pass, Plan, Refuse
from serve.dialects.chat import ChatDialect
from serve.dialects.completions import CompletionRequest, CompletionsDialect

BASE = {"model": "m", "prompt": "Once upon"}
OWN: dict[str, Any] = {"prompt": "Once upon", "messages": None}
USAGE = {"prompt_tokens": 4, "total_tokens": 34, "completion_tokens": 30}
TEXT = HEAD | {"id": "cmpl-7", "object": "text_completion"}


@pytest.fixture(scope="module")
def completions(dialect: ChatDialect) -> CompletionsDialect:
    return CompletionsDialect(dialect)


def read(dialect: CompletionsDialect, **change: Any) -> CompletionRequest:
    return dialect.read(json.dumps(BASE | change).encode(), {})


def event(text: str, index: int = 0, *, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """One event of the model server's."""
    end = {"logprobs": None, "finish_reason": finish, "stop_reason": None, "prompt_token_ids": None, "token_ids": None}
    return TEXT | {"choices": [{"index": index, "text": text} | end]} | more


def whole(*texts: str, finish: str = "stop", stop: Any = None) -> dict[str, Any]:
    """A whole answer of the model server's."""
    end = {"logprobs": None, "finish_reason": finish, "stop_reason": stop, "token_ids": None}
    end |= {"prompt_logprobs": None, "prompt_token_ids": None, "routed_experts": None}
    tail = {"service_tier": None, "system_fingerprint": "vllm-1", "usage": USAGE | {"prompt_tokens_details": None}}
    tail |= {"kv_transfer_params": None, "ec_transfer_params": None, "metrics": None}
    return TEXT | {"choices": [{"index": i, "text": text} | end for i, text in enumerate(texts)]} | tail


def test_the_prompt_is_read_raw_and_sent_as_it_is(completions: CompletionsDialect) -> None:
    given = {"temperature": 0.5, "n": 2, "stop": ["\n"], "seed": 3, "presence_penalty": 0.5, "user": "u"}
    request = read(completions, prompt=["Q: Who? \nA:"], **given)
    del given["user"]
    assert json.loads(request.clean_body()) == {"model": "m", "prompt": "Q: Who? \nA:", "max_tokens": 16} | given
    assert request.conversation.raw
    assert [(m.role, m.text) for m in request.conversation.messages] == [("user", "Q: Who? \nA:")]


def test_its_tokens_are_those_of_the_text_and_no_template(completions: CompletionsDialect) -> None:
    tokenizer = completions.chat.text.tokenizer
    request = read(completions)
    assert request.prompt_ids(request.conversation) == tokenizer("Once upon").input_ids
    assert request.usage(2)["prompt_tokens"] == len(tokenizer("Once upon").input_ids)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"echo": True}, "echo"),
        ({"logprobs": 1}, "logprobs"),
        ({"prompt_logprobs": 0}, "prompt_logprobs"),
        ({"suffix": "x"}, "suffix"),
        ({"best_of": 2}, "best_of"),
        ({"prompt_embeds": "AAAA"}, "prompt_embeds"),
        ({"logit_bias": {"1": 5}}, "logit_bias"),
        ({"vllm_xargs": {"a": 1}}, "vllm_xargs"),
        ({"cache_salt": "x"}, "cache_salt"),
        ({"messages": []}, "messages"),
        ({"metadata": {}}, "metadata"),
        ({"prompt": None}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": [[1, 2]]}, "prompt"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 4000}, "max_tokens"),
        ({"prompt": "Hi<|end|>"}, "prompt"),
        ({"prompt": "word " * 200}, "prompt"),
    ],
)
async def test_what_is_not_understood_is_refused_by_name(
    completions: CompletionsDialect, change: dict[str, Any], named: str
) -> None:
    if "<|end|>" in str(change):
        change = {"prompt": f"Hi{completions.chat.text.tokenizer.eos_token}"}
    got = await reply(Pass(), completions, Sending([b"{}"], "application/json"), **OWN | change)
    error = json.loads(got.body)["error"]
    assert (got.status, error["param"], error["type"]) == (400, named, "invalid_request_error")


def test_several_choices_need_a_drawn_answer(completions: CompletionsDialect) -> None:
    with pytest.raises(RequestError, match="`n` must be 1"):
        read(completions, n=2, temperature=0)


@pytest.mark.parametrize("output", [None, Word()], ids=["unwatched", "watched"])
async def test_a_clean_whole_answer_says_what_the_engine_said(completions: CompletionsDialect, output: Any) -> None:
    given = whole(" a time", " a ti\u00e4me", finish="length")
    server = Sending([compact(given).encode()], "application/json")
    got = await reply(Pass(output), completions, server, n=2, **OWN)
    assert server.path == "/v1/completions"
    made = json.loads(got.body)
    usage = {"prompt_tokens": made["usage"]["prompt_tokens"], "total_tokens": made["usage"]["prompt_tokens"] + 30}
    assert made["id"].startswith("cmpl-")
    assert made == given | {"id": made["id"], "created": made["created"], "usage": given["usage"] | usage}
    assert list(made) == list(given)
    assert list(made["choices"][0]) == list(given["choices"][0])


@pytest.mark.parametrize("usage", [True, False])
async def test_a_clean_stream_has_the_engines_events_each_at_once(completions: CompletionsDialect, usage: bool) -> None:
    mark = {"system_fingerprint": "vllm-1"}
    events = [event(" a"), event(" b", 1), event(" c", 1, finish="length"), event("", finish="stop")]
    if usage:
        events.append(TEXT | {"choices": [], "usage": USAGE} | mark)
        asked = {"stream_options": {"include_usage": True}}
    else:
        events[2:] = [one | mark for one in events[2:]]
        asked = {}
    server = Sending([*sse(*events), DONE])
    got = await reply(Pass(Word()), completions, server, stream=True, n=2, temperature=1, **OWN, **asked)
    made = got.events
    assert len({one["id"] for one in made}) == 1
    own = {"id": made[0]["id"], "created": made[0]["created"]}
    prompt = read(completions).usage(30)["prompt_tokens"]
    expected = [one | own for one in events]
    if usage:
        expected[-1]["usage"] = USAGE | {"prompt_tokens": prompt, "total_tokens": prompt + 30}
    assert made == expected
    assert [list(one) for one in made] == [list(one) for one in expected]
    assert [way for way, _ in got.log] == ["in", "out"] * (len(events) + 1)
    assert got.body.endswith(DONE)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("plan", [Pass(Word()), Corrupt(torch.zeros(4, 8), "No.", Word()), Refuse("It is a ")])
async def test_a_guarded_answer_has_the_form_of_a_clean_one(
    completions: CompletionsDialect, plan: Plan, stream: bool
) -> None:
    server = Sending([compact(whole("It is a Secret.")).encode()], "application/json")
    if stream:
        server = Sending([*sse(event("It is "), event("a Sec"), event("ret.", finish="stop")), DONE])
    got = await reply(plan, completions, server, stream=stream, **OWN)
    if not stream:
        made = json.loads(got.body)
        assert list(made) == list(whole(""))
        assert list(made["choices"][0]) == list(whole("")["choices"][0])
        assert (made["choices"][0]["text"], made["choices"][0]["finish_reason"]) == ("It is a ", "stop")
        assert made["usage"]["completion_tokens"] == read(completions).said("It is a ").tokens
        return
    made = got.events
    assert "".join(one["choices"][0]["text"] for one in made) == "It is a "
    assert [list(one) for one in made[:-1]] == [list(event(""))] * (len(made) - 1)
    assert list(made[-1]) == list(event("", system_fingerprint="x"))
    assert all(list(one["choices"][0]) == list(event("")["choices"][0]) for one in made)
    assert got.body.endswith(DONE)


async def test_a_replacement_keeps_to_the_callers_limit(completions: CompletionsDialect) -> None:
    server = Sending([compact(whole("Secret")).encode()], "application/json")
    got = await reply(Pass(Word(hit="replace")), completions, server, **OWN | {"max_tokens": 2})
    choice = json.loads(got.body)["choices"][0]
    assert choice["text"] == "".join(completions.chat.text.pieces(REPLACEMENT)[:2])
    assert choice["finish_reason"] == "length"


async def test_the_engines_errors_keep_their_status(completions: CompletionsDialect) -> None:
    body = b'{"error":{"message":"too many stop strings","code":400}}'
    got = await reply(Pass(Word()), completions, Sending([body], "application/json", status=400), **OWN)
    assert (got.status, got.body) == (400, body)
