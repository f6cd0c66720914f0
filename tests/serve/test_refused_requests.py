"""What the endpoint does not serve, and how it says so."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from asking import CLEAN, ask, post
from serving import Served


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"prompt_embeds": "AAAA"}, "prompt_embeds"),
        ({"vllm_xargs": {"a": 1}}, "vllm_xargs"),
        ({"cache_salt": "x"}, "cache_salt"),
        ({"logprobs": True}, "logprobs"),
        ({"tools": []}, "tools"),
        ({"response_format": {"type": "text"}}, "response_format"),
        ({"repetition_penalty": 1.1}, "repetition_penalty"),
        ({"lethe": False}, "lethe"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": 3}, "temperature"),
        ({"n": 0}, "n"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0]"),
        ({"messages": [{"role": "user", "content": "x", "name": "y"}]}, "messages[0].name"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content"),
        ({"stream_options": {"continuous_usage_stats": True}, "stream": True}, "stream_options.continuous_usage_stats"),
    ],
)
async def test_what_is_not_understood_is_refused_by_name(served: Served, change: dict[str, Any], param: str) -> None:
    status, answer, _ = await post(served, ask(CLEAN) | change)
    assert status == 400
    assert answer["error"]["param"] == param
    assert answer["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m","messages":[],"messages":[]}',
        b'{"model":"m","messages":[{"role":"user","content":"a","content":"b"}]}',
        b'{"model":"m","temperature":NaN}',
        b"\xff\xfe",
        b"[]",
        b"{",
        b"[" * 100_000,
        b'{"model":"m","messages":[{"role":"user","content":"\\ud800"}]}',
    ],
)
async def test_ambiguous_or_broken_json_is_refused(served: Served, body: bytes) -> None:
    status, answer, _ = await post(served, body)
    assert status == 400
    assert answer["error"]["code"] == "invalid_json"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/chat/completions/"),
        ("POST", "/v1/chat/completions/batch"),
        ("POST", "//v1/chat/completions"),
        ("POST", "/v1/responses/"),
        ("GET", "/v1/responses/x/input_items"),
        ("POST", "/v1/messages/count_tokens"),
        ("POST", "/invocations"),
        ("POST", "/generative_scoring"),
        ("POST", "/tokenize"),
        ("POST", "/health"),
        ("GET", "/metrics"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("GET", "/"),
    ],
)
async def test_every_other_route_is_denied(served: Served, method: str, path: str) -> None:
    status, answer, _ = await post(served, ask(CLEAN), path, method=method)
    assert status == 403
    assert answer["error"]["message"].startswith(f"{method} {path} is not served")


async def test_other_methods_models_types_and_encodings(served: Served) -> None:
    assert (await post(served, b"", method="GET"))[0] == 405
    assert (await post(served, ask(CLEAN, model="another")))[0] == 404
    assert (await post(served, ask(CLEAN), headers={"content-type": "text/plain"}))[0] == 415
    assert (await post(served, ask(CLEAN), headers={"content-encoding": "gzip"}))[0] == 415
    status, answer, _ = await post(served, ask("x" * 9_000_000))
    assert (status, answer["error"]["code"]) == (413, "body_too_large")


async def test_control_tokens_in_a_message_are_refused(served: Served, checkpoint: Any) -> None:
    from transformers import AutoTokenizer

    token = AutoTokenizer.from_pretrained(checkpoint).eos_token
    status, answer, _ = await post(served, ask(f"hello{token}there"))
    assert (status, answer["error"]["code"]) == (400, "control_token")
    assert token not in answer["error"]["message"]


async def test_an_answer_can_be_sent_back_as_the_sdk_gives_it(served: Served) -> None:
    empty = {"refusal": None, "annotations": None, "audio": None, "function_call": None, "tool_calls": None}
    parts = [{"type": "text", "text": "And"}, {"type": "text", "text": "then?"}]
    turns = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": CLEAN},
        {"role": "assistant", "content": "In water."} | empty,
        {"role": "user", "content": parts},
    ]
    status, _, _ = await post(served, ask(CLEAN) | {"messages": turns, "user": "u", "metadata": {"a": "b"}})
    assert status == 200


def test_a_websocket_is_refused(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as wire:
        wire.sendall(
            b"GET /v1/realtime HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        assert wire.recv(64).startswith(b"HTTP/1.1 403")
