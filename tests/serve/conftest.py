"""A chat dialect that needs no model server (the form of its answers is written here, as vLLM 0.32 writes them), and a
way to attach to the engine that all tests share.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from serving import Served
from streams import chunk, usage_event, whole
from tooling import Tooled, serving_tools

from serve.dialects.chat import ChatDialect
from serve.dialects.chat_answer import ChatShape
from serve.model_text import ModelText


@pytest.fixture(scope="session")
def dialect(checkpoint: Path) -> ChatDialect:
    end = chunk("", finish="stop") | {"system_fingerprint": "vllm-1"}
    shape = ChatShape(whole("x"), chunk("", role=True), chunk("x"), chunk("", finish="stop"), end, usage_event(1, 1))
    return ChatDialect(("m",), 128, ModelText.from_checkpoint(str(checkpoint)), shape)


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while chunk := await reader.read(2**16):
            writer.write(chunk)
            await writer.drain()
    writer.close()


@pytest.fixture(scope="module")
async def engine_port(served: Served) -> AsyncIterator[int]:
    """The session's engine, which listens on a private socket, at a port: a server that `--upstream` attaches to."""

    bridges: list[Any] = []

    async def bridge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(served.socket)
        bridges.append(asyncio.current_task())
        await asyncio.gather(pipe(reader, back), pipe(there, writer))

    listener = await asyncio.start_server(bridge, "127.0.0.1", 0)
    yield listener.sockets[0].getsockname()[1]
    listener.close()
    # The server that was attached is gone by now, and with it all that was open.
    await asyncio.wait_for(asyncio.gather(*bridges), 10)


@pytest.fixture(scope="session")
def tooled(tmp_path_factory: pytest.TempPathFactory, policy_file: Path, state: Path) -> Iterator[Tooled]:
    """A server that parses tools and thoughts; its tests are the last but few."""
    with serving_tools(tmp_path_factory.mktemp("tooled"), policy_file, state) as made:
        yield made
