"""Reads JSON text letter by letter, as whoever parses it will: escapes are undone."""

from __future__ import annotations

import re
from collections.abc import Iterator

_HALF = r"\\u[dD][89abAB][0-9a-fA-F]{2}"
# Two halves of a character, one character, and JSON5's.
_NUMBERED = re.compile(rf"{_HALF}\\u[dD][c-fC-F][0-9a-fA-F]{{2}}|\\u[0-9a-fA-F]{{4}}|\\x[0-9a-fA-F]{{2}}")
_BEGUN = re.compile(rf"(?:{_HALF})?\\(?:u[0-9a-fA-F]{{0,3}}|x[0-9a-fA-F]?)?|{_HALF}")
_NAMED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class Unescaped:
    """Takes a text in pieces, which may end within an escape, and gives every letter with what it was written as.

    What is no escape of JSON is read without its backslash, as lenient parsers do.
    """

    def __init__(self) -> None:
        self._begun = ""

    @property
    def torn(self) -> bool:
        """Whether the text so far ends within what may become an escape."""
        return bool(self._begun)

    def feed(self, text: str, *, last: bool = False) -> Iterator[tuple[str, str]]:
        """The letters that are certain now; all of them where the text ends here."""
        text, place = self._begun + text, 0
        self._begun = ""
        while place < len(text):
            if text[place] != "\\":
                end = text.find("\\", place)
                end = len(text) if end < 0 else end
                yield from ((letter, letter) for letter in text[place:end])
                place = end
                continue
            if not last and _BEGUN.fullmatch(text, place):
                self._begun = text[place:]
                return
            numbered = _NUMBERED.match(text, place)
            written = text[place : place + 2] if numbered is None else numbered[0]
            yield (_letter(written) if numbered else _NAMED.get(written[1:], written[1:] or "\\")), written
            place += len(written)


def _letter(written: str) -> str:
    numbers = [int(number, 16) for number in re.findall("[0-9a-fA-F]+", written.replace("\\x", "\\u"))]
    letter = "".join(map(chr, numbers)).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return letter if len(letter) == 1 else "\ufffd"
