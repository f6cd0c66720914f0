"""What a key's role lets its holder do."""

from __future__ import annotations

from typing import Literal

from serve.keys.store import Role

Right = Literal["ask", "measure", "administer"]

_RIGHTS: dict[Role, frozenset[Right]] = {
    "caller": frozenset({"ask"}),
    # Who measures a model needs its likelihoods; who is kept from a topic would read of it in them.
    "evaluator": frozenset({"ask", "measure"}),
    "admin": frozenset({"ask", "administer"}),
}


def may(role: Role, right: Right) -> bool:
    """Whether a role has a right: to `ask` the model, to `measure` likelihoods, or to `administer` topics and read what
    is kept.
    """
    return right in _RIGHTS[role]
