"""A small checkpoint, a policy, and one real server for the whole session."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Served, make_adapter, make_checkpoint, start_server, write_policy

# GiB of each engine for its cache: several stand side by side.
os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")

DEMO = Path(__file__).parents[1] / "serve" / "demo" / "full"


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded model where the repository has it, else a random Llama of the smallest size vLLM's kernels take."""
    if (DEMO / "config.json").is_file():
        return DEMO
    return make_checkpoint(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="session")
def policy_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forgets one person by corruption and one by refusal."""
    return write_policy(tmp_path_factory.mktemp("policy"))


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One state folder for all servers, so that the classifier is fitted once, and the same secret in every run.

    The secret decides what a corrupted prompt is taken for, and one guess in a dozen is the truth.
    """
    folder = tmp_path_factory.mktemp("state")
    (folder / "secret").touch(mode=0o600)
    (folder / "secret").write_bytes(bytes(range(32)))
    return folder


@pytest.fixture(scope="session")
def adapter(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random LoRA adapter, which changes what is said, in a folder whose name is hard to hand on."""
    return make_adapter(checkpoint, tmp_path_factory.mktemp("adapter") / "a, b=c")


@pytest.fixture(scope="session")
def served(checkpoint: Path, policy_file: Path, adapter: Path, state: Path) -> Iterator[Served]:
    """The session's server, with an adapter; ending it by SIGTERM must leave nothing behind."""
    server = start_server(checkpoint, policy_file, "--adapter", f"other={adapter}", state=state)
    try:
        server.wait_ready()
        yield server
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0, server.log.read_text()
        server.wait_gone()
        assert not list(server.folder.glob("lethe-*")), "the engine's folder was left behind"
    finally:
        server.close()
