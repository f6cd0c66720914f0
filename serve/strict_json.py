"""JSON as callers must send it: UTF-8, no key twice, no NaN, nothing that two parsers could read differently."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from guard.errors import RequestError


def _refuse(message: str) -> RequestError:
    return RequestError(400, message, code="invalid_json")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = dict(pairs)
    if len(keys) != len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise _refuse(f"the key {twice!r} stands twice in one JSON object")
    return keys


def _constant(name: str) -> Any:
    raise _refuse(f"{name} is not JSON")


def load_object(body: bytes) -> dict[str, Any]:
    """Parse a request body.

    Raises:
        RequestError: 400; the body is not one well-formed JSON object.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refuse("the body is not UTF-8") from error
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        raise _refuse("the body is not valid JSON") from error
    if not isinstance(value, dict):
        raise _refuse("the body must be a JSON object")
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise _refuse("the body holds half of a surrogate pair") from error
    return value
