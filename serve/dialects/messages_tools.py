"""Tools in Anthropic's form: what may be called, and how one is chosen."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import model_validator

from serve.dialects.fields import Off, Strict
from serve.dialects.tools_schema import Label

Json = dict[str, Any]
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


class Tool(Strict):
    """A tool of the caller's own."""

    type: Literal["custom"] | None = None
    name: Label
    description: str | None = None
    input_schema: dict[str, Any]
    strict: bool | None = None
    defer_loading: Off | None = None
    # These ask for nothing that changes an answer.
    cache_control: Any = None
    eager_input_streaming: bool | None = None

    def fields(self) -> Json:
        """The tool as a chat tells it."""
        schema = self.input_schema if "type" in self.input_schema else self.input_schema | {"type": "object"}
        told = {"name": self.name, "description": self.description, "parameters": schema}
        return {"type": "function", "function": told | ({} if self.strict is None else {"strict": self.strict})}


class Choice(Strict):
    """How tools are chosen."""

    type: Literal["auto", "any", "tool", "none"]
    name: Label | None = None
    disable_parallel_tool_use: bool | None = None

    @model_validator(mode="after")
    def _names_a_tool(self) -> Self:
        if (self.name is None) == (self.type == "tool"):
            raise ValueError("needs a `name` where its type is tool, and only there")
        return self

    def fields(self) -> Json:
        """The choice as fields of a chat."""
        named = {"type": "function", "function": {"name": self.name}}
        parallel = {"parallel_tool_calls": False} if self.disable_parallel_tool_use else {}
        return {"tool_choice": _CHOICES.get(self.type, named)} | parallel


def chosen(tools: list[Tool] | None, choice: Choice | None) -> Json:
    """Tools and choice as fields of a chat, in which a choice stands only beside tools.

    Raises:
        ValueError: the choice is not among the tools.
    """
    if not tools:
        if choice is not None and choice.type in ("any", "tool"):
            raise ValueError("`tool_choice` needs `tools`")
        return {}
    if choice is not None and choice.name is not None and choice.name not in {tool.name for tool in tools}:
        raise ValueError("`tool_choice` names none of the `tools`")
    return {"tools": [tool.fields() for tool in tools]} | (choice.fields() if choice is not None else {})
