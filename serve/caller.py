"""Who asks: what tells callers apart, and what stands for them in what is kept."""

from __future__ import annotations

from starlette.types import Scope

from guard.errors import RequestError
from guard.secret import digest

_ID_BYTES = 8


def caller_key(scope: Scope) -> bytes:
    """What tells callers apart: the bearer token of a request, or the client's address where there is none.

    Raises:
        RequestError: there are two `Authorization` headers, of which a gateway may have checked the other one.
    """
    given = [value for name, value in scope["headers"] if name.lower() == b"authorization"]
    if len(given) > 1:
        raise RequestError(400, "send one Authorization header", code="authorization")
    scheme, _, token = (given[0] if given else b"").strip().partition(b" ")
    if scheme.lower() == b"bearer" and token.strip():
        return b"token:" + token.strip()
    host = scope["client"][0] if scope.get("client") else ""
    return b"address:" + host.encode()


def caller_id(secret: bytes, key: bytes) -> str:
    """What stands for a caller in the outcomes: 16 hexadecimal digits that nobody can undo without the secret."""
    return digest(secret, b"caller", key)[:_ID_BYTES].hex()
