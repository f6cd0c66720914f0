"""Errors in the form of whatever dialect a path speaks, also those that are made before the guard reads a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from starlette.types import Scope, Send

from guard.errors import RequestError
from serve.dialects.messages_answer import error_told
from serve.dialects.responses_form import error_event
from serve.replies import WrongMethod, dump, error_body, send_body
from serve.sse import encode


class ErrorForm(NamedTuple):
    """Writes a reply's `body`, or the `event` that ends a stream in which so many events have come before."""

    body: Callable[[RequestError], bytes]
    event: Callable[[RequestError, int], bytes]


def _openai(error: RequestError) -> bytes:
    return dump(error_body(error))


def _anthropic(error: RequestError) -> bytes:
    return error_told(error.status, error.message)


_OPENAI = ErrorForm(_openai, lambda error, _: encode(_openai(error).decode()))
_FORMS = {
    "/v1/messages": ErrorForm(_anthropic, lambda error, _: encode(_anthropic(error).decode(), "error")),
    "/v1/responses": ErrorForm(_openai, lambda error, number: error_event(error.code, error.message, number)),
}


def error_form(scope: Scope) -> ErrorForm:
    """The form of errors at a request's path, and at those below it."""
    path: str = scope["path"]
    return next((form for base, form in _FORMS.items() if path == base or path.startswith(f"{base}/")), _OPENAI)


async def refuse(scope: Scope, send: Send, error: RequestError, more: Mapping[str, str] | None = None) -> None:
    """Answer a request with an error, with `more` headers."""
    allow = error.allow if isinstance(error, WrongMethod) else {}
    await send_body(send, error.status, error_form(scope).body(error), more={**allow, **(more or {})})
