"""The systems under test: endpoints that run already, or servers started here, awaited and stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import aiohttp

from guard.errors import ConfigError, EngineError
from guard.policy import load_policy

T = TypeVar("T")

_POLL_S = 0.5
_STOP_S = 30.0
_LOG_TAIL_LINES = 15
# Runs before the server's own program, in its process: asks Linux for a SIGTERM should this process die without
# stopping its child (kill -9, out of memory), then becomes the server.
_TIED = (
    "import ctypes,os,signal,sys\n"
    "if sys.platform=='linux': ctypes.CDLL(None).prctl(1, signal.SIGTERM)\n"
    "if os.getppid()!=int(sys.argv[1]): sys.exit('the evaluation is gone')\n"
    "os.execv(sys.argv[2], sys.argv[2:])"
)


@dataclass(frozen=True)
class System:
    """One row of the comparison: attached at `url`, or started with `command` (a `{port}` in it is filled in)."""

    name: str
    url: str | None = None
    command: tuple[str, ...] = ()


class Running:
    """A system that answers at `url`; `process` is None where it was attached to."""

    def __init__(self, system: System, url: str, process: asyncio.subprocess.Process | None, log: Path | None) -> None:
        self.system, self.url, self._process, self._log = system, url, process, log

    async def during(self, work: Awaitable[T]) -> T:
        """Await `work`; raise EngineError at once if the server started for it dies meanwhile."""
        if self._process is None:
            return await work
        task, death = asyncio.ensure_future(work), asyncio.ensure_future(self._process.wait())
        try:
            await asyncio.wait({task, death}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise EngineError(f"{self.system.name} died while it was being asked{_tail(self._log)}")
            return task.result()
        finally:
            for future in (task, death):
                future.cancel()
            await asyncio.gather(task, death, return_exceptions=True)


@contextlib.asynccontextmanager
async def running(
    system: System, *, logs: Path, start_timeout_s: float, on_wait: Callable[[str], None]
) -> AsyncIterator[Running]:
    """Give the system's address, starting and stopping a server where there is none to attach to.

    Raises:
        EngineError: the server does not come up; the text ends with the last lines it wrote.
    """
    if system.url is not None:
        yield Running(system, system.url, None, None)
        return
    port = _free_port()
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = logs / f"{system.name}.log"
    command = [part.format(port=port) if "{port}" in part else part for part in system.command]
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _TIED, str(os.getpid())),
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=sink,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        await _healthy(system.name, url, process, log, start_timeout_s, on_wait)
        yield Running(system, url, process, log)
    finally:
        await asyncio.shield(_stop(process))


async def _healthy(
    name: str,
    url: str,
    process: asyncio.subprocess.Process,
    log: Path,
    timeout_s: float,
    on_wait: Callable[[str], None],
) -> None:
    started = time.monotonic()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        while (waited := time.monotonic() - started) < timeout_s:
            if process.returncode is not None:
                raise EngineError(f"{name} stopped with status {process.returncode} before it was ready{_tail(log)}")
            on_wait(f"starting {name} ({waited:.0f} s)")
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                async with session.get(f"{url}/health") as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(_POLL_S)
    raise EngineError(f"{name} was not ready within {timeout_s:g} s; raise --start-timeout or read {log}{_tail(log)}")


async def _stop(process: asyncio.subprocess.Process) -> None:
    """End the server gently, then whatever is left of its process group."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _STOP_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _tail(log: Path | None) -> str:
    if log is None or not log.exists():
        return ""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_TAIL_LINES:]
    return "; its last words:\n" + "\n".join(f"  {line}" for line in lines) if lines else "; it wrote nothing"


def demo_dir() -> Path:
    """Return the directory of the embedded models and policy, which the installed package `serve` carries.

    Found without importing it: the evaluation reaches the server over HTTP only.
    """
    spec = find_spec("serve")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError("the package serve is not installed; run pip install -e . in the project's directory")
    return Path(next(iter(spec.submodule_search_locations))) / "demo"


def guarded_command(model: Path | str, policy: Path) -> tuple[str, ...]:
    """Return the command that serves `model` behind the guard."""
    return (*_lethe(), "serve", "--port", "{port}", "--model", str(model), "--policy", str(policy))


def engine_command(model: Path | str, policies: Sequence[Path] = ()) -> tuple[str, ...]:
    """Return the command that serves `model` with no guard, on the loopback interface.

    It can turn answers away where guards with one of `policies` stand in front of it.

    Raises:
        ConfigError: a policy cannot be read, or they name different auxiliary models.
    """
    read = [load_policy(path) for path in policies]
    models = {policy.auxiliary for policy in read if policy.diverges}
    if len(models) > 1:
        raise ConfigError("an engine has one pair of auxiliary models; ask about one draw at a time")
    steer = ("--steer",) if any(policy.decodes or policy.diverges for policy in read) else ()
    auxiliary = [part for folder in models for part in ("--auxiliary", str(folder))]
    return (*_lethe(), "engine", "--model", str(model), "--port", "{port}", *steer, *auxiliary)


def _lethe() -> tuple[str, ...]:
    # The installed command, not `python -m`, which would let a folder named serve in the working directory step in.
    script = Path(sys.executable).with_name("lethe")
    if not script.is_file():
        raise ConfigError(f"there is no command lethe beside {sys.executable}; run pip install -e . in the project")
    return (str(script),)
