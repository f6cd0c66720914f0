"""What the role of a caller's key opens."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.types import Scope

from guard.errors import RequestError
from serve.caller import caller_of
from serve.keys.roles import may


def check_fields(scope: Scope, reserved: Sequence[str]) -> None:
    """Let pass a request with fields that are not for everybody.

    Raises:
        RequestError: 403; the key's role does not open the first of `reserved`, or no key was checked.
    """
    caller = caller_of(scope)
    if reserved and (caller is None or not may(caller.role, "measure")):
        told = f"`{reserved[0]}` needs a key of role evaluator"
        raise RequestError(403, told, code="role_required", param=reserved[0])
