"""What a dialect offers to the guard: one wire format's requests and answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from guard.types import Conversation


class AnswerWriter(Protocol):
    """Rewrites an upstream completion as an answer of the dialect."""

    def whole(self, body: bytes) -> bytes:
        """Rewrite a whole completion."""
        ...

    def event(self, data: str) -> list[str]:
        """Rewrite the data of one streamed event as none, one or more events."""
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

    def clean_body(self) -> bytes:
        """The body for the dialect's own route upstream, holding nothing that was not understood."""
        ...

    def prompt_ids(self, conversation: Conversation) -> list[int]:
        """Token ids of a conversation, as the engine computes them.

        Raises:
            RequestError: the model's chat template refuses the order of turns.
        """
        ...

    def has_room(self, tokens: int) -> bool:
        """Whether a prompt of so many tokens leaves room for what the caller wants written.

        Raises:
            RequestError: the caller's own prompt does not.
        """
        ...

    def changed_body(self, prompt: Mapping[str, Any], tokens: int) -> bytes:
        """The body for /v1/completions, with `prompt` (its field and value, of `tokens` tokens) for the messages."""
        ...

    def writer(self) -> AnswerWriter:
        """A fresh writer for the completion that answers `changed_body`."""
        ...

    def refusal(self, text: str) -> bytes:
        """A whole answer that says `text`."""
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

    def read(self, body: bytes) -> Request:
        """Parse and check a body.

        Raises:
            RequestError: what the caller must change.
        """
        ...
