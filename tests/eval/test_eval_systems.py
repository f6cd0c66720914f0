"""Servers started for a run: awaited, watched and stopped, with nothing left behind."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import pytest

from eval.systems import System, demo_dir, running
from guard.errors import EngineError

SERVER = """
import http.server, os, signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("grandchild", child.pid, flush=True)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/die":
            os._exit(3)
        self.send_response(200); self.end_headers()
    def log_message(self, *args): pass
if "--stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def system(*extra, code=SERVER):
    return System("bare", command=(sys.executable, "-c", code, "{port}", *extra))


def started(tmp_path, what, timeout=30.0):
    return running(what, logs=tmp_path, start_timeout_s=timeout, on_wait=lambda text: None)


def grandchild(tmp_path):
    return int((tmp_path / "bare.log").read_text().split()[1])


def gone(pid):
    """Whether a process ended; one that waits for a parent to collect it has."""
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("extra", [(), ("--stubborn",)])
async def test_started_when_healthy_and_stopped_with_its_children(tmp_path, monkeypatch, extra):
    monkeypatch.setattr("eval.systems._STOP_S", 0.5)
    async with started(tmp_path, system(*extra)) as server, aiohttp.ClientSession() as session:
        async with session.get(f"{server.url}/health") as response:
            assert response.status == 200
        child = grandchild(tmp_path)
        assert not Path(f"/proc/{child}").exists() or os.getpgid(child) != os.getpgid(0)
    assert gone(child)


async def test_a_server_that_cannot_start_says_why(tmp_path):
    with pytest.raises(EngineError, match=r"status 7 before it was ready.*\n  no such model"):
        async with started(tmp_path, system(code="import sys; print('no such model'); sys.exit(7)")):
            pass


async def test_a_server_that_never_gets_ready_is_given_up(tmp_path):
    with pytest.raises(EngineError, match=r"not ready within 0\.3 s"):
        async with started(tmp_path, system(code="import time; time.sleep(60)"), timeout=0.3):
            pass


async def test_death_while_asking_ends_the_wait(tmp_path):
    async with started(tmp_path, system()) as server:

        async def ask():
            async with aiohttp.ClientSession() as session:
                with contextlib.suppress(aiohttp.ClientError):
                    await session.get(f"{server.url}/die")
            await asyncio.sleep(60)

        with pytest.raises(EngineError, match="bare died while it was being asked"):
            await server.during(ask())
    assert gone(grandchild(tmp_path))


async def test_attached_systems_are_left_alone(tmp_path):
    async with started(tmp_path, System("bare", url="http://127.0.0.1:1")) as server:
        assert server.url == "http://127.0.0.1:1"
        assert await server.during(asyncio.sleep(0, "done")) == "done"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="death signals are Linux's")
def test_a_killed_evaluation_leaves_no_server(tmp_path):
    script = f"""
import asyncio, os, signal, sys
from pathlib import Path
from eval.systems import System, running
async def main():
    system = System("bare", command=(sys.executable, "-c", {SERVER!r}, "{{port}}"))
    async with running(system, logs=Path({str(tmp_path)!r}), start_timeout_s=30, on_wait=lambda _: None) as server:
        print(server._process.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert gone(int(done.stdout))
    with contextlib.suppress(ProcessLookupError):
        os.kill(grandchild(tmp_path), signal.SIGKILL)


def test_the_embedded_models_lie_in_the_package_serve():
    assert demo_dir().parts[-2:] == ("serve", "demo")
