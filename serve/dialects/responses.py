"""POST /v1/responses, OpenAI's: read as the chat that vLLM makes of it, and answered by translation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.types import Scope

from serve.dialects.chat import ChatDialect
from serve.dialects.chat_request import ChatRequest
from serve.dialects.chat_turns import upstream_turns
from serve.dialects.responses_answer import ResponsesTranslator
from serve.dialects.responses_schema import ResponsesBody, parse
from serve.responses.store import Kept, ResponseStore, Shelf
from serve.strict_json import load_object

RESPONSES = "/v1/responses"


@dataclass(frozen=True)
class ResponsesDialect:
    """Reads Responses requests for the models of `chat`; what goes on after an earlier one finds it in `store`.

    What is kept there was guarded under this `version` of the policy.
    """

    chat: ChatDialect
    store: ResponseStore
    version: str | None = None
    path: str = RESPONSES

    @property
    def upstream(self) -> str:
        """See `serve.dialects.base.Dialect`."""
        return self.chat.upstream

    def read(self, body: bytes, scope: Scope) -> ResponsesRequest:
        """See `serve.dialects.base.Dialect`.

        Raises:
            RequestError: 404; the earlier response is not kept for this caller.
        """
        asked, shelf = parse(load_object(body)), self.store.of(scope)
        return self.chat.checked(ResponsesRequest(asked, self.chat, shelf, self.version))


class ResponsesRequest(ChatRequest):
    """One Responses request, as the chat of all turns up to it; its answer is kept on `shelf`."""

    prompt_param = "input"
    form_param = "text.format"
    limit_param = "max_output_tokens"

    def __init__(self, asked: ResponsesBody, dialect: ChatDialect, shelf: Shelf, version: str | None) -> None:
        before = asked.previous_response_id
        earlier = () if before is None else shelf.find(before, "previous_response_id").turns
        chat = asked.as_chat(earlier)
        super().__init__(chat.body, dialect, chat.names)
        self._asked = asked
        self._shelf = shelf
        self._version = version
        # OpenAI's instructions hold for one response, and not for those that go on from it.
        self._turns = upstream_turns(chat.body)[1 if asked.instructions else 0 :]

    def translator(self) -> ResponsesTranslator:
        """See `serve.dialects.base.Request`."""
        return ResponsesTranslator(self._asked, None if self._asked.store is False else self._keep)

    def _keep(self, id: str, response: bytes, said: dict[str, Any] | None) -> None:
        turns = (*self._turns, *([said] if said else []))
        self._shelf.put(id, Kept(response, turns, self._version))
