"""Server-sent events, as far as the dialects use them: `data:` lines, blank line, next."""

from __future__ import annotations

import codecs


class Decoder:
    """Cuts a byte stream into the data of its events, wherever the chunks happen to break."""

    def __init__(self) -> None:
        self._text = codecs.getincrementaldecoder("utf-8")()
        self._rest = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[str]:
        """Return the data of every event that `chunk` completes."""
        lines = (self._rest + self._text.decode(chunk)).replace("\r\n", "\n").split("\n")
        self._rest = lines.pop()
        events = []
        for line in lines:
            if line.startswith("data:"):
                self._data.append(line[5:].removeprefix(" "))
            elif not line and self._data:
                events.append("\n".join(self._data))
                self._data = []
        return events


class Frames:
    """Holds back the half of an event with which a chunk ends: an event that never comes whole must not be sent."""

    def __init__(self) -> None:
        self.held = b""

    def feed(self, chunk: bytes) -> bytes:
        """All of the stream so far that ends with a whole event, and has not been returned before."""
        text = self.held + chunk
        end = max(text.rfind(mark) + len(mark) if mark in text else 0 for mark in (b"\n\n", b"\r\n\r\n"))
        self.held = text[end:]
        return text[:end]


def encode(data: str, kind: str | None = None) -> bytes:
    """Write one event, with its kind where the dialect names kinds; `data` is one line."""
    return (f"event: {kind}\n" if kind else "").encode() + f"data: {data}\n\n".encode()
