"""Output guards that are made for a test: one for a single word, one that fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from guard.types import Release

REPLACEMENT = "I cannot tell you anything about that."


@dataclass
class Word:
    """Guards against one word; holds back what could become it."""

    word: str = "Secret"
    hit: Literal["cut", "redact", "replace"] = "cut"

    def watch(self) -> WordWatch:
        return WordWatch(self)


class WordWatch:
    def __init__(self, word: Word) -> None:
        self._guard = word
        self._held = ""
        self._begun = False

    def feed(self, text: str) -> Release:
        word, out = self._guard.word, ""
        self._held += text
        while (at := self._held.find(word)) >= 0:
            out += self._held[:at]
            if self._guard.hit != "redact":
                alone = self._guard.hit == "replace" and not out and not self._begun
                return Release(REPLACEMENT if alone else out, True)
            out += "***"
            self._held = self._held[at + len(word) :]
        most = min(len(word) - 1, len(self._held))
        keep = next((size for size in range(most, 0, -1) if word.startswith(self._held[-size:])), 0)
        out += self._held[: len(self._held) - keep]
        self._held = self._held[len(self._held) - keep :]
        self._begun |= bool(out)
        return Release(out)

    def finish(self) -> Release:
        return Release(self._held)


@dataclass
class Failing:
    """Holds everything back, and raises when its watch is made, fed with `X`, or finished."""

    error: Exception
    where: Literal["watch", "feed", "finish"]

    def watch(self) -> Failing:
        if self.where == "watch":
            raise self.error
        return self

    def feed(self, text: str) -> Release:
        if self.where == "feed" and "X" in text:
            raise self.error
        return Release("")

    def finish(self) -> Release:
        if self.where == "finish":
            raise self.error
        return Release("")
