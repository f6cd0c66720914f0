"""POST /v1/completions: a raw prompt, read as what a user says, that the model goes on with in no chat template."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.types import Scope

from guard.types import Conversation, Message
from serve.dialects.chat import ChatDialect, ChatRequest
from serve.dialects.completions_answer import CompletionsTranslator
from serve.dialects.completions_schema import CompletionBody, parse
from serve.strict_json import load_object


@dataclass(frozen=True)
class CompletionsDialect:
    """Reads completion requests for the models of `chat`."""

    chat: ChatDialect
    path: str = "/v1/completions"

    @property
    def upstream(self) -> str:
        """See `serve.dialects.base.Dialect`."""
        return self.path

    def read(self, body: bytes, scope: Scope) -> CompletionRequest:
        """See `serve.dialects.base.Dialect`."""
        return self.chat.checked(CompletionRequest(parse(load_object(body)), self.chat))


class CompletionRequest(ChatRequest):
    """One completion request, as a chat of one raw message."""

    prompt_param = "prompt"

    def __init__(self, body: CompletionBody, dialect: ChatDialect) -> None:
        super().__init__(body.as_chat(), dialect)
        self.conversation = Conversation((Message("user", body.prompt),), raw=True)

    @property
    def params(self) -> tuple[str, ...]:
        """What the caller calls the text of each message."""
        return (self.prompt_param,)

    def clean_body(self) -> bytes:
        """See `serve.dialects.base.Request`."""
        # The model server's own error would speak of the prompt, which looks as if another was sent.
        self.has_room(self.own_tokens)
        return self.changed_body({"prompt": self.conversation.messages[0].text}, self.own_tokens)

    def translator(self) -> CompletionsTranslator:
        """See `serve.dialects.base.Request`."""
        return CompletionsTranslator()
