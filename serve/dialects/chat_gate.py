"""Lets out of chat completions, whole or streamed, what the watches of an output guard release."""

from __future__ import annotations

from guard.errors import EngineError
from guard.types import Output
from serve.dialects.chat_answer import ChatWriter, Json, Said, ended, spoken
from serve.dialects.chat_asked import Asked
from serve.dialects.chat_choice import Choice, Taken
from serve.dialects.chat_form import read, read_texts
from serve.dialects.chat_parts import CONTENT, Part, deltas, parts_of, put
from serve.replies import dump

_DONE = "[DONE]"


class ChatGate:
    """A gate for the answer to one chat request; see `serve.dialects.base.Gate`.

    Every choice waits for itself. Usage is the model server's own, unless a text was changed: its count would tell how
    much was withheld. Then the tokens of what was released are counted, as those of a refusal are.
    """

    def __init__(self, output: Output, asked: Asked) -> None:
        self._output = output
        self._asked = asked
        self._choices: dict[int, Choice] = {}
        self._answer: Json = {}
        self._renewed: list[int] = []  # the choices that waited once
        self._made: ChatWriter | None = None
        self._done = False
        self.over = False

    @property
    def slow(self) -> bool:
        """See `serve.dialects.base.Gate`."""
        return self._output.slow

    @property
    def told(self) -> frozenset[str]:
        """See `serve.dialects.base.Gate`."""
        return frozenset(topic for choice in self._choices.values() for topic in choice.told)

    @property
    def waiting(self) -> int:
        """See `serve.dialects.base.Gate`."""
        return len(self._waiting)

    @property
    def _waiting(self) -> list[int]:
        return [index for index, choice in sorted(self._choices.items()) if choice.told]

    def whole(self, body: bytes) -> bytes:
        """See `serve.dialects.base.Gate`."""
        self._answer = read(body, "message", scored=self._asked.logprobs)
        for choice in self._answer["choices"]:
            state = self._choice(choice["index"], whole=True)
            if not state.open:
                raise EngineError("the model server's answer has a choice twice")
            state.take(parts_of(choice["message"]), last=True)
        self._renewed = self._waiting
        if self._renewed:
            return b""
        return self.completed() if self._changed else body

    def completed(self) -> bytes:
        """See `serve.dialects.base.Gate`."""
        answer = self._answer
        for choice in answer["choices"]:
            state = self._choices[choice["index"]]
            if not state.changed:
                continue
            put(choice["message"], state.released, cut=state.ended)
            # They would tell of tokens that did not leave.
            choice["logprobs"] = None
            if state.ended:
                said = self._final(state)
                if state.text:
                    choice["message"]["content"] = "".join(said.pieces)
                ended(choice, {"index": choice["index"], "finish_reason": said.finish, "stop_reason": said.stop})
        answer["usage"] = self._writer(answer).told(answer["usage"], self._usage())
        if "metrics" in answer:
            answer["metrics"] = None  # times, and by them tokens
        return dump(answer)

    def event(self, data: str) -> list[str]:
        """See `serve.dialects.base.Gate`."""
        if self.over or self._done:
            return []
        if data == _DONE:
            self._done = True
            self.end()
            return [data]
        answer = read(data, "delta", scored=self._asked.logprobs)
        if not answer["choices"]:
            told = answer.get("usage") and self._changed
            return [self._writer(answer).total(self._usage())] if told else [data]
        parts = [self._part(answer, choice) for choice in answer["choices"]]
        if all(part is None for part in parts):
            return [data, *self._close(answer)]
        events = [
            event
            for part, choice in zip(parts, answer["choices"], strict=True)
            for event in (part if part is not None else [_alone(answer, choice)])
        ]
        return events + self._close(answer)

    def end(self) -> None:
        """See `serve.dialects.base.Gate`."""
        if not self.over and not (self._done and self._closed):
            raise EngineError("the model server's stream ended before its answer did")

    def renew(self, body: bytes, output: Output) -> None:
        """See `serve.dialects.base.Gate`."""
        for index, written in zip(self._waiting, read_texts(body, self.waiting), strict=True):
            self._choices[index].renew(written, output.watch(whole=True))

    def give_up(self) -> None:
        """See `serve.dialects.base.Gate`."""
        for index in self._waiting:
            self._choices[index].give_up()

    def rest(self) -> list[str]:
        """See `serve.dialects.base.Gate`."""
        events = [e for index in self._renewed for e in self._spoken(self._answer, index, self._choices[index])]
        usage = [self._writer(self._answer).total(self._usage())] if self._asked.tells_usage else []
        return [*events, *usage, _DONE]

    @property
    def _closed(self) -> bool:
        return len(self._choices) == self._asked.n and not any(choice.open for choice in self._choices.values())

    @property
    def _changed(self) -> bool:
        return any(choice.changed for choice in self._choices.values())

    def _choice(self, index: int, *, whole: bool = False) -> Choice:
        if index not in self._choices:
            if not 0 <= index < self._asked.n:
                raise EngineError("the model server's answer has a choice that was not asked for")
            self._choices[index] = Choice(self._output.watch(whole=whole))
        return self._choices[index]

    def _part(self, answer: Json, choice: Json) -> list[str] | None:
        """What leaves of one choice's part in an event; None: all of it as it is."""
        state = self._choice(choice["index"])
        delta, last = choice["delta"], choice.get("finish_reason") is not None
        state.written_out |= last
        if not state.open:
            return []
        parts = parts_of(delta)
        taken = state.take(parts, last=last)
        if taken.ended:
            return self._ending(answer, choice, state, taken)
        if taken.parts == parts and not _scored_apart(choice, "".join(part.text for part in parts)):
            return None
        if not taken.parts and not last and "role" not in delta:
            return []  # a later event brings it
        return _apart(answer, choice, taken.parts)

    def _ending(self, answer: Json, choice: Json, state: Choice, taken: Taken) -> list[str]:
        """The events with which the guard ends a choice, as the model server would; none of a text where it waits."""
        before = [part for part in taken.parts if part.field != CONTENT]
        opening = "role" in choice["delta"] or before
        made = _apart(answer, choice | {"finish_reason": None}, before) if opening else []
        return made if state.told else made + self._spoken(answer, choice["index"], state)

    def _spoken(self, answer: Json, index: int, state: Choice) -> list[str]:
        """The events with all of a choice that has not left yet."""
        said = self._final(state)
        return spoken(self._writer(answer), index, said._replace(pieces=_beyond(said.pieces, state.left)))

    def _final(self, state: Choice) -> Said:
        """What a choice comes to."""
        if state.written is not None:
            return self._asked.written(state.text, state.written.finish, state.written.stop)
        return self._asked.said(state.text)

    def _close(self, answer: Json) -> list[str]:
        """The end of the stream, where no choice is open any more and the model server still writes one."""
        if not self._closed:
            return []
        if self._waiting:
            self.over, self._answer, self._renewed = True, answer, self._waiting
            return []
        if all(choice.written_out for choice in self._choices.values()):
            return []
        self.over = True
        usage = [self._writer(answer).total(self._usage())] if self._asked.tells_usage else []
        return [*usage, _DONE]

    def _writer(self, answer: Json) -> ChatWriter:
        """Writes in the name of the model server's `answer`."""
        if self._made is None:
            self._made = self._asked.writer()
            self._made.continue_from(answer)
        return self._made

    def _usage(self) -> Json:
        return self._asked.usage(sum(self._tokens(choice) for choice in self._choices.values()))

    def _tokens(self, choice: Choice) -> int:
        others = "".join(part.text for part in choice.released if part.field != CONTENT)
        return self._final(choice).tokens + self._asked.written(others, "length", None).tokens


def _beyond(pieces: list[str], sent: int) -> list[str]:
    """What of `pieces` comes after the first `sent` characters."""
    rest = []
    for piece in pieces:
        if new := piece[max(0, sent) :]:
            rest.append(new)
        sent -= len(piece)
    return rest


def _apart(answer: Json, choice: Json, parts: list[Part]) -> list[str]:
    """The events of one choice with other texts, an event each; the last ends it where the given one does."""
    delta = choice["delta"]
    bare = {name: value for name, value in delta.items() if name in ("role", CONTENT)}
    bare |= {CONTENT: ""} if delta.get(CONTENT) else {}
    made = list(deltas(parts)) or [bare]
    made[0] = bare | made[0] if "role" in delta or CONTENT in made[0] else made[0]
    # Likelihoods would be of other tokens.
    unscored = {"logprobs": None} if "logprobs" in choice else {}
    *events, last = [choice | unscored | {"delta": told} for told in made]
    return [_alone(answer, event | {"finish_reason": None}) for event in events] + [_alone(answer, last)]


def _scored_apart(choice: Json, text: str) -> bool:
    """Whether the likelihoods of an event are of other tokens than those of its text: of some that come later, say."""
    scores = (choice.get("logprobs") or {}).get("content") or ()
    return bool(scores) and "".join(score["token"] for score in scores) != text


def _alone(answer: Json, choice: Json) -> str:
    """An event of one choice."""
    return dump(answer | {"choices": [choice]}).decode()
