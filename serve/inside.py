"""The guard inside vLLM's own server, with no hop between: `--middleware serve.inside.Inside`, and LETHE_POLICY set."""

from __future__ import annotations

import asyncio
import os
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from hmac import compare_digest
from pathlib import Path
from typing import Any, TypeVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guard.errors import ConfigError, EngineError, LetheError, RequestError
from guard.policy import load_policy
from serve.assemble import make_app
from serve.caller import bearer
from serve.dialects.errors import refuse
from serve.inner import Replay, Taken
from serve.keys.keyed import OPEN, UNKNOWN
from serve.metrics import Metrics
from serve.model_server import ModelServer
from serve.parts import Parts, make_parts
from serve.policies.change import begun
from serve.record import record_of
from serve.replies import send_error
from serve.settings import MAX_BODY, MAX_CONCURRENT, MAX_SECONDS, Settings, resolve

_NOT_YET = RequestError(503, "the server is not ready; try again later", code="not_served")
# What an ASGI request is to vLLM; the rest is what apps in front of it noted.
_KEPT = ("type", "asgi", "http_version", "method", "scheme", "path", "raw_path", "query_string", "client", "server")
Read = TypeVar("Read", int, float)


class Inside:
    """Pure ASGI middleware around vLLM's app. Before the guard is put together, nothing is served.

    What cannot be put together ends the start of the server.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._front: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection, or the server's start and stop."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        elif self._front is not None:
            await self._front(scope, receive, send)
        elif scope["type"] == "http":
            await send_error(send, _NOT_YET)
        else:
            await send({"type": "websocket.close", "code": 1013})

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        failed: LetheError | None = None

        async def told(message: Message) -> None:
            nonlocal failed
            if message["type"] == "lifespan.startup.complete":
                try:
                    self._front = await _opened(self._app, scope["app"], stack)
                except LetheError as error:
                    failed = error
                    raise
            elif message["type"] == "lifespan.startup.failed" and failed is not None:
                message = {**message, "message": f"error: {failed}"}
            await send(message)

        async with AsyncExitStack() as stack:
            try:
                await self._app(scope, receive, told)
            finally:
                self._front = None


class Inner(ModelServer):
    """vLLM's app behind the middleware; `key` is one that lets its own check of keys pass."""

    def __init__(self, behind: ASGIApp, vllm: Any, key: str | None) -> None:
        """`vllm` is the whole app, in which vLLM's routes find the engine; `behind` what comes after the middleware."""
        self._behind = behind
        self._vllm = vllm
        self._headers = [(b"content-type", b"application/json")]
        self._headers += [(b"authorization", f"Bearer {key}".encode())] if key else []

    @property
    def app(self) -> ASGIApp:
        """See `serve.model_server.ModelServer`."""
        return self._asked

    async def whole(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """See `serve.model_server.ModelServer`."""
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "client": None,
            "server": None,
        }
        taken = Taken()
        try:
            await self._asked(scope, Replay(body, _never), taken)
        except Exception as error:
            told = f"vLLM gave no usable answer to {method} {path}: {type(error).__name__}"
            raise EngineError(told) from error
        return taken.status, bytes(taken.body)

    async def _asked(self, scope: Scope, receive: Receive, send: Send) -> None:
        traced = record_of(scope).traceparent
        headers = self._headers + ([(b"traceparent", traced.encode())] if traced else [])
        fresh = {name: scope[name] for name in _KEPT if name in scope}
        await self._behind({**fresh, "root_path": "", "headers": headers, "app": self._vllm}, receive, send)


class VllmKeys:
    """`app`, for who has one of the keys that vLLM was started with: the guard stands before vLLM's own check of them.

    Every route asks for one but those that tell whether the server works; vLLM's own check lets more pass.
    """

    def __init__(self, app: ASGIApp, keys: Sequence[str]) -> None:
        self._app = app
        self._keys = [key.encode() for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "http" and (scope["method"], scope["path"]) not in OPEN:
            try:
                token = bearer(scope) or b""
            except RequestError as error:
                await refuse(scope, send, error)
                return
            if not any(compare_digest(token, key) for key in self._keys):
                await refuse(scope, send, UNKNOWN, {"www-authenticate": "Bearer"})
                return
        await self._app(scope, receive, send)


def settings_of(args: Namespace, environment: Mapping[str, str]) -> Settings:
    """What vLLM's own arguments and the environment say.

    Raises:
        ConfigError: the environment names no policy, or what it says cannot be used.
    """
    policy = environment.get("LETHE_POLICY")
    if not policy:
        raise ConfigError("LETHE_POLICY is not set; let it name the policy file")
    artifact = environment.get("LETHE_ARTIFACT")
    port = _number(environment, "LETHE_METRICS_PORT", int, 0)
    return resolve(
        model=args.model,
        policy=Path(policy),
        artifact=Path(artifact) if artifact else None,
        upstream=None,
        host="",
        port=0,
        served_name=(args.served_model_name or [args.model])[0],
        engine_flags=(),
        metrics_port=port or None,
        keys=environment.get("LETHE_KEYS", "") not in ("", "0"),
        max_concurrent=_number(environment, "LETHE_MAX_CONCURRENT", int, MAX_CONCURRENT),
        max_seconds=_number(environment, "LETHE_MAX_SECONDS", float, MAX_SECONDS),
        max_body=_number(environment, "LETHE_MAX_BODY", int, MAX_BODY),
    )


def _number(environment: Mapping[str, str], name: str, kind: Callable[[str], Read], default: Read) -> Read:
    given = environment.get(name)
    if not given:
        return default
    try:
        value = kind(given)
    except ValueError as error:
        raise ConfigError(f"{name} is {given!r}; let it be a number above 0") from error
    if not 0 < value < float("inf"):
        raise ConfigError(f"{name} is {given!r}; let it be a number above 0")
    return value


async def _opened(behind: ASGIApp, vllm: Any, stack: AsyncExitStack) -> ASGIApp:
    """What is served in vLLM's place.

    Raises:
        LetheError: the policy cannot be enforced with this server.
    """
    args: Namespace = vllm.state.args
    settings = settings_of(args, os.environ)
    keys = [key for key in (args.api_key or [os.environ.get("VLLM_API_KEY")]) if key]
    if keys and settings.keys:
        raise ConfigError("vLLM has keys of its own, and LETHE_KEYS asks for others; leave one of them out")
    metrics = Metrics()
    stack.enter_context(metrics.served(settings.metrics_port))
    parts = {path: await asyncio.to_thread(_parts, settings, path) for path in settings.policies}
    inner = Inner(behind, vllm, keys[0] if keys else None)
    front, _ = await make_app(settings, parts, inner, stack, metrics)
    return VllmKeys(front, keys) if keys else front


def _parts(settings: Settings, path: Path) -> Parts:
    return make_parts(settings, begun(path, load_policy(path), settings.artifact))


async def _never() -> Message:
    """Lethe itself never hangs up."""
    await asyncio.Event().wait()
    raise AssertionError("nobody sets this event")
