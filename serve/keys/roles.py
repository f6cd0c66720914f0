"""What a key's role lets its holder do."""

from __future__ import annotations

from typing import Literal

from serve.keys.store import Role

Right = Literal["ask", "administer"]

_RIGHTS: dict[Role, frozenset[Right]] = {
    "caller": frozenset({"ask"}),
    # Told apart from callers in the records alone.
    "evaluator": frozenset({"ask"}),
    "admin": frozenset({"ask", "administer"}),
}


def may(role: Role, right: Right) -> bool:
    """Whether a role has a right: to `ask` the model, or to `administer` topics and read what is kept."""
    return right in _RIGHTS[role]
