"""What an arms file may say: which arms stand behind the model's name, and how callers are divided among them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Name = Annotated[str, StringConstraints(pattern=r"^\w[\w.-]*$")]
NonEmpty = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class _Arm(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    # Shares are of the sum of all; an arm of weight 0 gets no caller (it may be the shadow).
    weight: float = Field(ge=0, le=1e6)


class GuardArm(_Arm):
    """The model behind the guard; `policy` None is the server's."""

    kind: Literal["guard"]
    policy: Path | None = None


class _Unguarded(_Arm):
    # Written out, so that nobody takes the guard from a share of callers by mistake.
    unguarded: Literal[True]


class BareArm(_Unguarded):
    """The model itself."""

    kind: Literal["bare"]


class AdapterArm(_Unguarded):
    """A LoRA adapter of the same engine: one of --adapter, or with --upstream a model that the server there serves."""

    kind: Literal["adapter"]
    adapter: NonEmpty


class UpstreamArm(_Unguarded):
    """A whole checkpoint behind another server of vLLM's; `model` None takes its first, `key_env` holds its key."""

    kind: Literal["upstream"]
    url: Annotated[str, StringConstraints(pattern=r"^https?://")]
    model: NonEmpty | None = None
    key_env: NonEmpty | None = None


Arm = Annotated[GuardArm | BareArm | AdapterArm | UpstreamArm, Field(discriminator="kind")]


class Experiment(BaseModel):
    """A whole arms file, paths resolved; read one with `serve.arms.load.load_arms`.

    `experiment` names it: another name divides the callers anew. The `shadow` arm is also asked what others answer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1]
    experiment: Name
    arms: tuple[Arm, ...] = Field(min_length=2)
    shadow: str | None = None

    @model_validator(mode="after")
    def _meant(self) -> Experiment:
        names = [arm.name for arm in self.arms]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"two arms are called {twice!r}; give one of them another name")
        if self.shadow is not None and self.shadow not in names:
            raise ValueError(f"the shadow {self.shadow!r} is none of the arms, {', '.join(names)}")
        if not any(isinstance(arm, GuardArm) and arm.weight for arm in self.arms):
            raise ValueError("no arm guards anybody; let one be of kind guard, with a weight above 0")
        return self

    def share(self, *arms: Arm) -> float:
        """The share of callers whom these arms answer, in [0, 1]."""
        return sum(arm.weight for arm in arms) / sum(arm.weight for arm in self.arms)

    @property
    def unguarded(self) -> tuple[Arm, ...]:
        """The arms that answer callers without the guard."""
        return tuple(arm for arm in self.arms if not isinstance(arm, GuardArm) and arm.weight)

    @property
    def adapters(self) -> tuple[str, ...]:
        """What the engine calls the arms that are adapters."""
        return tuple(arm.adapter for arm in self.arms if isinstance(arm, AdapterArm))

    def policies(self, default: Path) -> tuple[Path, ...]:
        """The policies that arms are guarded by, each once."""
        return tuple(dict.fromkeys(arm.policy or default for arm in self.arms if isinstance(arm, GuardArm)))
