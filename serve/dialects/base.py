"""What a dialect offers to the guard: one wire format's requests and answers.

The guard works in the form of chat completions, whatever the dialect; a translator makes the dialect's own of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from starlette.types import Scope

from guard.types import Conversation, Output


class AnswerWriter(Protocol):
    """Rewrites an upstream completion as a chat answer."""

    def whole(self, body: bytes) -> bytes:
        """Rewrite a whole completion."""
        ...

    def event(self, data: str) -> list[str]:
        """Rewrite the data of one streamed event as none, one or more events."""
        ...


class Translator(Protocol):
    """Puts an answer in the form of chat completions, in which the guard works, into a dialect's own form."""

    def whole(self, body: bytes) -> bytes:
        """Translate a whole answer."""
        ...

    def event(self, data: str) -> bytes:
        """What is sent for the data of one streamed event: none, one or more events."""
        ...

    def error(self, status: int, body: bytes) -> bytes:
        """Translate the body of a reply with a status of 400 and more."""
        ...


class Gate(Protocol):
    """Lets out, of one chat answer, what the watches of an output guard release.

    Choices whose answer told too much may wait for another one; the rest of the answer is complete then.

    Besides what is named below, every method raises what a watch raises.
    """

    @property
    def over(self) -> bool:
        """Whether the guard ended the answer: it needs no more of what the model server would still write."""
        ...

    @property
    def slow(self) -> bool:
        """Whether reading may take long: then it is done in a thread."""
        ...

    @property
    def told(self) -> frozenset[str]:
        """The topics that waiting choices told of; none where no choice waits."""
        ...

    @property
    def waiting(self) -> int:
        """How many choices wait for another answer."""
        ...

    def whole(self, body: bytes) -> bytes:
        """What may leave of a whole answer: the very bytes, where nothing had to be changed; none where choices wait.

        Raises:
            EngineError: the answer is not of the form that is known, or holds text that no watch reads.
        """
        ...

    def event(self, data: str) -> list[str]:
        """What may leave once this event of a stream is read: none, one or more events.

        Raises:
            EngineError: as for `whole`, or the stream tells of an error.
        """
        ...

    def end(self) -> None:
        """The model server's stream is at its end.

        Raises:
            EngineError: the answer is not.
        """
        ...

    def renew(self, body: bytes, output: Output) -> None:
        """Take a completion in which the model server answered for the waiting choices, to be guarded by `output`.

        Raises:
            EngineError: as for `whole`.
        """
        ...

    def give_up(self) -> None:
        """The waiting choices get no other answer."""
        ...

    def rest(self) -> list[str]:
        """The end of a stream, once no choice waits any more."""
        ...

    def completed(self) -> bytes:
        """The whole answer, once no choice waits any more."""
        ...


class Request(Protocol):
    """A caller's request, read and checked."""

    @property
    def conversation(self) -> Conversation:
        """What the model would read."""
        ...

    @property
    def stream(self) -> bool:
        """Whether the caller asked for events."""
        ...

    @property
    def unread(self) -> bool:
        """Whether it holds parts that no guard reads, which are in `clean_body` alone."""
        ...

    @property
    def reserved(self) -> tuple[str, ...]:
        """The fields that were given and that only some roles of keys may ask for (see `serve.roles`)."""
        ...

    def translator(self) -> Translator | None:
        """A fresh translator of whatever answers this request; None where that has the dialect's form already.

        CPU-bound, call it in a thread.

        Raises:
            RequestError: the model's chat template refuses the order of turns.
        """
        ...

    def clean_body(self) -> bytes:
        """The body for the dialect's `upstream`, holding nothing that was not understood."""
        ...

    def prompt_ids(self, conversation: Conversation) -> list[int]:
        """Token ids of a conversation, as the engine computes them.

        Raises:
            RequestError: the model's chat template refuses the order of turns.
        """
        ...

    def check_room(self) -> None:
        """See that the caller's own prompt can be rendered and leaves room for an answer, whatever it is about.

        Raises:
            RequestError: it cannot, or does not.
        """
        ...

    def has_room(self, tokens: int) -> bool:
        """Whether a prompt of so many tokens leaves as much room as the caller's own for what is wanted."""
        ...

    def changed_body(self, prompt: Mapping[str, Any], tokens: int) -> bytes:
        """The body for /v1/completions, with `prompt` (its field and value, of `tokens` tokens) for the caller's."""
        ...

    def turned_body(self, conversation: Conversation, more: Mapping[str, Any], tokens: int) -> bytes:
        """The body for the dialect's `upstream`, with other turns (of `tokens` tokens) for the caller's and `more`."""
        ...

    def turned_writer(self) -> AnswerWriter:
        """A fresh writer for what answers `turned_body`."""
        ...

    @property
    def drawn(self) -> bool:
        """Whether the answer is drawn at random."""
        ...

    def again_body(self, prompt: Mapping[str, Any], tokens: int, *, choices: int, number: int) -> bytes:
        """The same for so many choices, as a whole; asked for the `number`th time after the first."""
        ...

    def trial_body(self) -> bytes | None:
        """A body for the dialect's `upstream` that asks for a token of nothing, with the caller's form and tools.

        None where there are neither.
        """
        ...

    def writer(self) -> AnswerWriter:
        """A fresh writer for the completion that answers `changed_body`."""
        ...

    def gate(self, output: Output) -> Gate:
        """A fresh gate for the answer to this request."""
        ...

    def refusal(self, text: str) -> bytes:
        """A whole chat answer that says `text`."""
        ...

    def refusal_events(self, text: str) -> list[bytes]:
        """The same as a stream."""
        ...


class Dialect(Protocol):
    """One generating route."""

    @property
    def path(self) -> str:
        """The route's exact path."""
        ...

    @property
    def upstream(self) -> str:
        """The model server's path that a clean request is sent to."""
        ...

    def read(self, body: bytes, scope: Scope) -> Request:
        """Parse and check a body; `scope` tells who sent it.

        Raises:
            RequestError: what the caller must change.
        """
        ...
