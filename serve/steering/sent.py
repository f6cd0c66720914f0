"""The engine's fields for a plan whose answer is turned away."""

from __future__ import annotations

from typing import Any

from guard.types import Ask, Corrupt
from serve.dialects.base import Request
from serve.steering.fields import steering


def steered(plan: Ask | Corrupt, request: Request) -> dict[str, Any]:
    """What goes beside the prompt of a completion.

    Raises:
        RequestError: the chat template refuses the order of turns.
    """
    if plan.diverge is None:
        return steering(plan.steer)
    return steering(plan.steer, plan.diverge, request.prompt_ids(plan.diverge.conversation))
