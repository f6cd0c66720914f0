"""The way to the model server: an HTTP client, and a reverse proxy as an ASGI app."""

from __future__ import annotations

import asyncio
import io
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
from starlette.types import Message, Receive, Scope, Send

from guard.errors import EngineError, RequestError
from serve.model_server import ModelServer
from serve.record import record_of
from serve.replies import dump, error_body, send_error
from serve.sse import Frames, encode

_UNREACHABLE = RequestError(502, "the model server does not answer; try again later", code="upstream_unreachable")
_BROKE_OFF = RequestError(502, "the model server broke off its answer", code="upstream_failed")
_KEY = "LETHE_UPSTREAM_KEY"
# Servers close idle connections, vLLM after 5 s, and a request that is on its way just then gets no answer: so they are
# let go well before.
_IDLE_S = 1.0
_log = logging.getLogger(__name__)


class Upstream(ModelServer):
    """A model server at a URL or on a Unix socket; an async context manager that holds the connection pool.

    Its `key` stands in LETHE_UPSTREAM_KEY, unless another is given; "" is none.
    """

    def __init__(self, *, url: str | None = None, uds: Path | None = None, key: str | None = None) -> None:
        self._key = os.environ.get(_KEY) if key is None else key
        self._base = (url or "http://engine").rstrip("/").removesuffix("/v1")
        self._uds = uds
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector: aiohttp.BaseConnector = (
            aiohttp.UnixConnector(path=str(self._uds), limit=0, keepalive_timeout=_IDLE_S)
            if self._uds
            else aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_S)
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers={"accept-encoding": "identity"} | ({"authorization": f"Bearer {self._key}"} if self._key else {}),
            # An answer may take as long as it takes; the caller hangs up when tired of waiting.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
            read_bufsize=2**20,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> aiohttp.client._RequestContextManager:
        """Begin a request, with `headers` beside the usual; use it with `async with`."""
        if self._session is None:
            raise EngineError("the way to the model server is not open yet")
        headers = {**(headers or {}), **({"content-type": "application/json"} if body else {})}
        return self._session.request(
            method, self._base + path, data=io.BytesIO(body) if body else None, headers=headers
        )

    @property
    def app(self) -> ReverseProxy:
        """See `serve.model_server.ModelServer`."""
        return ReverseProxy(self)

    async def whole(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """See `serve.model_server.ModelServer`."""
        try:
            async with self.request(method, path, body) as response:
                return response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise EngineError(f"the model server gave no usable answer to {method} {path}: {error}") from error


class ReverseProxy:
    """Passes requests to the upstream and its answers back, chunk by chunk; a caller who leaves cancels the work."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read(receive)
        if body is None:
            return
        work = asyncio.create_task(self._forward(scope, body, send))
        gone = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if not work.done():
                work.cancel()
            with suppress(asyncio.CancelledError):
                await gone
        with suppress(asyncio.CancelledError):
            await work

    async def _forward(self, scope: Scope, body: bytes, send: Send) -> None:
        started = stream = False
        traced = record_of(scope).traceparent
        headers_of = {"traceparent": traced} if traced else None
        try:
            async with self._upstream.request(scope["method"], scope["path"], body, headers_of) as response:
                kind = response.headers.get("content-type", "application/json")
                stream = kind.startswith("text/event-stream")
                headers = [(b"content-type", kind.encode("latin-1"))]
                # A compressed body has been unpacked here, and is longer.
                packed = "content-encoding" in response.headers
                if not stream and not packed and response.content_length is not None:
                    headers.append((b"content-length", str(response.content_length).encode()))
                start: Message = {"type": "http.response.start", "status": response.status, "headers": headers}
                started = True
                await send(start)
                frames = Frames()
                async for chunk in response.content.iter_any():
                    if ready := frames.feed(chunk) if stream else chunk:
                        await send({"type": "http.response.body", "body": ready, "more_body": True})
                if frames.held:
                    raise aiohttp.ClientPayloadError("the stream ends in the middle of an event")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            _log.warning("the model server gave no whole answer to %s: %s", scope["path"], type(error).__name__)
            if not started:
                await send_error(send, _UNREACHABLE)
                return
            if not stream:
                raise
            # The status line is gone; an event of this form is what OpenAI's own clients raise as an error.
            failure = encode(dump(error_body(_BROKE_OFF)).decode())
            await send({"type": "http.response.body", "body": failure, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _read(receive: Receive) -> bytes | None:
    """The whole body; None when the caller left while sending it."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
