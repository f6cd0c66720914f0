"""How the text of a response is to be written: as it comes, or as JSON, which may be held to a schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from serve.dialects.fields import Strict

Json = dict[str, Any]


class PlainFormat(Strict):
    """Text as it comes."""

    type: Literal["text"]


class ObjectFormat(Strict):
    """Any JSON object."""

    type: Literal["json_object"]


class SchemaFormat(Strict):
    """JSON of one schema; fields stand in the order in which vLLM tells them again."""

    name: str
    given: Annotated[Json, Field(alias="schema")]
    type: Literal["json_schema"]
    description: str | None = None
    strict: bool | None = None


class TextConfig(Strict):
    """What the answer is to be like."""

    format: Annotated[PlainFormat | ObjectFormat | SchemaFormat, Field(discriminator="type")] | None = None
    verbosity: Literal["medium"] | None = None

    def fields(self) -> Json | None:
        """The form as a chat's `response_format` tells it; None where none is asked for."""
        if self.format is None or isinstance(self.format, PlainFormat):
            return None
        if isinstance(self.format, ObjectFormat):
            return {"type": "json_object"}
        schema = self.format.model_dump(by_alias=True, exclude={"type"}, exclude_none=True)
        return {"type": "json_schema", "json_schema": schema}

    def told(self) -> Json:
        """The same as a response tells it again."""
        return self.model_dump(by_alias=True)
