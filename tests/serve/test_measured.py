"""What is measured of an answer on its way out is the same in every dialect."""

from __future__ import annotations

from typing import Any

import pytest
from streams import Sending, compact, sse, story, usage_event, whole

from serve.dialects.completions_answer import CompletionsTranslator
from serve.dialects.messages_answer import MessagesTranslator
from serve.dialects.responses_answer import ResponsesTranslator
from serve.dialects.responses_schema import parse
from serve.measured import Measured
from serve.translate import Translated

TRANSLATORS: dict[str, Any] = {
    "chatcmpl-7": lambda: None,
    "cmpl-7": CompletionsTranslator,
    "msg_7": lambda: MessagesTranslator(9),
    "resp_7": lambda: ResponsesTranslator(parse({"model": "m", "input": "Hi"}), None),
}
PIECES = [*sse(*story("Once ", "upon ä"), usage_event(9, 5)), *sse("[DONE]")]


async def nothing() -> Any:
    raise AssertionError("nobody asks for more")


@pytest.mark.parametrize("id", TRANSLATORS)
@pytest.mark.parametrize("stream", [True, False])
async def test_identity_length_and_end(id: str, stream: bool) -> None:
    server = Sending(PIECES) if stream else Sending([compact(whole("Once upon ä")).encode()], "application/json")
    log: list[str] = []
    measured = Measured(None, lambda _: log.append("ended"))
    translator = TRANSLATORS[id]()
    out = measured if translator is None else Translated(translator, measured)

    async def send(message: Any) -> None:
        log.append(message["type"] if message.get("more_body") or "status" in message else "over")
        await out(message)

    await server({"path": ""}, nothing, send)
    assert (measured.id, measured.characters, measured.status) == (id, len("Once upon ä"), 200)
    # A stream is measured with its last event, which comes before the end of its body.
    assert (log.index("ended") < log.index("over")) == stream


@pytest.mark.parametrize("body", ["", "[]", "7", "{", '{"choices":7}', '{"id":"x","content":[{"type":"tool"}]}'])
async def test_what_cannot_be_read_is_passed_on_unmeasured(body: str) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await Sending([body.encode()], "application/json")({"path": ""}, nothing, Measured(send, lambda _: None))
    assert sent[-1]["body"] == body.encode()
