"""Checks the fields of a request body: what is understood, and nothing besides."""

from __future__ import annotations

from collections.abc import Set
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic_core import ErrorDetails

from guard.errors import RequestError


class Strict(BaseModel):
    """A part of a body in which every field is named, and of the very type that is written."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _is(wanted: bool) -> AfterValidator:
    def check(given: bool) -> bool:
        if given is not wanted:
            raise ValueError(f"must be {wanted}".lower())
        return given

    return AfterValidator(check)


# No Literal, which takes 0.0 for false and 1 for true.
Off = Annotated[bool, _is(False), WithJsonSchema({"const": False})]
On = Annotated[bool, _is(True), WithJsonSchema({"const": True})]
MOST = 2**31 - 1  # vLLM's engine fails on numbers that it cannot count to
TopK = Annotated[int, Field(ge=-1, le=MOST)]

Body = TypeVar("Body", bound=Strict)
_TAGS = frozenset(("system", "developer", "user", "assistant", "tool", "string", "items"))
_TAGS |= {"text block", "tool_use block", "tool_result block", "thinking block", "redacted_thinking block"}
_TAGS |= {"reasoning item", "function_call item", "function_call_output item"}


def checked(form: type[Body], fields: dict[str, Any], later: Set[str]) -> Body:
    """`fields` in their form; those named in `later` are known, and may be null only.

    Raises:
        RequestError: 400, naming the field.
    """
    given_later = sorted(name for name in later & fields.keys() if fields[name] is not None)
    if given_later:
        name = given_later[0]
        raise RequestError(400, f"`{name}` is not supported yet", code="unsupported_parameter", param=name)
    given = {name: value for name, value in fields.items() if name not in later}
    try:
        return form.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        # The last part is the caller's own, where it is what is unknown.
        place = first["loc"] if first["type"] != "extra_forbidden" else first["loc"][:-1]
        path = _path(place) + "".join(f".{name}" for name in first["loc"][len(place) :])
        raise _told(first["type"], path.lstrip("."), _plain(first)) from error


def _plain(error: ErrorDetails) -> str:
    """What is wrong, without the words of the library that found it."""
    kind, context = error["type"], error.get("ctx", {})
    tag = str(context.get("discriminator")).replace("'", "`")
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return "must be an object"
    if kind == "none_required":
        return "is not supported but as null"
    if kind == "union_tag_not_found":
        return f"needs {tag}"
    if kind == "union_tag_invalid":
        return f"{tag} must be one of " + str(context["expected_tags"]).replace("'", "")
    if kind == "too_short":
        return f"must have {context['min_length']} or more"
    return error["msg"].removeprefix("Value error, ")


def _path(loc: tuple[int | str, ...]) -> str:
    # A message's role and the kind of a value stand in the path as tags of their form; no field is called so.
    tagged = loc[:1] in (("messages",), ("input",), ("system",))
    named = [part for place, part in enumerate(loc) if not (tagged and place and part in _TAGS)]
    # Nor is the kind of a value that was not met.
    if loc[:1] in (("tool_choice",), ("prompt",), ("thinking",)):
        del named[1:2]
    if loc[:2] == ("text", "format"):
        del named[2:3]
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in named).lstrip(".")


def _told(kind: str, path: str, message: str) -> RequestError:
    if kind == "extra_forbidden":
        return RequestError(400, f"unknown field `{path}`", code="unknown_parameter", param=path)
    if kind == "missing":
        return RequestError(400, f"`{path}` is missing", code="missing_parameter", param=path)
    where = f"`{path}`: " if path else ""
    return RequestError(400, f"{where}{message}", code="invalid_value", param=path or None)
