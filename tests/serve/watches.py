"""Output guards that are made for a test: one for a single word, one that fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from guard.types import Corrupt, Masked, Release

REPLACEMENT = "I cannot tell you anything about that."


@dataclass
class Word:
    """Guards against one word; holds back what could become it."""

    word: str = "Secret"
    hit: Literal["again", "cut", "redact", "replace"] = "cut"
    slow: bool = False

    def watch(self, *, whole: bool = False) -> WordWatch:
        return WordWatch(self, held=whole and self.hit == "again")

    def again(self, topics: frozenset[str], number: int, *, drawn: bool) -> Corrupt | None:
        return None


class WordWatch:
    def __init__(self, word: Word, *, held: bool) -> None:
        self._guard = word
        self._whole = held
        self._held = ""
        self._begun = False

    def feed(self, text: str) -> Release:
        word, out, masked = self._guard.word, "", ()
        self._held += text
        if self._whole and word not in self._held:
            return Release("")
        while (at := self._held.find(word)) >= 0:
            out += self._held[:at]
            if self._guard.hit != "redact":
                told = frozenset({"t"} if self._guard.hit == "again" else ())
                if self._whole:
                    return Release(REPLACEMENT, True, told, True)
                alone = self._guard.hit in ("again", "replace") and not out and not self._begun
                return Release(REPLACEMENT, True, told, True) if alone else Release(out, True)
            masked += (Masked(len(out), 3, len(word)),)
            out += "***"
            self._held = self._held[at + len(word) :]
        most = min(len(word) - 1, len(self._held))
        keep = next((size for size in range(most, 0, -1) if word.startswith(self._held[-size:])), 0)
        out += self._held[: len(self._held) - keep]
        self._held = self._held[len(self._held) - keep :]
        self._begun |= bool(out)
        return Release(out, masked=masked)

    def finish(self) -> Release:
        return Release(self._held)


@dataclass
class Failing:
    """Holds everything back, and raises when its watch is made, fed with `X`, or finished."""

    error: Exception
    where: Literal["watch", "feed", "finish"]
    slow: bool = False

    def watch(self, *, whole: bool = False) -> Failing:
        if self.where == "watch":
            raise self.error
        return self

    def again(self, topics: frozenset[str], number: int, *, drawn: bool) -> Corrupt | None:
        raise self.error

    def feed(self, text: str) -> Release:
        if self.where == "feed" and "X" in text:
            raise self.error
        return Release("")

    def finish(self) -> Release:
        if self.where == "finish":
            raise self.error
        return Release("")
