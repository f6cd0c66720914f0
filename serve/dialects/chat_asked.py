"""What the gate of a chat answer needs to know of the request."""

from __future__ import annotations

from typing import Protocol

from serve.dialects.chat_answer import ChatWriter, Json, Said


class Asked(Protocol):
    """The request that is answered, as far as a gate needs it."""

    @property
    def n(self) -> int:
        """How many choices were asked for."""
        ...

    @property
    def tells_usage(self) -> bool:
        """Whether a stream is to end with its usage."""
        ...

    @property
    def logprobs(self) -> bool:
        """Whether the answer tells how likely its tokens were."""
        ...

    def writer(self) -> ChatWriter:
        """A fresh writer of answers."""
        ...

    def said(self, text: str) -> Said:
        """`text` within the caller's limits, as if the model had said it."""
        ...

    def written(self, text: str, finish: str, stop: str | None) -> Said:
        """`text` as the model server wrote it, and why it ended there."""
        ...

    def usage(self, tokens: int) -> Json:
        """The usage of an answer of so many tokens in all."""
        ...
