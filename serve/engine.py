"""vLLM as a child process on a private Unix socket (or, for evaluation, a loopback port)."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import torch
from rich.console import Console

from guard.errors import EngineError
from serve.steering.fields import AUXILIARY

_MODULE = "vllm.entrypoints.launchers.api_server.entry"
_STOP_S = 15.0
_TAIL_LINES = 25
_QUIET = {
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_DISABLE_LOG_LOGO": "1",
    "DO_NOT_TRACK": "1",
    "TORCH_LOGS": "-all",
}
# Measured on two cores: without these, a spinning core, a worker process more, and minutes of compilation.
_CPU = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "OMP_NUM_THREADS": "1",
    "VLLM_CPU_KVCACHE_SPACE": "2",  # GiB
    "TORCHDYNAMO_DISABLE": "1",
}


def command(model: str, served_name: str, flags: tuple[str, ...], where: tuple[str, ...]) -> list[str]:
    """Return the engine's command line; `flags` come last, so that they win."""
    ours = ["--enable-prompt-embeds", "--disable-uvicorn-access-log", "--disable-log-stats", "--no-use-tqdm-on-load"]
    if not torch.cuda.is_available():
        ours.append("--enforce-eager")
    named = ["--model", model, "--served-model-name", served_name]
    return [sys.executable, "-m", _MODULE, *named, *where, *ours, *flags]


def environment(model: str, flags: tuple[str, ...], folder: Path, auxiliary: Path | None = None) -> dict[str, str]:
    """Return the engine's environment: what the operator set wins over what suits this machine."""
    tuned = dict(_QUIET)
    if not torch.cuda.is_available():
        tuned |= _CPU
        if "--no-enforce-eager" in flags:
            del tuned["TORCHDYNAMO_DISABLE"]
    if Path(model).is_dir():
        tuned["HF_HUB_OFFLINE"] = "1"
    # Its workers' sockets lie in the temporary directory; they are nobody else's business.
    ours = {"TMPDIR": str(folder), **({} if auxiliary is None else {AUXILIARY: str(auxiliary)})}
    return tuned | dict(os.environ) | ours


class Engine:
    """One vLLM child. Use it as a context manager: leaving it ends the child and all that the child started."""

    def __init__(
        self,
        model: str,
        served_name: str,
        *,
        flags: tuple[str, ...] = (),
        port: int | None = None,
        auxiliary: Path | None = None,
    ) -> None:
        """`auxiliary` is the folder of models that requests may ask to be turned away by."""
        self._model = model
        self._served_name = served_name
        self._flags = flags
        self._port = port
        self._auxiliary = auxiliary
        self._folder = Path()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Engine:
        # A folder only this user can enter: nobody else on the machine reaches the unguarded engine.
        self._folder = Path(tempfile.mkdtemp(prefix="lethe-"))
        where = ("--uds", str(self.uds)) if self._port is None else ("--host", "127.0.0.1", "--port", str(self._port))
        engine = command(self._model, self._served_name, self._flags, where)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "serve.reaper", *engine],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment(self._model, self._flags, self._folder, self._auxiliary),
                start_new_session=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def uds(self) -> Path:
        """The socket on which the engine answers, unless it was given a port."""
        return self._folder / "engine.sock"

    @property
    def log(self) -> Path:
        """What the engine printed."""
        return self._folder / "engine.log"

    @property
    def alive(self) -> bool:
        """Whether the child still runs."""
        return self._process is not None and self._process.poll() is None

    def wait_healthy(self, console: Console) -> float:
        """Block until /health answers, telling how long it has been; return the seconds.

        Raises:
            EngineError: the child ended; the text carries the end of its log.
        """
        started = time.monotonic()
        with console.status("") as status:
            while True:
                waited = time.monotonic() - started
                status.update(f"waiting for vLLM to load {self._served_name} … {waited:.0f} s")
                if not self.alive:
                    raise EngineError(f"vLLM ended before it was ready:\n{self.tail()}")
                if self._healthy():
                    return waited
                time.sleep(0.25)

    def _healthy(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            if self._port is None:
                connection.sock = socket.socket(socket.AF_UNIX)
                connection.sock.settimeout(5)
                connection.sock.connect(str(self.uds))
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def tail(self) -> str:
        """The last lines of the engine's log."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-_TAIL_LINES:]) or "  (it printed nothing)"

    def stop(self) -> None:
        """End the child and its process group; harmless when it has ended."""
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_S)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
