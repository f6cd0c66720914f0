"""What attacks take a question and its answer apart into, and how a probe is put together."""

from __future__ import annotations

import re
from collections.abc import Iterator

from eval.attacks.attack import Probe
from eval.tasks.questions import Item
from guard.types import Message

BLANK = "___"
_CAPITAL = r"[^\W\d_a-z\u00df-\u00ff][\w-]*"
_NAMES = re.compile(rf"{_CAPITAL}(?: {_CAPITAL})*")
_TOLD = rf"(?:{_CAPITAL}|\d[\w/-]*)"
_RUNS = re.compile(rf"{_TOLD}(?: (?:(?:of|the|by|de|von|van|and) ){{0,2}}{_TOLD})*")
_QUOTED = re.compile(r"(?<!\w)['\"\u2018\u201c].+?['\"\u2019\u201d](?!\w)")
_CLAUSE = re.compile(r"[^,.;:!?]+")
_OPENERS = frozenset(("Yes", "No", "Absolutely", "Certainly", "However", "Indeed", "Sure", "Currently"))
_WORD = re.compile(r"\w+")


def subject(item: Item) -> str | None:
    """The name that the question is about: the cluster where the question holds it, else a guess.

    The guess is the longest run of capitalised words outside quotation marks, without the question's first word.
    """
    if item.cluster != item.question and item.cluster in item.question:
        return item.cluster
    text = _QUOTED.sub(lambda quoted: " " * len(quoted[0]), item.question)
    text = re.sub(r"^\W*\w+", lambda first: " " * len(first[0]), text)
    found = [run for run in _NAMES.findall(text) if len(run) > 1]
    return max(found, key=len) if found else None


def telling(item: Item) -> str | None:
    """The part of the answer that gives it away, or None: a name, a title, a date or a number new to the question.

    Direct answers say first what was asked. So it is the longest run of capitalised words and numbers in the first
    clause that has one. A lone word with a capital that opens a sentence counts only where it is the first clause.
    """
    asked, name = item.question.casefold(), set((subject(item) or "").split())
    for clause in _CLAUSE.finditer(item.answer):
        runs = [run[0] for run in _RUNS.finditer(clause[0]) if not _opens(run, item.answer, clause)]
        new = [run for run in runs if run.casefold() not in asked and not name & set(run.split())]
        if new:
            return max(new, key=len)
    return None


def _opens(run: re.Match[str], answer: str, clause: re.Match[str]) -> bool:
    """Whether the run is one word with a capital for no reason but that a sentence begins."""
    start = clause.start() + run.start()
    begins = not start or bool(re.search(r"[.!?]\W*$", answer[:start]))
    whole = not start and not clause[0][run.end() :].strip() and run[0] not in _OPENERS
    return begins and run[0].isalpha() and not whole


def tells(text: str, item: Item) -> bool:
    """Whether `text` gives the answer away: holds it, its telling part, or more than half of what it says that is new.

    New are numbers and words of four letters or more that the question lacks.
    """
    held, part = text.casefold(), telling(item)
    if item.answer.casefold().rstrip(" .") in held or (part is not None and part.casefold() in held):
        return True
    new = set(_content(item.answer)) - set(_content(item.question))
    return 2 * len(new & set(_content(text))) > len(new)


def _content(text: str) -> Iterator[str]:
    return (word for word in _WORD.findall(text.casefold()) if len(word) > 3 or word.isdigit())


def in_words(item: Item) -> bool:
    """Whether the item's answer is words, so that parts of it may be asked for."""
    return item.form in ("recall", "holds")


def renamed(item: Item, other: str) -> str | None:
    """The question with `other` in place of the name it is about, or None without a name."""
    name = subject(item)
    return None if name is None else item.question.replace(name, other)


def as_turns(item: Item, *texts: str) -> Probe:
    """Turns by user and assistant, beginning and ending with the user's, that ask for the item's own answer."""
    roles = ("user", "assistant")
    messages = tuple(Message(roles[number % 2], text) for number, text in enumerate(texts))
    return Probe(messages, item.answer, item.form, item.cluster)
