"""Tools in a chat's request: what may be called, what was, and what came of it."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field

from serve.dialects.fields import Strict

# Some templates write them into the prompt, where a name of any other kind could be anything.
Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:/-]{1,128}$")]


def object_of(arguments: str, *, strict: bool = False) -> dict[str, Any] | None:
    """What vLLM reads of arguments; None where they are no JSON object, nor may hold NaN if `strict`."""
    try:
        read = json.loads(arguments)
        json.dumps(read, ensure_ascii=False, allow_nan=not strict).encode()
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


class Function(Strict):
    """What a tool is."""

    name: Label
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(Strict):
    """A tool that the model may call."""

    type: Literal["function"]
    function: Function

    def fields(self) -> dict[str, Any]:
        """The tool as vLLM gives it to a chat template."""
        given = self.function
        told = {"name": given.name, "description": given.description, "parameters": given.parameters}
        return {"type": "function", "function": told | ({} if given.strict is None else {"strict": given.strict})}


class Named(Strict):
    """The name of a function."""

    name: Label


class Choice(Strict):
    """The one tool that the model is to call."""

    type: Literal["function"] = "function"
    function: Named


class Called(Strict):
    """A function, and what it was called with: JSON as text."""

    name: Label
    arguments: str


class Call(Strict):
    """A call of an earlier answer; `index` is what streams number it with, and goes no further."""

    id: Label
    type: Literal["function"] = "function"
    function: Called
    index: int | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """What vLLM reads of the arguments: nothing where they are no JSON object."""
        return object_of(self.function.arguments) or {}

    def fields(self, arguments: Any) -> dict[str, Any]:
        """The call with its arguments in the form that is asked for, in vLLM's order, which some templates write."""
        return {"id": self.id, "function": {"arguments": arguments, "name": self.function.name}, "type": "function"}
