"""POST /v1/messages, Anthropic's: read as the chat that vLLM makes of it, and answered by translation."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.types import Scope

from serve.dialects.chat import ChatDialect
from serve.dialects.chat_request import ChatRequest
from serve.dialects.messages_answer import MessagesTranslator
from serve.dialects.messages_schema import CountBody, MessagesBody, parse
from serve.strict_json import load_object


@dataclass(frozen=True)
class MessagesDialect:
    """Reads messages requests for the models of `chat`."""

    chat: ChatDialect
    path: str = "/v1/messages"

    @property
    def upstream(self) -> str:
        """See `serve.dialects.base.Dialect`."""
        return self.chat.upstream

    def read(self, body: bytes, scope: Scope) -> MessagesRequest:
        """See `serve.dialects.base.Dialect`."""
        return self.chat.checked(MessagesRequest(parse(load_object(body)), self.chat))

    def read_counted(self, body: bytes) -> MessagesRequest:
        """Parse and check the body of a request whose tokens are to be counted: nothing is to be written.

        Raises:
            RequestError: what the caller must change.
        """
        return self.chat.checked(MessagesRequest(parse(load_object(body), CountBody), self.chat))


class MessagesRequest(ChatRequest):
    """One messages request, as a chat."""

    form_param = "output_config.format"

    def __init__(self, body: MessagesBody, dialect: ChatDialect) -> None:
        # Which effort that is takes a look at the template, so only where it counts.
        chat = body.as_chat(dialect.text.unthinking if body.unthinking else "")
        super().__init__(chat.body, dialect, chat.names)

    def translator(self) -> MessagesTranslator:
        """See `serve.dialects.base.Request`."""
        # A stream tells the prompt's length before the model server does.
        return MessagesTranslator(self.own_tokens if self.stream else 0)
