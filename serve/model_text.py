"""The served model's tokenizer, as far as the endpoint needs it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from guard.conversation import chat_of
from guard.errors import EngineError, RequestError
from guard.types import Conversation, Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_EFFORTS = ("low", "medium", "high", "xhigh", "max")


def effort_fields(effort: str | None) -> dict[str, Any]:
    """What a chat template gets of how much is to be thought, as vLLM gives it."""
    return {} if effort is None else {"reasoning_effort": effort, "enable_thinking": effort != "none"}


class ModelText:
    """Counts and cuts text as the served model would. Safe to share between threads."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        if not tokenizer.is_fast or not tokenizer.chat_template:
            raise EngineError("the checkpoint needs a tokenizer.json and a chat template to be served as a chat model")
        self.tokenizer = tokenizer
        # The Rust tokenizer itself: the Python object around it keeps state between calls.
        self._backend = tokenizer.backend_tokenizer
        control = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
        # "Unknown" stands for text that the vocabulary lacks; it forges nothing.
        self._control = (control | set(tokenizer.all_special_ids)) - {tokenizer.unk_token_id}

    @classmethod
    def from_checkpoint(cls, model: str) -> ModelText:
        """Load from a directory or a hub id.

        Raises:
            EngineError: there is no fast tokenizer or no chat template.
        """
        from transformers import AutoTokenizer

        try:
            return cls(cast("PreTrainedTokenizerFast", AutoTokenizer.from_pretrained(model)))
        except (OSError, ValueError) as error:
            raise EngineError(f"cannot load the tokenizer of {model!r}: {error}") from error

    def forges_control(self, text: str) -> bool:
        """Whether the tokenizer would read a control token (a turn's end, say) out of `text`."""
        return not self._control.isdisjoint(self._backend.encode(text, add_special_tokens=False).ids)

    def prompt_ids(self, conversation: Conversation) -> list[int]:
        """Token ids of the rendered conversation, as the engine computes them.

        Raises:
            RequestError: 400; the chat template refuses this order of turns.
        """
        if conversation.raw:
            return list(self._backend.encode(conversation.messages[0].text, add_special_tokens=True).ids)
        return list(self._backend.encode(self.rendered(conversation), add_special_tokens=False).ids)

    def rendered(self, conversation: Conversation) -> str:
        """The text that the model's chat template makes of a conversation.

        Raises:
            RequestError: 400; the chat template refuses this order of turns.
        """
        given: dict[str, Any] = {"tokenize": False, "add_generation_prompt": True, **conversation.template}
        try:
            return str(self.tokenizer.apply_chat_template(chat_of(conversation), **given))
        except Exception as error:  # A template is a program: whatever it raises, vLLM answers 400 too.
            message = f"the model's chat template refuses these messages: {error}"
            raise RequestError(400, message, code="invalid_messages", param="messages") from error

    @cached_property
    def unthinking(self) -> str:
        """The effort with which vLLM keeps a model from thinking: low where the template heeds no ``none``."""
        none = self._tried("none")
        return "low" if none is None or any(self._tried(effort) == none for effort in _EFFORTS) else "none"

    def _tried(self, effort: str) -> list[int] | None:
        try:
            return self.prompt_ids(Conversation((Message("user", "Hi"),), template=effort_fields(effort)))
        except RequestError:
            return None

    def text_of(self, ids: list[int]) -> str | None:
        """The text that a model would read of a raw prompt of these tokens; None where a text has others."""
        added = self._backend.encode("", add_special_tokens=True).ids
        own = ids[len(added) :] if ids[: len(added)] == added else ids
        text = self._backend.decode(own, skip_special_tokens=False)
        return text if self._backend.encode(text, add_special_tokens=True).ids == ids else None

    def pieces(self, text: str) -> list[str]:
        """`text` cut where its tokens end; a piece may be empty where a character spans several tokens."""
        if not text:
            return []
        offsets = self._backend.encode(text, add_special_tokens=False).offsets
        ends = [end for _, end in offsets[:-1]] + [len(text)]
        return [text[a:b] for a, b in zip([0, *ends[:-1]], ends, strict=True)]
