"""What a policy may do with a prompt and its answer, by kind."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

NonEmpty = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Strict(BaseModel):
    """Part of a policy: it may say nothing else."""

    model_config = ConfigDict(extra="forbid", frozen=True)


CorruptFunction = Literal["gaussian", "set_noise", "add", "subtract", "zero", "sign_flip", "reverse", "shuffle"]
MEASURED = ("gaussian", "set_noise", "add", "subtract")


class CorruptAction(Strict):
    """Ask the model with a corrupted prompt, as `guard.act.distort` does.

    `strength` is in units of the embedding table's root mean square; only the functions that add or set something have
    one. `dimensions` are how many of a row are changed (all, if left out), and `pick` says which.
    """

    kind: Literal["corrupt"]
    function: CorruptFunction = "gaussian"
    strength: float = Field(default=1.0, gt=0, le=100)
    dimensions: int | None = Field(default=None, ge=1)
    pick: Literal["first", "random", "top"] = "first"

    @model_validator(mode="after")
    def _meant(self) -> CorruptAction:
        if "strength" in self.model_fields_set and self.function not in MEASURED:
            raise ValueError(f"{self.function} has no strength; leave it out, or take {', '.join(MEASURED)}")
        if "pick" in self.model_fields_set and self.dimensions is None:
            raise ValueError("pick needs dimensions, the number of those to pick")
        return self


class RefuseAction(Strict):
    """Answer with a refusal that does not repeat the topic: a fixed one, or one that the model words without seeing
    the question.
    """

    kind: Literal["refuse"]
    words: Literal["fixed", "own"] = "fixed"


class PrefixAction(Strict):
    """Tell the model not to know the topic; `{names}` in `text` stands for the aliases, or for the topic's name."""

    kind: Literal["prefix"]
    text: NonEmpty | None = None


class IculAction(Strict):
    """Show the model `forget` of the topic's examples with wrong answers (or refusals), then `retain` of the retained
    ones with their own answers, as `guard.act.icul` does.
    """

    kind: Literal["icul"]
    forget: int = Field(default=4, ge=1, le=32)
    retain: int = Field(default=4, ge=0, le=32)
    answers: Literal["wrong", "refusals"] = "wrong"

    @property
    def needs_retained(self) -> bool:
        """Whether it shows something of the policy's `retain` file; wrong answers are drawn from there too."""
        return self.retain > 0 or self.answers == "wrong"


class DecodeAction(Strict):
    """Turn answers away, token by token, from what is protected of the topic, as `guard.steer` does.

    `strength` is what a whole span is made less likely by, in nats.
    """

    kind: Literal["decode"]
    strength: float = Field(default=1.0, gt=0, le=50)


class DivergeAction(Strict):
    """Turn answers away from what a small model that learned the topic would rather say than one that did not, as
    `guard.steer.divergence` does: by `alpha` times the difference, or without the `top` tokens of greatest difference.
    """

    kind: Literal["diverge"]
    form: Literal["linear", "rank"] = "linear"
    alpha: float = Field(default=1.0, gt=0, le=50)
    top: int = Field(default=20, ge=1, le=10_000)

    @model_validator(mode="after")
    def _meant(self) -> DivergeAction:
        idle = "top" if self.form == "linear" else "alpha"
        if idle in self.model_fields_set:
            raise ValueError(f"the {self.form} form has no {idle}; leave it out, or take the other form")
        return self


Action = Annotated[
    CorruptAction | DecodeAction | DivergeAction | IculAction | PrefixAction | RefuseAction, Field(discriminator="kind")
]
