"""Limits of each key, so that no caller takes the whole server: requests answered at once, and taken in a minute."""

from __future__ import annotations

import math
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Receive, Scope, Send

from guard.errors import RequestError
from serve.caller import caller_of
from serve.dialects.errors import refuse
from serve.keys.store import Grant

_MINUTE_S = 60.0
_AGAIN_S = 1
_BUSY = RequestError(429, "too many requests with this key; try again later", code="too_many_requests")


@dataclass
class _Use:
    """What a key has in hand, and when its requests of the last minute were taken, in seconds."""

    running: int = 0
    taken: deque[float] = field(default_factory=deque)

    def wait(self, grant: Grant, now: float) -> int:
        """After how many whole seconds one more may be taken; 0 where it may be now."""
        while self.taken and self.taken[0] <= now - _MINUTE_S:
            self.taken.popleft()
        if grant.per_minute is not None and len(self.taken) >= grant.per_minute:
            return math.ceil(self.taken[-grant.per_minute] + _MINUTE_S - now)
        return _AGAIN_S if grant.max_concurrent is not None and self.running >= grant.max_concurrent else 0


class LimitedKeys:
    """`app`, for as many requests of each key as it may make; one that is too many is not read."""

    def __init__(self, app: ASGIApp, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._timer = timer
        self._uses: defaultdict[str, _Use] = defaultdict(_Use)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        caller = caller_of(scope)
        if caller is None:
            await self._app(scope, receive, send)
            return
        use, now = self._uses[caller.id], self._timer()
        if wait := use.wait(caller.grant, now):
            await refuse(scope, send, _BUSY, {"retry-after": str(wait)})
            return
        use.running += 1
        if caller.grant.per_minute is not None:
            use.taken.append(now)
        try:
            await self._app(scope, receive, send)
        finally:
            use.running -= 1
