"""The last thing before a caller: until an answer has left, an error may take its place."""

from __future__ import annotations

from starlette.types import Message, Send

from guard.errors import RequestError
from serve.dialects.errors import ErrorForm
from serve.replies import send_body

# Of an event; there are no line breaks in its data.
_END = b"\n\n"


class Outlet:
    """Sends an answer on: a whole one not before all of it is there, a stream at once.

    Where an error is set `instead`, what has not left yet never does: the error follows, with its status or, in a
    stream, as an event, in this `form`. `begun` says whether anything has left.
    """

    def __init__(self, send: Send, form: ErrorForm) -> None:
        self._send = send
        self._form = form
        self._events = 0
        self._held: list[Message] = []
        self._stream = False
        self._over = False
        self.begun = False
        self.instead: RequestError | None = None

    async def __call__(self, message: Message) -> None:
        """Take one ASGI message of the answer."""
        if self._over:
            return
        if self.instead is not None:
            await self.fail(self.instead)
            return
        if message["type"] == "http.response.start":
            kind: bytes = dict(message["headers"]).get(b"content-type", b"")
            self._stream = kind.startswith(b"text/event-stream")
        self._held.append(message)
        ends = message["type"] == "http.response.body" and not message.get("more_body", False)
        if self._stream or ends:
            await self._release(ends)

    async def fail(self, error: RequestError) -> None:
        """End the answer with `error`, unless it is at its end."""
        if self._over:
            return
        self._over = self.begun = True
        if self._stream:
            await self._send({"type": "http.response.body", "body": self._form.event(error, self._events)})
        else:
            await send_body(self._send, error.status, self._form.body(error))

    async def _release(self, ends: bool) -> None:
        self._over, self.begun = ends, True
        held, self._held = self._held, []
        for message in held:
            self._events += message.get("body", b"").count(_END)
            await self._send(message)
