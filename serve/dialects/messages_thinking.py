"""How much a model thinks before its answer to an Anthropic messages request, and what that answer is held to."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from serve.dialects.fields import MOST, Strict

Json = dict[str, Any]


class _Shown(Strict):
    # As by vLLM: thoughts are always told, since chats go on with them.
    display: Literal["summarized", "omitted", "updates"] | None = None


class Disabled(Strict):
    """Asks the model not to think."""

    type: Literal["disabled"]


class Adaptive(_Shown):
    """Lets the model think as much as it likes."""

    type: Literal["adaptive"]


class Enabled(_Shown):
    """Lets it think for so many tokens."""

    type: Literal["enabled"]
    budget_tokens: Annotated[int, Field(ge=1024, le=MOST)]


Thinking = Annotated[Disabled | Adaptive | Enabled, Field(discriminator="type")]


class Form(Strict):
    """JSON of a schema."""

    type: Literal["json_schema"]
    given: Annotated[Json, Field(alias="schema")]


class OutputConfig(Strict):
    """What the answer is to be like."""

    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: Form | None = None


def chat_fields(thinking: Disabled | Adaptive | Enabled | None, output: OutputConfig | None, unthinking: str) -> Json:
    """The fields of a chat that vLLM makes of both; `unthinking` is the effort with which the model does not think."""
    fields: Json = {}
    if output is not None and output.effort is not None:
        fields["reasoning_effort"] = output.effort
    if output is not None and output.format is not None:
        form = {"name": output.format.type, "schema": output.format.given}
        fields["response_format"] = {"type": output.format.type, "json_schema": form}
    if isinstance(thinking, Disabled):
        fields["reasoning_effort"] = unthinking
    if isinstance(thinking, Enabled):
        fields["thinking_token_budget"] = thinking.budget_tokens
    return fields
