"""Several prompts in one request: what is kept of them, and what becomes of a part that fails."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from guard.types import Conversation, Grounds, Message
from serve.record import Record, record_of, with_record
from serve.replies import dump, send_body
from serve.several import Several


class Answering:
    """An app that answers a completion with its prompt, and notes what it is asked."""

    def __init__(self, failing: str = "") -> None:
        self.failing = failing
        self.bodies: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        asked = json.loads((await receive())["body"])
        self.bodies.append(asked)
        record, prompt = record_of(scope), asked["prompt"]
        record.conversation, record.begun = Conversation((Message("user", prompt),)), float(len(prompt))
        topics = {"one": ("a",), "three": ("b", "a")}.get(prompt, ())
        action = {"one": "corrupt", "three": "refuse"}.get(prompt, "pass")
        record.grounds = Grounds(topics, action, 0.5)
        if prompt == self.failing:
            await send_body(send, 503, b'{"error":{"code":"not_checked"}}')
            return
        choices = [{"index": index, "text": f"{prompt} {index}"} for index in range(asked.get("n", 1))]
        usage = {"prompt_tokens": 2, "total_tokens": 5, "completion_tokens": 3, "prompt_tokens_details": None}
        await send_body(send, 200, dump({"id": prompt, "choices": choices, "usage": usage}))


async def ask(app: Answering, body: Any) -> tuple[int, Any, Record]:
    inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    inbox.put_nowait({"type": "http.request", "body": json.dumps(body).encode()})
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    record = Record()
    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/v1/completions", "headers": headers}
    await Several(app, max_body=1000)(with_record(scope, record), inbox.get, send)
    return sent[0]["status"], json.loads(sent[1]["body"]), record


async def test_answers_are_put_together_in_the_order_of_the_prompts() -> None:
    app = Answering()
    status, answer, record = await ask(app, {"prompt": ["one", "two", "three"], "n": 2, "seed": 3})
    assert status == 200
    told = [(choice["index"], choice["text"]) for choice in answer["choices"]]
    assert told == list(enumerate(["one 0", "one 1", "two 0", "two 1", "three 0", "three 1"]))
    usage = {"prompt_tokens": 6, "total_tokens": 15, "completion_tokens": 9, "prompt_tokens_details": None}
    assert (answer["id"], answer["usage"]) == ("one", usage)
    assert app.bodies == [{"prompt": prompt, "n": 2, "seed": 3} for prompt in ("one", "two", "three")]
    assert record.grounds == Grounds(("a", "b"), "corrupt+refuse", 1.5)
    assert record.conversation == Conversation(tuple(Message("user", text) for text in ("one", "two", "three")))
    assert record.begun == 3.0


async def test_a_part_that_fails_is_the_whole_answer() -> None:
    status, answer, _ = await ask(Answering(failing="two"), {"prompt": ["one", "two", "three"]})
    assert (status, answer) == (503, {"error": {"code": "not_checked"}})


async def test_one_prompt_is_passed_on_as_it_came() -> None:
    app = Answering()
    status, answer, record = await ask(app, {"prompt": "one"})
    assert (status, answer["id"]) == (200, "one")
    assert record.grounds == Grounds(("a",), "corrupt", 0.5)


async def test_too_large_a_body_is_not_read_to_its_end() -> None:
    app = Answering()
    status, answer, _ = await ask(app, {"prompt": ["x" * 600, "y" * 600]})
    assert (status, answer["error"]["code"], app.bodies) == (413, "body_too_large", [])
