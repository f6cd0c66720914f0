"""What the endpoint says on its own account: JSON replies and errors in OpenAI's shape."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.types import Send

from guard.errors import RequestError

_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


class WrongMethod(RequestError):
    """405: a path takes other methods."""

    def __init__(self, path: str, *takes: str) -> None:
        super().__init__(405, f"{path} takes {' and '.join(takes)}", code="method_not_allowed")
        self.allow = {"allow": ", ".join(takes)}


def error_body(error: RequestError) -> dict[str, Any]:
    """Return the OpenAI form of an error."""
    fallback = "invalid_request_error" if error.status < 500 else "server_error"
    kind = _TYPES.get(error.status, fallback)
    return {"error": {"message": error.message, "type": kind, "param": error.param, "code": error.code}}


def dump(value: Any) -> bytes:
    """Serialise as vLLM does: no blanks, no escapes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


async def send_body(
    send: Send, status: int, body: bytes, content_type: str = "application/json", more: Mapping[str, str] | None = None
) -> None:
    """Send a whole reply, with `more` headers."""
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    headers += [(name.encode(), value.encode()) for name, value in (more or {}).items()]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def send_error(send: Send, error: RequestError, more: Mapping[str, str] | None = None) -> None:
    """Send an error in OpenAI's shape, with `more` headers."""
    await send_body(send, error.status, dump(error_body(error)), more=more)


async def send_stream(send: Send, events: Iterable[bytes]) -> None:
    """Send server-sent events, one message each."""
    headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for event in events:
        await send({"type": "http.response.body", "body": event, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
