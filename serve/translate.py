"""The way out of an answer whose caller speaks another dialect than the guard works in."""

from __future__ import annotations

from starlette.types import Send

from serve.changing import Changing
from serve.dialects.base import Translator
from serve.replies import send_body


class Translated(Changing):
    """A `send` that `translator` puts into the caller's dialect: whole answers, streams and errors alike."""

    def __init__(self, translator: Translator, send: Send) -> None:
        super().__init__(send)
        self._translator = translator

    async def _whole(self, status: int, body: bytes) -> None:
        made = self._translator.error(status, body) if status >= 400 else self._translator.whole(body)
        await send_body(self._send, status, made)

    def _event(self, data: str) -> bytes:
        return self._translator.event(data)
