"""Renders a conversation with the checkpoint's own chat template, knowing whose text every token holds."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError

from guard.conversation import chat_of
from guard.errors import EngineError, RequestError
from guard.types import Conversation

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True)
class Token:
    """One prompt token: characters [start, end) of message `message`, or the template's own when that is None."""

    id: int
    message: int | None = None
    start: int = 0
    end: int = 0


@dataclass(frozen=True)
class Prompt:
    """A rendered conversation, ready for the model to answer."""

    text: str
    tokens: tuple[Token, ...]

    @property
    def ids(self) -> list[int]:
        """The token ids, as the engine would compute them from the same messages."""
        return [token.id for token in self.tokens]


class Renderer:
    """The chat template and tokenizer of one checkpoint. Safe to share between threads."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        if not tokenizer.is_fast:
            raise EngineError("the checkpoint has no tokenizer.json; corruption needs a fast tokenizer, with offsets")
        if not tokenizer.chat_template:
            raise EngineError("the checkpoint has no chat template; corruption of chats needs one")
        self._tokenizer = tokenizer

    @classmethod
    def from_checkpoint(cls, model: str) -> Renderer:
        """Load from a directory or a hub id.

        Raises:
            EngineError: there is no usable tokenizer or chat template.
        """
        from transformers import AutoTokenizer

        try:
            tokenizer: Any = AutoTokenizer.from_pretrained(model)
        except (OSError, ValueError) as error:
            raise EngineError(f"cannot load the tokenizer of {model!r}: {error}") from error
        return cls(tokenizer)

    def render(self, conversation: Conversation) -> Prompt:
        """Render, tokenise and place every token.

        Raises:
            RequestError: the template refuses this order of turns.
            EngineError: the template moves or rewrites messages in a way that cannot be followed.
        """
        text = conversation.messages[0].text if conversation.raw else self._template(conversation)
        places = [(0, len(text), 0, 0)] if conversation.raw else self._places(text, conversation)
        # The tokenizer's truncation and padding state is not ours to use; and chat templates bring their own BOS.
        own = conversation.raw
        encoded = self._tokenizer(text, add_special_tokens=own, return_offsets_mapping=True, verbose=False)
        ids: list[int] = encoded["input_ids"]
        offsets: list[tuple[int, int]] = encoded["offset_mapping"]
        tokens = [_place(number, a, b, places) for number, (a, b) in zip(ids, offsets, strict=True)]
        return Prompt(text, tuple(tokens))

    def _template(self, conversation: Conversation) -> str:
        given: dict[str, Any] = {"tokenize": False, "add_generation_prompt": True, **conversation.template}
        try:
            text = self._tokenizer.apply_chat_template(chat_of(conversation), **given)
        except TemplateError as error:
            raise RequestError(
                400,
                f"the model's chat template refuses these messages: {error}",
                code="invalid_messages",
                param="messages",
            ) from error
        return str(text)

    def _places(self, text: str, conversation: Conversation) -> list[tuple[int, int, int, int]]:
        """(start, end, message, offset): text[start:end] is the message's text from `offset` on.

        What is said aside has no place of its own.
        """
        messages = conversation.messages
        # A template may treat a turn that says nothing, and only calls tools, as one of another kind.
        said = [i for i, message in enumerate(messages) if message.text and not message.aside]
        # Marks that no message can hold stand in for the texts, to see where the template puts them.
        nonce = secrets.token_hex(16)
        marked = tuple(replace(m, text=f"<{nonce}-{i}>") if i in said else m for i, m in enumerate(messages))
        pieces = re.split(f"<{nonce}-(\\d+)>", self._template(replace(conversation, messages=marked)))
        order = [int(number) for number in pieces[1::2]]
        if sorted(order) != said:
            raise EngineError("the model's chat template leaves out or repeats messages; use `refuse` with this model")
        places = []
        cursor = _expect(text, 0, pieces[0])
        for number, after in zip(order, pieces[2::2], strict=True):
            whole = messages[number].text
            start = cursor
            for kept in (whole, whole.strip()):
                if text.startswith(kept + after, start):
                    break
            else:
                raise EngineError("the model's chat template rewrites messages; use `refuse` with this model")
            places.append((start, start + len(kept), number, whole.index(kept)))
            cursor = start + len(kept) + len(after)
        if cursor != len(text):
            raise EngineError("the model's chat template depends on what messages say; use `refuse` with this model")
        return places


def _expect(text: str, cursor: int, piece: str) -> int:
    if not text.startswith(piece, cursor):
        raise EngineError("the model's chat template depends on what messages say; use `refuse` with this model")
    return cursor + len(piece)


def _place(number: int, start: int, end: int, places: list[tuple[int, int, int, int]]) -> Token:
    # A token that reaches from the template into a message (a blank before its first word) is the message's.
    for first, last, message, offset in places:
        if start < last and end > first:
            return Token(number, message, max(start, first) - first + offset, min(end, last) - first + offset)
    return Token(number)
