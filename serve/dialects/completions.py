"""POST /v1/completions: a raw prompt, read as what a user says, that the model goes on with in no chat template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.types import Scope

from guard.errors import RequestError
from guard.types import Conversation, Message
from serve.dialects.chat import ChatDialect
from serve.dialects.chat_request import FORMS, NOTHING, ChatRequest
from serve.dialects.chat_turns import Said, constraints
from serve.dialects.completions_answer import CompletionsTranslator
from serve.dialects.completions_schema import CompletionBody, parse
from serve.replies import dump
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
        parsed = parse(load_object(body))
        prompt = parsed.prompt if isinstance(parsed.prompt, str) else self.chat.text.text_of(parsed.prompt)
        if prompt is None:
            told = "`prompt` holds token ids that are not those of their text; send the text"
            raise RequestError(400, told, code="invalid_value", param="prompt")
        return self.chat.checked(CompletionRequest(parsed, prompt, self.chat))


class CompletionRequest(ChatRequest):
    """One completion request, as a chat of one raw message."""

    prompt_param = "prompt"

    def __init__(self, body: CompletionBody, prompt: str, dialect: ChatDialect) -> None:
        super().__init__(body.as_chat(prompt), dialect)
        said = [Said(Message("user", prompt), self.prompt_param), *constraints(body)]
        self.conversation = Conversation(tuple(message for message, _ in said), raw=True)
        self.params = tuple(param for _, param in said)

    @property
    def least(self) -> int:
        """See `ChatRequest`; of a completion vLLM refuses what is more than there is room for."""
        return self.max_tokens or 1

    def clean_body(self) -> bytes:
        """See `serve.dialects.base.Request`."""
        return self.changed_body({"prompt": self.conversation.messages[0].text}, self.own_tokens)

    def trial_body(self) -> bytes | None:
        """See `ChatRequest`."""
        asked = self._given(FORMS)
        return dump({"model": self.model, "max_tokens": 1, "prompt": NOTHING, **asked}) if asked else None

    def scores(self, told: dict[str, Any] | None) -> dict[str, Any] | None:
        """What a completion tells of log-probabilities: it is in the caller's form."""
        return told

    def translator(self) -> CompletionsTranslator:
        """See `serve.dialects.base.Request`."""
        return CompletionsTranslator()
