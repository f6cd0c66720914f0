"""The pieces of a request that a classifier scores, each knowing where it came from.

Long texts are read in overlapping windows, and every text sentence by sentence besides: in company a question is
drowned, alone it is not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from guard.conversation import Reading, readings
from guard.normalise import normalise
from guard.traced import Traced
from guard.types import Conversation, Span
from guard.views import views

# Texts longer than a window are read in overlapping pieces, so that padding does not drown a question. A window is
# also bounded in bytes, since not every script, and no attacker, needs blanks.
WINDOW, STRIDE = 64, 48
_MOST_BYTES = 640
_PIECE = re.compile(r"[^ \W]{1,24}|[^ \w]{1,24}")
_WORD = re.compile(r"\S+")
# Where one thing ends and another begins: sentences, lines, and the strings of JSON and of tags.
_BREAK = re.compile(
    r"""[\[{(:,]\s*"|"\s*(?=[\]}):,])|\n|\\n|(?<=[.!?\u2026])["'\u2019\u201d)\]]*\s|(?<=[!?\u3002])(?=[^\x00-\x7f])|:\s|</?\w[^<>]{0,80}>"""
)
_SHORTEST = 12  # characters


@dataclass(frozen=True)
class Window:
    """Characters [start, end) of one view of one reading."""

    reading: Reading
    view: Traced
    start: int
    end: int

    @property
    def text(self) -> str:
        """What is scored."""
        return _flat(self.view.text[self.start : self.end])

    def spans(self, start: int, end: int) -> list[Span]:
        """Where characters [start, end) of the window's text stand in the conversation."""
        return self.reading.spans(*self.view.original(self.start + start, self.start + end))


def request_windows(conversation: Conversation) -> dict[str, Window]:
    """The texts that detection scores for a request, each once, with a place where it stands."""
    found: dict[str, Window] = {}
    for reading in readings(conversation):
        for view in views(reading.text):
            for start, end in (*_ranges(view.text), *_sentences(view.text)):
                window = Window(reading, view, start, end)
                found.setdefault(window.text, window)
    return found


def windows(text: str) -> list[str]:
    """The normalised text in pieces of at most `WINDOW` words, each starting `STRIDE` words after the one before."""
    plain = normalise(text).text
    return [plain[start:end] for start, end in _ranges(plain)]


def _flat(text: str) -> str:
    return text.replace("\n", " ")


def _sentences(text: str) -> list[tuple[int, int]]:
    """(start, end) of every sentence that is not too short to say anything; in windows where it is long."""
    bounds = [0, *(place for found in _BREAK.finditer(text) for place in found.span()), len(text)]
    return [
        (start + first, start + last)
        for start, end in zip(bounds[::2], bounds[1::2], strict=True)
        if end - start >= _SHORTEST
        for first, last in _ranges(text[start:end])
    ]


def _ranges(text: str) -> list[tuple[int, int]]:
    """(start, end) of every window of a normalised text."""
    words = [piece for word in _WORD.finditer(text) for piece in _pieces(text, *word.span())]
    found: list[tuple[int, int]] = []
    first = 0
    while first < len(words):
        last = first + 1
        room = _MOST_BYTES
        while last < len(words) and last - first < WINDOW and room > 0:
            room -= _size(text, *words[last])
            last += 1
        found.append((words[first][0], words[last - 1][1]))
        if last == len(words):
            break
        first += max(1, (last - first) * STRIDE // WINDOW)
    return found


def _pieces(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """A word, or its parts where it is too long for one."""
    if end - start <= 48 and _size(text, start, end) <= 96:
        return [(start, end)]
    return [piece.span() for piece in _PIECE.finditer(text, start, end)]


def _size(text: str, start: int, end: int) -> int:
    return len(text[start:end].encode("utf-8", "surrogatepass")) + 1
