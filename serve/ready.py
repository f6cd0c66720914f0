"""Whether the server would answer a request now."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any, Protocol

from guard.conversation import single
from guard.errors import AuditError, DetectorError
from guard.types import Conversation
from serve.audit.log import AuditLog
from serve.model_server import ModelServer

_PROBE = single("What is the capital of France?")
# It costs a detection, and whoever reaches the port may ask.
_HOLDS_S = 5.0
_TIMEOUT_S = 5.0
_log = logging.getLogger(__name__)


class Detecting(Protocol):
    """Whatever can be asked to detect, as a `guard.types.Detector`."""

    def detect(self, conversation: Conversation) -> Any:
        """See `guard.types.Detector`."""
        ...


class Readiness:
    """Asks the model server for its health, the detectors about a prompt, and the audit log for what is owed."""

    def __init__(self, upstream: ModelServer, detectors: Sequence[Detecting], audit: AuditLog) -> None:
        self._upstream = upstream
        self._detectors = detectors
        self._audit = audit
        self._lock = asyncio.Lock()
        self._until = 0.0
        self._ready = False

    async def __call__(self) -> bool:
        """What was found, a few seconds ago at most."""
        async with self._lock:
            if time.monotonic() >= self._until:
                fault = await self._fault()
                if fault is not None and (self._ready or not self._until):
                    _log.error("not ready: %s", fault)
                self._ready = fault is None
                self._until = time.monotonic() + _HOLDS_S
            return self._ready

    async def _fault(self) -> str | None:
        try:
            self._audit.settle()
            async with asyncio.timeout(_TIMEOUT_S):
                for detector in self._detectors:
                    await asyncio.to_thread(detector.detect, _PROBE)
        except AuditError as error:
            return str(error)
        except (DetectorError, TimeoutError) as error:
            return f"the detector failed: {type(error).__name__}"
        return None if await self._upstream.healthy() else "the model server does not answer"
