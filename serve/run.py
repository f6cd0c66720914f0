"""Runs the endpoint from start to stop, and the bare engine for evaluation."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager, nullcontext, suppress
from ipaddress import ip_address
from pathlib import Path

import uvicorn
from rich.console import Console
from rich.markup import escape

from guard.errors import ConfigError, EngineError
from guard.policy import Policy, load_policy
from serve.arms.tell import tell_arms
from serve.assemble import make_app
from serve.engine import Engine
from serve.metrics import Metrics
from serve.parts import Parts, make_parts
from serve.policies.change import begun
from serve.policies.news import tell_versions
from serve.settings import Settings
from serve.steering.fields import ENGINE_FLAGS
from serve.upstream import Upstream

_GRACE_S = 5
# Longer than clients and load balancers keep an idle connection (60 s is common), so that it is them who close it, and
# no request is sent into a connection that is closed just then.
_IDLE_S = 75
_POLL_S = 0.25


def serve(settings: Settings, console: Console) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP, then return quietly.

    Raises:
        LetheError: the server cannot start, or the engine died.
    """
    policies = {path: load_policy(path) for path in settings.policies}
    metrics = Metrics()
    with _stoppable(), _bound(settings.host, settings.port) as listener, metrics.served(settings.metrics_port):
        engine = None
        if settings.upstream is None:
            models = _auxiliary(policies.values())
            steers = models is not None or any(policy.decodes for policy in policies.values())
            flags = (*(ENGINE_FLAGS if steers else ()), *settings.engine_flags)
            name = settings.served_name or settings.model
            engine = Engine(settings.model, name, flags=flags, auxiliary=models)
        with engine or nullcontext():
            if engine is not None:
                console.print(f"started vLLM with {settings.model}; meanwhile, the classifier")
            parts = _parts(settings, policies)
            if engine is not None:
                engine.wait_healthy(console)
            asyncio.run(_serve(settings, parts, engine, listener, metrics, console))


def _parts(settings: Settings, policies: Mapping[Path, Policy]) -> dict[Path, Parts]:
    """Those of all policies, which share what hangs on the checkpoint or the encoder alone.

    Raises:
        LetheError: one cannot be served.
    """
    parts: dict[Path, Parts] = {}
    before: Parts | None = None
    for path, policy in policies.items():
        parts[path] = before = make_parts(settings, begun(path, policy, settings.artifact), before)
    return parts


def _auxiliary(policies: Iterable[Policy]) -> Path | None:
    """The folder of auxiliary models that the engine is to have.

    Raises:
        ConfigError: the policies name several.
    """
    folders = sorted({policy.auxiliary for policy in policies if policy.auxiliary is not None})
    if len(folders) > 1:
        raise ConfigError(
            f"an engine has one pair of auxiliary models, and policies name {folders[0]} and {folders[1]}"
        )
    return next(iter(folders), None)


def bare(
    model: str,
    served_name: str,
    port: int,
    flags: tuple[str, ...],
    console: Console,
    *,
    auxiliary: Path | None = None,
) -> None:
    """Run the engine alone on a loopback port, with no guard, until it is stopped.

    Raises:
        LetheError: it cannot start, or died.
    """
    with _bound("127.0.0.1", port):
        pass
    with _stoppable(), Engine(model, served_name, flags=flags, port=port, auxiliary=auxiliary) as engine:
        waited = engine.wait_healthy(console)
        console.print(f"[bold]{served_name}[/], unguarded, at http://127.0.0.1:{port}/v1 after {waited:.0f} s")
        while engine.alive:
            time.sleep(_POLL_S)
        raise EngineError(f"vLLM ended while it was serving:\n{engine.tail()}")


async def _serve(
    settings: Settings,
    parts: dict[Path, Parts],
    engine: Engine | None,
    listener: socket.socket,
    metrics: Metrics,
    console: Console,
) -> None:
    async with (
        Upstream(url=settings.upstream, uds=None if engine is None else engine.uds) as upstream,
        AsyncExitStack() as stack,
    ):
        app, facts = await make_app(settings, parts, upstream, stack, metrics)
        # Without websockets an upgrade is an ordinary request, for a path that is denied.
        config = uvicorn.Config(
            app,
            # What is logged is the root logger's business, as all else is.
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            # A header must not say who the caller is: the arm may hang on the address.
            proxy_headers=False,
            ws="none",
            lifespan="off",
            timeout_graceful_shutdown=_GRACE_S,
            timeout_keep_alive=_IDLE_S,
        )
        server = uvicorn.Server(config)
        watch = asyncio.create_task(_watch(server, engine))
        listener.listen(2048)
        _greet(console, listener, facts.name, keys=settings.keys)
        if settings.adapter_models:
            console.print(
                f"and with adapters, as further models: [bold]{escape(', '.join(settings.adapter_models))}[/]"
            )
        if settings.arms is not None:
            tell_arms(settings.arms, console, keys=settings.keys)
        tell_versions(parts, console, monitor=settings.monitor)
        # They are held by what serves them alone, so that they go when another version takes their place.
        parts.clear()
        if not settings.keys and not _loopback(listener):
            console.print(
                "[bold yellow]warning:[/] whoever reaches this address may ask: no keys are asked for. See --keys.",
                soft_wrap=True,
            )
        try:
            await server.serve(sockets=[listener])
        finally:
            watch.cancel()
        if engine is not None and not engine.alive:
            raise EngineError(f"vLLM ended while it was serving; start Lethe again:\n{engine.tail()}")


async def _watch(server: uvicorn.Server, engine: Engine | None) -> None:
    while engine is None or engine.alive:
        await asyncio.sleep(_POLL_S)
    server.should_exit = True


def _greet(console: Console, listener: socket.socket, name: str, *, keys: bool) -> None:
    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"
    body = json.dumps({"model": name, "messages": [{"role": "user", "content": "What is the capital of France?"}]})
    console.print(f"[bold green]ready[/] at [bold]{url}[/], model [bold]{name}[/]. Try:")
    key = ' -H "authorization: Bearer $KEY"' if keys else ""
    line = f"curl {url}/chat/completions{key} -H 'content-type: application/json' -d {shlex.quote(body)}"
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def _loopback(listener: socket.socket) -> bool:
    return ip_address(listener.getsockname()[0]).is_loopback


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    """Hold the address from the start, so that a port in use is told before the engine loads."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol told, asyncio sends small pieces at once; else each answer waits 40 ms for an acknowledgement.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            reason = error.strerror or error
            raise ConfigError(f"cannot listen on {host} port {port} ({reason}); choose another with --port") from error
        yield listener


@contextmanager
def _stoppable() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into what Ctrl-C does, and take all three as a wish to stop, not as a failure."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        yield
