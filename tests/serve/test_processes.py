"""Nothing outlives the server, however it ends; and it ends when its engine does."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from asking import CLEAN, ask
from serving import Served, start_server
from typer.testing import CliRunner

from serve.cli import app


@pytest.fixture
def starting(checkpoint: Path, policy_file: Path, state: Path, served: Served) -> Iterator[Served]:
    """Another server, whose engine has only just been started (`served` has fitted the classifier)."""
    server = start_server(checkpoint, policy_file, state=state)
    try:
        deadline = time.monotonic() + 60
        while len(server.members()) < 2:
            assert time.monotonic() < deadline
            assert server.process.poll() is None, server.log.read_text()
            time.sleep(0.05)
        yield server
    finally:
        server.close()


def is_engine(pid: int) -> bool:
    line = Path(f"/proc/{pid}/cmdline").read_bytes()
    return b"api_server" in line and b"serve.reaper" not in line


def test_a_killed_server_leaves_no_orphan(starting: Served) -> None:
    starting.process.kill()
    starting.process.wait()
    starting.wait_gone()


def test_sigterm_while_the_engine_loads_stops_all_quietly(starting: Served) -> None:
    starting.process.send_signal(signal.SIGTERM)
    assert starting.process.wait(20) == 0, starting.log.read_text()
    starting.wait_gone()
    assert "Traceback" not in starting.log.read_text()


def test_a_dead_engine_ends_the_server_with_a_clear_message(starting: Served) -> None:
    starting.wait_ready()
    body = ask(CLEAN, max_tokens=100_000, temperature=1.0, n=32)
    del body["max_tokens"]

    def call() -> int:
        return client.post(f"{starting.url}/v1/chat/completions", json=body, timeout=60).status_code

    with httpx.Client() as client, ThreadPoolExecutor(1) as pool:
        # Connected before anything dies, however slow the machine is.
        assert client.get(f"{starting.url}/v1/models").status_code == 200
        pending = pool.submit(call)
        time.sleep(0.5)
        for pid in starting.members():
            if is_engine(pid):
                os.kill(pid, signal.SIGKILL)
        assert pending.result() in (200, 502, 503)
    # Five seconds for answers, fifteen for the engine, and a busy machine.
    assert starting.process.wait(90) == 1
    log = starting.log.read_text()
    assert "vLLM ended while it was serving" in log
    assert "Traceback" not in log
    starting.wait_gone()


def test_a_port_in_use_is_told_before_anything_starts(checkpoint: Path, policy_file: Path, state: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = start_server(checkpoint, policy_file, "--port", str(taken.getsockname()[1]), state=state)
        try:
            assert server.process.wait(200) == 2
            assert "--port" in server.log.read_text()
            assert not list(server.folder.glob("lethe-*"))
        finally:
            server.close()


def test_an_engine_that_cannot_start_tells_why(checkpoint: Path, policy_file: Path, state: Path) -> None:
    server = start_server(checkpoint, policy_file, "--", "--no-such-flag", state=state)
    try:
        assert server.process.wait(200) == 1
        assert "no-such-flag" in server.log.read_text()
    finally:
        server.close()


@pytest.mark.parametrize(
    "options",
    [
        ("--", "--uds", "x.sock"),
        ("--", "--host=0.0.0.0"),
        ("--policy", "none.yaml"),
        ("--upstream", "http://127.0.0.1:1"),
        ("--model", "./nowhere", "--policy", "p.yaml"),
    ],
)
def test_options_that_cannot_be_used_are_told(options: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, ["serve", *options])
    assert done.exit_code == 2
    assert done.stderr.startswith("error:")
