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


def encode(data: str, kind: str | None = None) -> bytes:
    """Write one event, with its kind where the dialect names kinds; `data` is one line."""
    return (f"event: {kind}\n" if kind else "").encode() + f"data: {data}\n\n".encode()
