"""An asynchronous client for any OpenAI-compatible chat endpoint.

A request that fails raises; it never turns into an empty answer that would score 0.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp

from guard.errors import LetheError
from guard.types import Message

# These say that the work was not begun, so asking again cannot hide what the server did with the question.
# A time-out, a 500 or a lost connection leaves that open, and asking again would measure the second try.
_RETRIED_STATUS = frozenset({429, 503})
_LONGEST_WAIT_S = 10.0
_DETAIL_CHARS = 300


class EndpointError(LetheError):
    """One question stays unanswered; `reason` is short enough to be counted in a table, `detail` explains it."""

    def __init__(self, reason: str, detail: str, *, attempts: int = 1) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.attempts = attempts


class _NotBegunError(EndpointError):
    """The server did not take the request on; it may be sent again after `wait_s` seconds."""

    def __init__(self, reason: str, detail: str, *, wait_s: float | None = None) -> None:
        super().__init__(reason, detail)
        self.wait_s = wait_s


@dataclass(frozen=True)
class Reply:
    """What came back: `seconds` counts the last attempt only, without the time spent in the queue here.

    `id` is what the server calls its answer, None where it has no name for it.
    """

    text: str
    finish_reason: str | None
    seconds: float
    attempts: int
    id: str | None = None


class EndpointClient:
    """Asks one model behind one base URL, at most `concurrency` questions at a time.

    `base_url` may end in /v1 or not; `timeout_s` bounds each attempt from the first byte sent to the last received.
    """

    def __init__(
        self,
        base_url: str,
        *,
        concurrency: int = 8,
        timeout_s: float = 120.0,
        attempts: int = 3,
        backoff_s: float = 0.5,
    ) -> None:
        self._root = base_url.rstrip("/").removesuffix("/v1")
        self._slots = asyncio.Semaphore(concurrency)
        self._concurrency = concurrency
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._attempts = attempts
        self._backoff_s = backoff_s
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # Servers drop idle connections after about 5 s; letting go first keeps that race out of the failures counted.
        connector = aiohttp.TCPConnector(limit=self._concurrency, keepalive_timeout=2.0)
        self._session = aiohttp.ClientSession(timeout=self._timeout, connector=connector)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def first_model(self) -> str:
        """Return the name of the first model that the endpoint lists; raises EndpointError."""
        listing = _parse(await self._send("GET", "/v1/models", None))
        try:
            name = listing["data"][0]["id"]
        except (KeyError, IndexError, TypeError) as error:
            raise EndpointError("malformed answer", "/v1/models lists no model") from error
        return str(name)

    async def ask(
        self, question: str | Sequence[Message], *, model: str, max_tokens: int, key: str | None = None
    ) -> Reply:
        """Ask one question as a lone user turn, or with all its turns, greedily; raises EndpointError without answer.

        `key` is sent as the bearer token.
        """
        turns = (Message("user", question),) if isinstance(question, str) else question
        body = {
            "model": model,
            "messages": [{"role": turn.role, "content": turn.text} for turn in turns],
            "max_tokens": max_tokens,
            "temperature": 0,
        }
        async with self._slots:
            for attempt in range(1, self._attempts + 1):
                started = time.perf_counter()
                try:
                    raw = await self._send("POST", "/v1/chat/completions", body, key)
                    text, finish_reason, name = _read_choice(raw)
                except _NotBegunError as error:
                    error.attempts = attempt
                    if attempt == self._attempts:
                        raise
                    wait_s = self._backoff_s * 2 ** (attempt - 1) if error.wait_s is None else error.wait_s
                    await asyncio.sleep(min(wait_s, _LONGEST_WAIT_S))
                except EndpointError as error:
                    error.attempts = attempt
                    raise
                else:
                    return Reply(text, finish_reason, time.perf_counter() - started, attempt, name)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _send(self, method: str, path: str, body: dict[str, object] | None, key: str | None = None) -> bytes:
        if self._session is None:
            raise RuntimeError("use the client as an asynchronous context manager")
        headers = {"authorization": f"Bearer {key}"} if key else {}
        try:
            async with self._session.request(
                method, self._root + path, json=body, headers=headers, allow_redirects=False
            ) as response:
                raw = await response.read()
                if response.status != 200:
                    raise _status_error(response, raw)
                return raw
        except aiohttp.InvalidURL as error:
            raise EndpointError("bad URL", f"{self._root} is not a URL; write it as http://host:port") from error
        except TimeoutError as error:
            raise EndpointError("timeout", f"no whole answer within {self._timeout.total:g} s") from error
        except aiohttp.ClientConnectorError as error:
            raise _NotBegunError("cannot connect", str(error)) from error
        except (aiohttp.ClientError, OSError) as error:
            raise EndpointError("connection lost", str(error) or type(error).__name__) from error


def _status_error(response: aiohttp.ClientResponse, raw: bytes) -> EndpointError:
    reason = f"http {response.status}"
    detail = raw.decode("utf-8", errors="replace")[:_DETAIL_CHARS] or (response.reason or "no body")
    if response.status not in _RETRIED_STATUS:
        return EndpointError(reason, detail)
    try:
        wait_s = max(0.0, float(response.headers["Retry-After"]))
    except (KeyError, ValueError):
        wait_s = None
    return _NotBegunError(reason, detail, wait_s=wait_s)


def _parse(raw: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(raw)
    except ValueError as error:
        raise EndpointError("malformed answer", f"not JSON: {raw[:_DETAIL_CHARS]!r}") from error
    if not isinstance(parsed, dict):
        raise EndpointError("malformed answer", f"not a JSON object: {raw[:_DETAIL_CHARS]!r}")
    return parsed


def _read_choice(raw: bytes) -> tuple[str, str | None, str | None]:
    answer = _parse(raw)
    try:
        choice = answer["choices"][0]
        text, finish_reason = choice["message"]["content"], choice.get("finish_reason")
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise EndpointError("malformed answer", f"no choices[0].message.content in {raw[:_DETAIL_CHARS]!r}") from error
    if not isinstance(text, str):
        raise EndpointError("malformed answer", "choices[0].message.content is not text")
    return text, finish_reason, answer.get("id")
