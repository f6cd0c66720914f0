"""What the bodies of admin requests say."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from guard.policy import expiry
from guard.policy_actions import NonEmpty


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Moment = Annotated[datetime, BeforeValidator(lambda value: expiry(value) if isinstance(value, str) else value)]


class ExampleIn(_Strict):
    """A question, with its answer where it has one, or a text."""

    question: NonEmpty | None = None
    answer: str | None = None
    text: NonEmpty | None = None

    @model_validator(mode="after")
    def _meant(self) -> ExampleIn:
        if (self.question is None) == (self.text is None):
            raise ValueError("give a question, or a text")
        return self


class TopicIn(_Strict):
    """A topic to add, as a policy writes one; `examples` are the records themselves. What they do not say is checked
    as a policy's keys are.
    """

    name: NonEmpty
    examples: list[ExampleIn] = []
    aliases: Any = ()
    description: Any = None
    action: Any = None
    output: Any = None
    expires: Any = None

    def written(self) -> dict[str, Any]:
        """The topic as a policy's keys, without its examples."""
        return self.model_dump(mode="json", exclude={"examples"}, exclude_unset=True)


class ExpiryIn(_Strict):
    """Until when a topic is enforced; null is without an end."""

    expires: Moment | None


class RollbackIn(_Strict):
    """Which version to put in force again."""

    version: int = Field(ge=1, strict=True)


class LabelIn(_Strict):
    """Whether a flagged request is about the topic."""

    label: Literal["yes", "no"]
