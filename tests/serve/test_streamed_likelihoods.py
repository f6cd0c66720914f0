"""Log-probabilities of streams leave with the very texts whose tokens they are, and never before them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from streams import DONE, HEAD, Reply, Sending, chunk, reply, sse
from watches import Word

from guard.types import Corrupt, Pass, Plan
from serve.dialects.chat import ChatDialect

ASKED: dict[str, Any] = {"stream": True, "logprobs": True}


@pytest.fixture
def evaluators(dialect: ChatDialect, monkeypatch: pytest.MonkeyPatch) -> ChatDialect:
    """Reads as if a key of role evaluator was sent."""
    monkeypatch.setattr("serve.asgi.check_fields", lambda scope, reserved: None)
    return dialect


def scored(text: str, *tokens: str) -> dict[str, Any]:
    made = chunk(text)
    told = [{"token": token, "logprob": -1.0, "bytes": [], "top_logprobs": []} for token in tokens]
    made["choices"][0]["logprobs"] = {"content": told}
    return made


def told(got: Reply) -> list[tuple[str, str | None]]:
    """The text of every event that has one, and the tokens whose likelihoods it tells."""
    choices = [choice for event in got.events for choice in event["choices"]]
    return [
        (c["delta"].get("content") or "", c["logprobs"] and "|".join(one["token"] for one in c["logprobs"]["content"]))
        for c in choices
        if c["delta"].get("content") or c["logprobs"]
    ]


async def test_whole_tokens_have_them_and_what_was_held_back_has_none(evaluators: ChatDialect) -> None:
    events = [scored("It is", "It", " is"), scored(" Sec", " Sec"), scored("ond.", "ond."), scored(" So.", " So", ".")]
    pieces = [*sse(chunk("", role=True), *events, chunk("", finish="stop")), DONE]
    got = await reply(Pass(Word()), evaluators, Sending(pieces), **ASKED)
    assert told(got) == [("It is", "It| is"), (" ", None), ("Second.", None), (" So.", " So|.")]
    clean = await reply(Pass(Word("Nothing")), evaluators, Sending(pieces[:2] + pieces[-3:]), **ASKED)
    assert clean.body == b"".join(pieces[:2] + pieces[-3:])


async def test_none_tells_of_a_text_that_has_not_come_yet(evaluators: ChatDialect) -> None:
    early = [scored("It", "It", " is"), scored("", "Secret"), scored(" is", "x"), scored(" Secret", " Secret")]
    got = await reply(Pass(Word()), evaluators, Sending([*sse(chunk("", role=True), *early), DONE]), **ASKED)
    assert told(got)[:2] == [("It", None), (" is", None)]
    assert b"Secret" not in got.body


@pytest.mark.parametrize("plan", [Corrupt(torch.zeros(4, 8), "No.", Word()), Corrupt(torch.zeros(4, 8), "No.")])
async def test_those_of_a_changed_prompt_are_told_in_the_form_of_chats(evaluators: ChatDialect, plan: Plan) -> None:
    def event(text: str, finish: str | None = None) -> dict[str, Any]:
        row = {"text_offset": [0], "token_logprobs": [-2.0], "tokens": [text], "top_logprobs": [{text: -2.0}]}
        return HEAD | {
            "choices": [{"index": 0, "text": text, "finish_reason": finish, "logprobs": row if text else None}]
        }

    server = Sending([*sse(event("It "), event("is."), event("", "stop")), DONE])
    got = await reply(plan, evaluators, server, **ASKED)
    assert told(got) == [("It ", "It "), ("is.", "is.")]
    score = got.events[1]["choices"][0]["logprobs"]["content"][0]
    assert score == {"token": "It ", "logprob": -2.0, "bytes": list(b"It "), "top_logprobs": []}
