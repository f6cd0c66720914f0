"""What a model reads of JSON that a caller gives it: names, descriptions and values, without what only builds it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

# Of JSON Schema, and of tools: they say nothing, and whoever gives none else has said nothing.
_BUILDING = frozenset((
    "type", "function", "properties", "required", "items", "enum", "const", "description", "title", "default",
    "additionalProperties", "anyOf", "oneOf", "allOf", "not", "$ref", "$defs", "definitions", "$schema", "format",
    "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "pattern", "examples",
    "object", "array", "string", "integer", "number", "boolean", "null", "name", "parameters", "strict",
))  # fmt: skip


# A name in a pattern may have brackets in it, and one in a grammar be in pieces.
_PATTERNS = frozenset(("pattern", "regex", "grammar"))
_PIECED = re.compile(r'"\s+"')
_MARKS = re.compile(r"\{[\d,]*\}|[\[\]()\\?^$\"'*+]")


def words_of(value: Any) -> str:
    """Keys and values, a line each, in their order."""
    return "\n".join(word for word in _words(value) if word and word not in _BUILDING)


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from _words(item)
            if key in _PATTERNS and isinstance(item, str):
                yield _MARKS.sub("", _PIECED.sub("", item))
    elif isinstance(value, list):
        for item in value:
            yield from _words(item)
    elif isinstance(value, str):
        yield value
    elif value is not None and not isinstance(value, bool):
        yield str(value)  # a year may be what is asked for
