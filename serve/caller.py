"""Who asks: what tells callers apart, and what stands for them in what is kept."""

from __future__ import annotations

from typing import NamedTuple

from starlette.types import Scope

from guard.errors import RequestError
from guard.secret import digest
from serve.keys.store import NOTHING, Grant, Role

_ID_BYTES = 8
_KEY = "lethe.caller"


class Caller(NamedTuple):
    """Who gave a key that was checked: the key's id and role, and what its holder gets."""

    id: str
    role: Role
    grant: Grant = NOTHING


def with_caller(scope: Scope, caller: Caller) -> Scope:
    """The same request, whose key was checked."""
    return {**scope, _KEY: caller}


def caller_of(scope: Scope) -> Caller | None:
    """Who gave a key that was checked; None where keys are not asked for."""
    found: Caller | None = scope.get(_KEY)
    return found


def bearer(scope: Scope) -> bytes | None:
    """The bearer token of a request.

    Raises:
        RequestError: there are two `Authorization` headers, of which a gateway may have checked the other one.
    """
    given = [value for name, value in scope["headers"] if name.lower() == b"authorization"]
    if len(given) > 1:
        raise RequestError(400, "send one Authorization header", code="authorization")
    scheme, _, token = (given[0] if given else b"").strip().partition(b" ")
    return token.strip() or None if scheme.lower() == b"bearer" else None


def given_key(scope: Scope) -> bytes | None:
    """The key of a request: its bearer token, or `x-api-key`, in which Anthropic's clients send theirs.

    Raises:
        RequestError: there are two of them, of which a gateway may have checked the other one.
    """
    keys = [value.strip() for name, value in scope["headers"] if name.lower() == b"x-api-key"]
    token = bearer(scope)
    every = {key for key in (*keys, token) if key}
    if len(every) > 1:
        raise RequestError(400, "send one key, as a bearer token or in x-api-key", code="authorization")
    return every.pop() if every else None


def caller_key(scope: Scope) -> bytes:
    """What tells callers apart: a checked key, else the bearer token, else the client's address.

    Raises:
        RequestError: there are two `Authorization` headers.
    """
    if (caller := caller_of(scope)) is not None:
        return b"key:" + caller.id.encode()
    if (token := bearer(scope)) is not None:
        return b"token:" + token
    host = scope["client"][0] if scope.get("client") else ""
    return b"address:" + host.encode()


def caller_id(secret: bytes, key: bytes) -> str:
    """What stands for a caller in the outcomes: 16 hexadecimal digits that nobody can undo without the secret."""
    return digest(secret, b"caller", key)[:_ID_BYTES].hex()


def known_as(secret: bytes, scope: Scope) -> str:
    """What a caller is called in what is kept: the id of a checked key, else what stands for token or address.

    Raises:
        RequestError: there are two `Authorization` headers.
    """
    caller = caller_of(scope)
    return caller.id if caller is not None else caller_id(secret, caller_key(scope))
