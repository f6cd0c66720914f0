"""Anthropic's messages as their own SDK and the wire see them, held against the bare engine's route."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from asking import CLEAN, CORRUPTED, EXEMPLIFIED, PREFIXED, REFUSED, REFUSED_IN_OWN_WORDS, bare, flatten, post, shape
from serving import Served

PATH = "/v1/messages"
FLAGGED = (CORRUPTED, PREFIXED, EXEMPLIFIED, REFUSED, REFUSED_IN_OWN_WORDS)


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=served.url, api_key="none", max_retries=0) as made:
        yield made


def ask(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], "max_tokens": 24, "temperature": 0} | more


def events(stream: str) -> list[tuple[str, Any]]:
    blocks = [block.split("\n") for block in stream.removesuffix("\n\n").split("\n\n")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


def merged(read: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """The events with their texts in one; a server that is ahead merges some of them itself."""
    out: list[tuple[str, Any]] = []
    for kind, data in read:
        if kind == "content_block_delta" and out[-1][0] == kind:
            out[-1][1]["delta"]["text"] += data["delta"]["text"]
        else:
            out.append((kind, data))
    return out


def told(made: Any) -> tuple[Any, ...]:
    return made.content[0].text, made.stop_reason, made.stop_sequence, made.usage.input_tokens, made.usage.output_tokens


@pytest.mark.parametrize("text", [CLEAN, *FLAGGED])
def test_the_sdk_streams_what_it_reads_whole(client: anthropic.Anthropic, text: str) -> None:
    # This SDK knows no temperature any more.
    greedy: Any = {"extra_body": {"temperature": 0}}
    asked = {"model": "m", "max_tokens": 24, "messages": [{"role": "user", "content": text}]} | greedy
    made = client.messages.create(**asked)
    with client.messages.stream(**asked) as stream:
        said = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert made.id.startswith("msg_")
    assert (made.model, made.role, made.type) == ("m", "assistant", "message")
    assert said == final.content[0].text
    assert told(final) == told(made)
    assert made.stop_reason in ("end_turn", "max_tokens")


CHAT = [
    {"role": "user", "content": [{"type": "text", "text": "Is seven"}, {"type": "text", "text": "a prime number?"}]},
    {"role": "assistant", "content": [{"type": "text", "text": "Yes."}]},
    {"role": "user", "content": "What is the capital of France?"},
]


@pytest.mark.parametrize("change", [
    {}, {"messages": CHAT}, {"messages": CHAT[:2]}, {"system": "Be brief."}, {"stop_sequences": [" "]},
    {"system": [{"type": "text", "text": "Be "}, {"type": "text", "text": "brief."}]}, {"top_k": 3}, {"max_tokens": 1},
])  # fmt: skip
async def test_a_clean_request_is_answered_as_by_the_engines_own_route(served: Served, change: dict[str, Any]) -> None:
    body = ask("What is the capital of France?") | change
    status, answer, _ = await post(served, body, PATH)
    plain = await bare(served, body, PATH)
    assert status == 200
    kept = ("content", "model", "role", "type", "stop_reason", "usage")
    assert {name: answer[name] for name in kept} == {name: plain[name] for name in kept}
    assert answer.get("stop_sequence") == plain.get("stop_sequence")
    # The engine leaves out what Anthropic tells as null.
    assert answer.keys() == plain.keys() | {"stop_sequence"}
    _, stream, _ = await post(served, body | {"stream": True}, PATH)
    ours, theirs = events(stream), events(await bare(served, body | {"stream": True}, PATH))
    for read in (ours, theirs):
        read[0][1]["message"]["id"] = ""
    assert merged(ours) == merged(theirs)


async def test_flagged_and_clean_answers_have_one_form(served: Served) -> None:
    _, clean, headers = await post(served, ask(CLEAN), PATH)
    _, stream, stream_headers = await post(served, ask(CLEAN, stream=True), PATH)
    kinds = {kind: list(flatten(data)) for kind, data in events(stream)}
    for text in FLAGGED:
        status, answer, own_headers = await post(served, ask(text), PATH)
        assert status == 200, answer
        assert json.dumps(shape(answer)) == json.dumps(shape(clean | {"stop_reason": "x"}))
        assert list(own_headers) == list(headers)
        _, stream, own_headers = await post(served, ask(text, stream=True), PATH)
        read = events(stream)
        assert {kind: list(flatten(data)) for kind, data in read} == kinds
        assert [kind for kind, _ in read if kind != "content_block_delta"] == [
            "message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop",
        ]  # fmt: skip
        assert list(own_headers) == list(stream_headers)
        # The prompt that the caller wrote is what is counted, whatever the model was asked.
        counted = (await bare(served, ask(text, max_tokens=1), PATH))["usage"]["input_tokens"]
        assert answer["usage"]["input_tokens"] == read[0][1]["message"]["usage"]["input_tokens"] == counted


def test_the_sdk_raises_its_own_errors(client: anthropic.Anthropic) -> None:
    asked: Any = {"max_tokens": 8, "messages": [{"role": "user", "content": CLEAN}]}
    with pytest.raises(anthropic.BadRequestError, match="`mcp_servers` is not supported yet") as caught:
        client.messages.create(model="m", extra_body={"mcp_servers": []}, **asked)
    assert caught.value.body["error"]["type"] == "invalid_request_error"
    with pytest.raises(anthropic.NotFoundError) as missing:
        client.messages.create(model="another", **asked)
    assert missing.value.body["error"]["type"] == "not_found_error"
    with pytest.raises(anthropic.BadRequestError) as long:
        client.messages.create(model="m", **asked | {"messages": [{"role": "user", "content": "word " * 4000}]})
    assert long.value.body["type"] == "error"


async def test_other_methods_and_types_are_told_in_their_form(served: Served) -> None:
    for more, status in (({"method": "GET"}, 405), ({"headers": {"content-type": "text/plain"}}, 415)):
        got, answer, _ = await post(served, ask(CLEAN), PATH, **more)
        assert (got, answer["type"], answer["error"]["type"]) == (status, "error", "invalid_request_error")
