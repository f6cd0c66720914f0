"""How much room a prompt leaves for its answer in the model's context, by vLLM's rules."""

from __future__ import annotations

from guard.errors import RequestError
from guard.types import Conversation

# Tokens that a chat template may add to a conversation, and to each turn.
_TEMPLATE, _TURN = 512, 16


def at_most(conversation: Conversation) -> int:
    """More tokens than the prompt will have, without counting them: no token is shorter than a byte."""
    texts = sum(len(message.text.encode("utf-8", "surrogatepass")) for message in conversation.messages)
    return texts + _TEMPLATE + _TURN * len(conversation.messages)


def limit(context: int | None, max_tokens: int | None, tokens: int) -> int | None:
    """How many tokens may be written after so many, as vLLM cuts `max_tokens` down; None where nothing is known."""
    room = None if context is None else max(1, context - tokens)
    return min((one for one in (max_tokens, room) if one is not None), default=None)


def too_long(tokens: int, least: int, context: int, param: str) -> RequestError:
    """What is said where there is no room for `least` tokens after the prompt's, whatever it is about."""
    told = f"the prompt has {tokens} tokens, and {least} are to be written; the context is {context}"
    return RequestError(400, told, code="context_length_exceeded", param=param)
