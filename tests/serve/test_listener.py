"""The port that callers come to."""

import asyncio
import socket

from serve.run import _bound


async def test_small_pieces_of_answers_are_sent_at_once():
    """Else a stream's second piece waits for the first to be acknowledged, which takes a caller's machine 40 ms."""
    seen = []

    async def answer(reader, writer):
        seen.append(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    with _bound("127.0.0.1", 0) as listener:
        async with await asyncio.start_server(answer, sock=listener):
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            assert await reader.read() == b""
            writer.close()
    assert seen == [1]
