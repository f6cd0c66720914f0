"""Writes chat completions in the very shape in which the model server writes its own."""

from __future__ import annotations

import copy
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from guard.errors import EngineError
from serve.dialects.chat_parts import CONTENT, THOUGHTS
from serve.dialects.chat_usage import own_usage
from serve.replies import dump
from serve.sse import encode

Json = dict[str, Any]


@dataclass(frozen=True)
class ChatShape:
    """Sample answers of the server: whole, and a stream's kinds of events.

    They are learned from the server, not written here: so an answer made here has the fields, order and fingerprint
    of one that came through, whatever the server's version. `last` ends a stream that goes on to tell its usage, and
    `end` one that does not.
    """

    whole: Json
    first: Json
    middle: Json
    last: Json
    end: Json
    usage: Json

    @classmethod
    def learn(cls, whole: Json, events: list[Json], plain: list[Json]) -> ChatShape:
        """Sort out a sample answer and the events of two sample streams (of two tokens or more), `plain` without usage.

        Raises:
            EngineError: a kind of event is missing.
        """
        found = _sorted_out(whole, events, plain)
        if missing := [kind for kind, samples in found.items() if not samples]:
            raise EngineError(
                f"the model server's chat answers are not of vLLM's form (no {', '.join(missing)} among the samples); "
                "Lethe is made for vLLM 0.32"
            )
        return cls(**{kind: _silent(samples[0]) for kind, samples in found.items()})


def _silent(sample: Json) -> Json:
    """The sample as one whose model did not think, whatever a reasoning parser made of what it wrote."""
    made = copy.deepcopy(sample)
    for choice in made.get("choices", ()):
        if "message" in choice:
            choice["message"] |= {field: None for field in THOUGHTS if field in choice["message"]}
        else:
            choice["delta"] = {name: value for name, value in choice["delta"].items() if name not in THOUGHTS}
    return made


def _sorted_out(whole: Json, events: list[Json], plain: list[Json]) -> dict[str, list[Json]]:
    """The samples of every kind, by the names of ChatShape's fields."""
    choices = [event for event in events if event.get("choices")]
    first = [event for event in choices if "role" in event["choices"][0]["delta"]]
    ended = [event["choices"][0]["finish_reason"] is not None for event in choices]
    return {
        "whole": [whole] if whole.get("choices") else [],
        "first": first,
        "middle": [event for event, end in zip(choices, ended, strict=True) if not end and event not in first],
        "last": [event for event, end in zip(choices, ended, strict=True) if end],
        "end": [e for e in plain if e.get("choices") and e["choices"][0]["finish_reason"] is not None],
        "usage": [event for event in events if not event.get("choices") and event.get("usage")],
    }


class Said(NamedTuple):
    """A text as one choice of an answer: its pieces (a token each), why it ended, and its length in tokens."""

    pieces: list[str]
    finish: str
    stop: str | None
    tokens: int


class ChatWriter:
    """Rewrites one text completion (whole or streamed) as a chat completion, on a prompt of `prompt_tokens`.

    `scores` puts what is told of log-probabilities in the caller's form.
    """

    def __init__(
        self,
        shape: ChatShape,
        model: str,
        n: int,
        *,
        tells_usage: bool,
        prompt_tokens: int,
        scores: Callable[[Json | None], Json | None] = lambda told: told,
    ) -> None:
        self._shape = shape
        self._scores = scores
        self._prompt_tokens = prompt_tokens
        self._last = shape.last if tells_usage else shape.end
        self.n = n
        self._begun = False
        self._head = {"id": f"chatcmpl-{secrets.token_hex(8)}", "created": int(time.time()), "model": model}

    def _from(self, sample: Json) -> Json:
        made = copy.deepcopy(sample)
        made.update({name: value for name, value in self._head.items() if name in made})
        return made

    def answer(self, choices: list[Json], usage: Json) -> bytes:
        """A whole answer; `choices` have index, text, finish_reason and maybe stop_reason, as completions do."""
        made = self._from(self._shape.whole)
        sample = made["choices"][0]
        made["choices"] = []
        for choice in choices:
            filled = copy.deepcopy(sample)
            filled["message"]["content"] = choice["text"]
            filled["logprobs"] = self._scores(choice.get("logprobs"))
            made["choices"].append(ended(filled, choice))
        made["usage"] = self.told(made["usage"], usage)
        return dump(made)

    def begin(self) -> list[str]:
        """The events that open every choice; nothing when they were written already."""
        if self._begun:
            return []
        self._begun = True
        return [self._text(self._shape.first, {"index": index, "text": ""}) for index in range(self.n)]

    def delta(self, choice: Json) -> str:
        """One event with a choice's next text; its last where a finish reason is given."""
        return self._text(self._last if choice.get("finish_reason") else self._shape.middle, choice)

    def total(self, usage: Json) -> str:
        """The event that closes a stream with its usage."""
        made = self._from(self._shape.usage)
        made["usage"] = self.told(made["usage"], usage)
        return dump(made).decode()

    def continue_from(self, answer: Json) -> None:
        """Write on in the name (identity, time) of an answer of the server's own."""
        self._head = {name: answer[name] for name in self._head if name in answer}

    def told(self, sample: Json, usage: Json) -> Json:
        """`usage` with the fields of the sample (which may have more, empty, or fewer), for the caller's own prompt."""
        told = own_usage(usage, self._prompt_tokens)
        if sample.get("completion_tokens_details"):
            told["completion_tokens_details"] = {"reasoning_tokens": 0}  # as where nothing was thought
        return {name: told.get(name) for name in sample}

    def _text(self, sample: Json, choice: Json) -> str:
        made = self._from(sample)
        made["choices"] = made["choices"][:1]
        if choice["text"] or CONTENT in made["choices"][0]["delta"]:
            made["choices"][0]["delta"][CONTENT] = choice["text"]
        if (scores := self._scores(choice.get("logprobs"))) is not None:
            made["choices"][0]["logprobs"] = scores
        ended(made["choices"][0], choice)
        return dump(made).decode()

    def whole(self, body: bytes) -> bytes:
        """Rewrite a whole completion."""
        completion = json.loads(body)
        return self.answer(completion["choices"], completion["usage"])

    def event(self, data: str) -> list[str]:
        """Rewrite the data of one streamed event."""
        if data == "[DONE]":
            return [data]
        completion = json.loads(data)
        if "error" in completion:
            return [data]
        made = self.begin()
        made += [self.delta(choice) for choice in completion["choices"]]
        if not completion["choices"] and completion.get("usage"):
            made.append(self.total(completion["usage"]))
        return made


def spoken(writer: ChatWriter, index: int, said: Said) -> list[str]:
    """The events in which one choice says its pieces and ends."""
    # At the limit the last piece carries the finish; otherwise the end-of-turn token does, with no text.
    texts = said.pieces if said.pieces and said.finish == "length" else [*said.pieces, ""]
    *events, last = [{"index": index, "text": text} for text in texts]
    last |= {"finish_reason": said.finish, "stop_reason": said.stop}
    return [writer.delta(event) for event in [*events, last]]


def refuse_whole(writer: ChatWriter, said: Said, usage: Json) -> bytes:
    """An answer that says the same in every choice."""
    choice = {"text": "".join(said.pieces), "finish_reason": said.finish, "stop_reason": said.stop}
    return writer.answer([{"index": index} | choice for index in range(writer.n)], usage)


def refuse_events(writer: ChatWriter, said: Said, usage: Json | None) -> list[bytes]:
    """The same as a stream, an event a piece; `usage` None where the caller did not ask for it."""
    choices = [spoken(writer, index, said) for index in range(writer.n)]
    events = [*writer.begin(), *(event for place in zip(*choices, strict=True) for event in place)]
    if usage is not None:
        events.append(writer.total(usage))
    return [encode(event) for event in [*events, "[DONE]"]]


def ended(made: Json, choice: Json) -> Json:
    """Put into a made choice which one it is and why it ended."""
    made["index"] = choice["index"]
    made["finish_reason"] = choice.get("finish_reason")
    if "stop_reason" in made:
        made["stop_reason"] = choice.get("stop_reason")
    return made
