"""What a dialect offers to the guard: one wire format's requests and answers."""

from __future__ import annotations

from typing import Protocol

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

    def corrupted_body(self, embeds: str, tokens: int) -> bytes:
        """The body for /v1/completions, with `tokens` prompt embeddings, encoded, in place of the prompt."""
        ...

    def writer(self) -> AnswerWriter:
        """A fresh writer for the completion that answers `corrupted_body`."""
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
