"""Reads the body of a request."""

from __future__ import annotations

from starlette.types import Receive, Scope

from guard.errors import RequestError


async def read_body(scope: Scope, receive: Receive, most: int) -> bytes:
    """The body, of at most `most` bytes.

    Raises:
        RequestError: it is larger, broken off, compressed, or not of JSON's content type.
    """
    headers = dict(scope["headers"])
    if headers.get(b"content-type", b"").split(b";")[0].strip().lower() != b"application/json":
        raise RequestError(415, "the content type must be application/json", code="content_type")
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise RequestError(415, "send the body uncompressed", code="content_encoding")
    return await gathered(receive, most)


async def gathered(receive: Receive, most: int) -> bytes:
    """The bytes of a body, of at most `most`, whatever they are.

    Raises:
        RequestError: it is larger, or broken off.
    """
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestError(400, "the body ended early", code="incomplete_body")
        body += message.get("body", b"")
        if len(body) > most:
            raise RequestError(413, f"the body is larger than {most} bytes", code="body_too_large")
        if not message.get("more_body", False):
            return bytes(body)
