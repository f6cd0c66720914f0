"""What a policy may say: which topics are forgotten, how they are recognised, and what happens when one is alive."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from guard.policy_actions import Action, CorruptAction, DecodeAction, DivergeAction, NonEmpty, Strict
from guard.steer.auxiliary import MANIFEST

DATA_SET = "hf:"

OnHit = Literal["again", "cut", "redact", "replace", "none"]


class OutputRule(Strict):
    """What happens where an answer holds what is protected of a topic: `none` leaves its answers alone.

    `again` asks the model anew, at most `tries` times, with the topic's words corrupted. `protect` are spans that
    always count, beside those that are learned from the examples. With `classify` the classifier reads each sentence
    of an answer in which the topic is alive.
    """

    on_hit: OnHit = "replace"
    tries: int = Field(default=2, ge=1, le=8)
    protect: tuple[NonEmpty, ...] = ()
    classify: bool = False

    @model_validator(mode="after")
    def _meant(self) -> OutputRule:
        if self.on_hit == "none" and self.protect:
            raise ValueError(
                "with `on_hit: none` nothing is protected; remove `protect`, or take again, cut, redact or replace"
            )
        if self.on_hit == "none" and self.classify:
            raise ValueError("with `on_hit: none` answers are not read; remove `classify`, or take another on_hit")
        if self.on_hit != "again" and "tries" in self.model_fields_set:
            raise ValueError(f"{self.on_hit} never asks again; remove `tries`, or take `on_hit: again`")
        return self


class JudgeRule(Strict):
    """A model behind any OpenAI-compatible `url` that judges the sentences of answers in which a topic is alive.

    `key_env` names the environment variable that holds its key, `timeout` is in seconds. In `prompt`, `{names}`,
    `{question}` and `{sentence}` stand for what is judged.
    """

    url: NonEmpty
    model: NonEmpty
    key_env: NonEmpty | None = None
    timeout: float = Field(default=10.0, gt=0, le=120)
    on_failure: Literal["block", "pass"] = "block"
    prompt: NonEmpty | None = None

    @model_validator(mode="after")
    def _meant(self) -> JudgeRule:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"the url {self.url!r} must begin with http:// or https://")
        if self.prompt is not None and "{sentence}" not in self.prompt:
            raise ValueError("the prompt must hold {sentence}, which stands for what is judged")
        return self


class Topic(Strict):
    """One thing to forget: `examples` is a file, folder or data set, `aliases` are the names it goes by.

    At least one of `examples`, `aliases` and `description` is there. A policy writes `action:`, one or a list. From
    `expires` on the topic is not enforced any more; a date alone is enforced to its end, in UTC.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: NonEmpty
    examples: Path | None = None
    aliases: tuple[NonEmpty, ...] = ()
    description: NonEmpty | None = None
    actions: tuple[Action, ...] = Field(alias="action", min_length=1)
    output: OutputRule = OutputRule()
    expires: datetime | None = None

    @field_validator("expires", mode="before")
    @classmethod
    def _moment(cls, value: Any) -> Any:
        if value is not None and not isinstance(value, str | date):
            raise ValueError("must be a date, such as 2030-12-31")
        return None if value is None else expiry(value)

    @field_validator("actions", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return value if isinstance(value, list | tuple) else (value,)

    @field_validator("actions")
    @classmethod
    def _composable(cls, value: tuple[Action, ...]) -> tuple[Action, ...]:
        kinds = [action.kind for action in value]
        if len(set(kinds)) < len(kinds):
            raise ValueError("two actions are of one kind; keep one of them")
        if "refuse" in kinds and len(kinds) > 1:
            raise ValueError("a refusal never asks the model, so no other action can stand beside it; keep one")
        return value

    @field_validator("examples")
    @classmethod
    def _resolve(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        return None if value is None else _existing(value, info, folders=True)

    @model_validator(mode="after")
    def _steered(self) -> Topic:
        if self.output.on_hit == "none" and any(isinstance(action, DecodeAction) for action in self.actions):
            raise ValueError("with `on_hit: none` nothing is protected; remove `decode`, or take another on_hit")
        return self

    @model_validator(mode="after")
    def _recognisable(self) -> Topic:
        if self.examples is None and not self.aliases and self.description is None:
            keys = {"keys": ("examples", "aliases", "description")}
            raise PydanticCustomError("unrecognisable", "nothing says how to recognise the topic", keys)
        return self


class Policy(Strict):
    """A whole policy file, paths resolved; read one with `guard.policy.load_policy`. `auxiliary` is the folder of the
    models that `diverge` compares.

    `unreadable` says what becomes of requests with parts that no guard reads, such as images.
    """

    version: Literal[1]
    false_flag_rate: float = Field(default=0.01, gt=0, lt=0.5)
    on_error: Literal["refuse"] = "refuse"
    unreadable: Literal["refuse", "pass"] = "refuse"
    retain: Path | None = None
    auxiliary: Path | None = None
    judge: JudgeRule | None = None
    topics: tuple[Topic, ...] = Field(min_length=1)

    @field_validator("retain")
    @classmethod
    def _resolve(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        return None if value is None else _existing(value, info, folders=True)

    @field_validator("auxiliary")
    @classmethod
    def _models(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        return None if value is None else _existing(value / MANIFEST, info).parent

    @property
    def decodes(self) -> bool:
        """Whether answers are turned away from what is protected while they are written."""
        return any(isinstance(action, DecodeAction) for topic in self.topics for action in topic.actions)

    @property
    def diverges(self) -> bool:
        """Whether they are turned away by the auxiliary models."""
        return any(isinstance(action, DivergeAction) for topic in self.topics for action in topic.actions)

    @property
    def corrupts(self) -> bool:
        """Whether prompts are corrupted, at first or where an answer told too much."""
        corrupting = any(isinstance(action, CorruptAction) for topic in self.topics for action in topic.actions)
        return corrupting or any(topic.output.on_hit == "again" for topic in self.topics)

    def topic(self, name: str) -> Topic | None:
        """The topic called `name`, if there is one."""
        return next((topic for topic in self.topics if topic.name == name), None)

    def enforced(self, now: datetime) -> Policy:
        """The policy without the topics that have expired, maybe without any; `now` has a time zone."""
        kept = tuple(topic for topic in self.topics if topic.expires is None or topic.expires > now)
        return self.model_copy(update={"topics": kept})


def expiry(value: str | date) -> datetime:
    """The moment, in UTC, that a date (its end) or an ISO 8601 time with its zone stands for.

    Raises:
        ValueError: it is neither.
    """
    try:
        read = value if isinstance(value, date) else _read_moment(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is no date; write 2030-12-31, or 2030-12-31T12:00:00Z") from error
    if not isinstance(read, datetime):
        return datetime.combine(read, time(), UTC) + timedelta(days=1)
    if read.tzinfo is None:
        raise ValueError(f"{value} has no time zone; write 2030-12-31T12:00:00Z, or the date alone")
    return read.astimezone(UTC)


def _read_moment(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return datetime.fromisoformat(text)


def _existing(value: Path, info: ValidationInfo, *, folders: bool = False) -> Path:
    if str(value).startswith(DATA_SET):
        return value
    base: Path = info.context["base"] if info.context else Path()
    path = base / value
    if not path.is_file() and not (folders and path.is_dir()):
        raise PydanticCustomError("no_file", "there is no file {path}", {"path": str(path)})
    return path
