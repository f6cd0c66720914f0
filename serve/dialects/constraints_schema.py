"""What an answer is held to: `response_format`, and vLLM's `structured_outputs`."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from serve.dialects.fields import On, Strict

_Texts = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]


def _schema(value: Any) -> Any:
    """A JSON schema, of which vLLM takes the text as well."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ValueError("is not valid JSON") from error


class _Schema(Strict):
    name: str
    description: str | None = None
    given: Annotated[dict[str, Any] | None, Field(alias="schema")] = None
    strict: bool | None = None


class Format(Strict):
    """OpenAI's way to ask for JSON."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: _Schema | None = None


class Structure(Strict):
    """vLLM's way to hold an answer to a form."""

    given: Annotated[dict[str, Any] | None, BeforeValidator(_schema), Field(alias="json")] = None
    regex: str | None = None
    choice: _Texts | None = None
    grammar: str | None = None
    json_object: On | None = None
    whitespace_pattern: str | None = None
    disable_any_whitespace: bool | None = None
    disable_additional_properties: bool | None = None


def written(form: BaseModel) -> dict[str, Any]:
    """The fields that were given, under their own names."""
    return form.model_dump(by_alias=True, exclude_unset=True)


def _complete(form: Format) -> Format:
    if form.type == "json_schema" and (form.json_schema is None or form.json_schema.given is None):
        raise ValueError("of type json_schema needs a `json_schema` with a `schema`")
    return form


def _one(form: Structure) -> Structure:
    if sum(kind is not None for kind in (form.given, form.regex, form.choice, form.grammar, form.json_object)) != 1:
        raise ValueError("takes one of `json`, `regex`, `choice`, `grammar` and `json_object`")
    return form


ResponseFormat = Annotated[Format, AfterValidator(_complete)]
StructuredOutputs = Annotated[Structure, AfterValidator(_one)]
