"""Which arm a caller gets: always the same one, and nothing that the caller says about it counts."""

from __future__ import annotations

import math

from starlette.types import Scope

from guard.errors import RequestError
from guard.secret import digest
from serve.arms.schema import Arm, Experiment

_ID_BYTES = 8


def caller_key(scope: Scope) -> bytes:
    """What tells callers apart: the bearer token of a request, or the client's address where there is none.

    Raises:
        RequestError: there are two `Authorization` headers, of which a gateway may have checked the other one.
    """
    given = [value for name, value in scope["headers"] if name.lower() == b"authorization"]
    if len(given) > 1:
        raise RequestError(400, "send one Authorization header", code="authorization")
    scheme, _, token = (given[0] if given else b"").strip().partition(b" ")
    if scheme.lower() == b"bearer" and token.strip():
        return b"token:" + token.strip()
    host = scope["client"][0] if scope.get("client") else ""
    return b"address:" + host.encode()


def caller_id(secret: bytes, key: bytes) -> str:
    """What stands for a caller in the outcomes: 16 hexadecimal digits that nobody can undo without the secret."""
    return digest(secret, b"caller", key)[:_ID_BYTES].hex()


def assign(experiment: Experiment, secret: bytes, key: bytes) -> Arm:
    """The arm of one caller: each with the probability of its share, over the callers.

    Every arm draws its own time from an exponential law whose rate is its weight, and the first one wins (weighted
    rendezvous hashing: Schindelhauer and Schomaker 2005, "Weighted Distributed Hash Tables", the logarithmic method).
    So an arm that gains weight only takes callers, one that loses only gives them up, and their order is of no account.
    """

    def time(arm: Arm) -> float:
        return -math.log(_uniform(digest(secret, b"arm", experiment.experiment.encode(), arm.name.encode(), key)))

    return min((arm for arm in experiment.arms if arm.weight), key=lambda arm: time(arm) / arm.weight)


def _uniform(drawn: bytes) -> float:
    """In (0, 1), never at its ends."""
    return ((int.from_bytes(drawn[:8]) >> 12) + 0.5) / 2**52
