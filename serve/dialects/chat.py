"""POST /v1/chat/completions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from starlette.types import Scope

from guard.errors import RequestError
from serve.dialects.chat_answer import ChatShape
from serve.dialects.chat_request import ChatRequest
from serve.dialects.chat_schema import parse
from serve.dialects.unread import apart
from serve.model_text import ModelText
from serve.strict_json import load_object

CHAT = "/v1/chat/completions"
Made = TypeVar("Made", bound="ChatRequest")


@dataclass(frozen=True)
class ChatDialect:
    """Reads chat requests for the served models; `context` is their length in tokens, None if not known.

    `untooled` says why tools cannot be chosen in one way or another: told to all, since a flagged prompt goes to the
    model server's completions, which would answer. With `passes_unread` what no guard reads goes along.
    """

    models: tuple[str, ...]
    context: int | None
    text: ModelText
    shape: ChatShape
    path: str = CHAT
    untooled: Mapping[str, str] = field(default_factory=dict)
    passes_unread: bool = False

    @property
    def upstream(self) -> str:
        """See `serve.dialects.base.Dialect`."""
        return CHAT

    def read(self, body: bytes, scope: Scope) -> ChatRequest:
        """See `serve.dialects.base.Dialect`."""
        whole = load_object(body)
        fields, unread = apart(whole) if self.passes_unread else (whole, {})
        return self.checked(ChatRequest(parse(fields), self, unread=unread))

    def checked(self, request: Made) -> Made:
        """The request, where the served models can answer it.

        Raises:
            RequestError: what the caller must change.
        """
        if request.model not in self.models:
            raise RequestError(404, f"there is no model {request.model!r} here", code="model_not_found", param="model")
        if (choice := request.tool_choice) in self.untooled:
            raise RequestError(400, self.untooled[choice], code="tools_not_served", param="tool_choice")
        limit = request.max_tokens
        if limit is not None and self.context is not None and limit > self.context:
            told = f"`{request.limit_param}` is {limit}; the model's whole context is {self.context} tokens"
            raise RequestError(400, told, code="invalid_value", param=request.limit_param)
        for message, param in zip(request.conversation.messages, request.params, strict=True):
            if self.text.forges_control(message.text):
                told = f"`{param}` holds one of the model's control tokens; remove it"
                raise RequestError(400, told, code="control_token", param=param)
        return request
