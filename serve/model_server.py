"""What answers behind the guard: a model server at the end of a connection, or vLLM's own app in the same process."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from typing import Any

from starlette.types import ASGIApp

from guard.errors import EngineError
from serve.replies import dump


class ModelServer(ABC):
    """Requests of callers go through `app`, those of Lethe itself through the rest."""

    @property
    @abstractmethod
    def app(self) -> ASGIApp:
        """The server as an ASGI app; of a request, path and body count, and nothing else is passed on."""
        ...

    @abstractmethod
    async def whole(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Ask once and read the whole answer, with its status.

        Raises:
            EngineError: there is none.
        """
        ...

    async def json(self, method: str, path: str, payload: Any = None) -> tuple[int, Any]:
        """Ask once and read the whole JSON answer, with its status.

        Raises:
            EngineError: no answer, or none that is JSON.
        """
        status, answer = await self.whole(method, path, dump(payload) if payload is not None else b"")
        try:
            return status, json.loads(answer) if answer else None
        except ValueError as error:
            raise EngineError(f"the model server gave no usable answer to {method} {path}: {error}") from error

    async def healthy(self) -> bool:
        """Whether the server says it can answer."""
        try:
            async with asyncio.timeout(5):
                status, _ = await self.whole("GET", "/health")
        except (EngineError, TimeoutError):
            return False
        return status == 200
