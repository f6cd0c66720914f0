"""Tools in the form of Responses: what may be called, and how one is chosen."""

from __future__ import annotations

from typing import Any, Literal

from serve.dialects.fields import Off, Strict
from serve.dialects.tools_schema import Label

Json = dict[str, Any]
# What vLLM tells of every tool.
_TOLD = ("name", "parameters", "strict", "type")
_NEVER = ("allowed_callers", "async", "defer_loading")


class Tool(Strict):
    """A function of the caller's own."""

    type: Literal["function"]
    name: Label
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    defer_loading: Off | None = None
    allowed_callers: None = None
    output_schema: None = None

    def fields(self) -> Json:
        """The tool as a chat tells it."""
        told = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return {"type": "function", "function": told | ({} if self.strict is None else {"strict": self.strict})}

    def told(self) -> Json:
        """The tool as a response tells it again."""
        told = {name: getattr(self, name) for name in _TOLD} | dict.fromkeys(_NEVER)
        return told | {"description": self.description, "output_schema": None}


class Choice(Strict):
    """The one function that the model is to call."""

    name: Label
    type: Literal["function"]

    def fields(self) -> Json:
        """The choice as a chat tells it."""
        return {"type": "function", "function": {"name": self.name}}
