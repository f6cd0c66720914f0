"""Random requests for the output guard: spans, prompts, texts, disguises and the pieces in which they come."""

from __future__ import annotations

import random
from dataclasses import dataclass

from eval.bench.stream_oracle import Case, Rule, words_of
from guard.policy import OnHit

# Few and alike, so that spans begin, break off, nest and overlap all the time.
_WORDS = ("mira", "mir", "tol", "vane", "port", "vale", "a", "an", "1972", "19", "die", "strasse", "\u0439\u043e\u0434")
_LONE = ("\u6771", "\u4eac", "\uac01")
_BREAKS = (
    " ",
    " ",
    " ",
    "  ",
    ", ",
    ". ",
    ".\n",
    "! ",
    "-",
    "'",
    "\n",
    "\u00a0",
    "\u3002",
    '." ',
    "_",
    " (",
    "\u2026 ",
)
_UNSEEN = ("\u200b", "\u0301", "\u0306", "\u00ad", "\u2060", "\ufe0f")
# Cyrillic and Greek letters for a, e, i, m, o, p, t, v.
_ALIKE = dict(zip("aeimoptv", "\u0430\u0435\u0456\u043c\u03bf\u0440\u03c4\u03bd", strict=True))
_TOPICS = ("one", "two")
_ACTIONS: tuple[OnHit, ...] = ("again", "cut", "redact", "redact", "redact", "replace")
_CHOICES = (1, 1, 2, 3)


@dataclass(frozen=True)
class Draw:
    """One request and its answers: a text for each of `n` choices, split into pieces.

    `looks` says behind which piece of each answer the oracle is asked what must have left; at the end it always is.
    """

    case: Case
    answers: tuple[tuple[str, ...], ...]
    looks: tuple[int, ...]


def draw(rng: random.Random) -> Draw:
    """A request with up to six spans of two topics, and one to three answers."""
    rules = tuple(_rule(rng) for _ in range(rng.randint(0, 6)))
    known = {rule.topic for rule in rules}
    asked, doubted = (known & {topic for topic in _TOPICS if rng.random() < share} for share in (0.3, 0.15))
    case = Case(
        rules=tuple(_strongest(rules)),
        on_hit={topic: rng.choice(_ACTIONS) for topic in _TOPICS},
        prompt=_text(rng, rules, 3) if rng.random() < 0.5 else "",
        asked=frozenset(asked),
        doubted=frozenset(doubted),
        whole=rng.random() < 0.3,
        objects=frozenset((rng.choice(_WORDS), rng.choice(_TOPICS)) for _ in range(rng.choice((0, 0, 1, 2)))),
    )
    answers = tuple(pieces(_text(rng, rules, 10), rng) for _ in range(rng.choice(_CHOICES)))
    return Draw(case, answers, tuple(rng.randrange(len(answer) or 1) for answer in answers))


def pieces(text: str, rng: random.Random) -> tuple[str, ...]:
    """The text as a whole, letter by letter, or cut at random."""
    kind = rng.random()
    if kind < 0.1:
        return (text,)
    if kind < 0.3:
        return tuple(text)
    cuts = sorted(rng.randint(0, len(text)) for _ in range(rng.randint(1, 8)))
    return tuple(text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True))


def _rule(rng: random.Random) -> Rule:
    count = rng.choice((1, 1, 2, 2, 3))
    text = " ".join(rng.choice(_WORDS if rng.random() < 0.9 else _LONE) for _ in range(count))
    words = tuple(word.text for word in words_of(text)[0])
    return Rule(words, rng.choice(_TOPICS), rng.choice((1, 2, 2, 3, 3)), rng.random() < 0.25)


def _strongest(rules: tuple[Rule, ...]) -> list[Rule]:
    """Of several rules for one span and topic the strongest."""
    best: dict[tuple[tuple[str, ...], str], Rule] = {}
    for rule in rules:
        at = (rule.words, rule.topic)
        if at not in best or (rule.strength, rule.name) > (best[at].strength, best[at].name):
            best[at] = rule
    return list(best.values())


def _text(rng: random.Random, rules: tuple[Rule, ...], most: int) -> str:
    parts: list[str] = []
    for _ in range(rng.randint(0, most)):
        kind = rng.random()
        if kind < 0.35 and rules:
            parts.append(_disguised(" ".join(rng.choice(rules).words), rng))
        elif kind < 0.85:
            parts.append(_disguised(rng.choice(_WORDS if rng.random() < 0.9 else _LONE), rng))
        elif kind < 0.93:
            parts.append(rng.choice(_UNSEEN))
        else:
            parts.append(_any_character(rng))
        parts.append(rng.choice(_BREAKS) if rng.random() < 0.85 else "")
    return "".join(parts)


def _disguised(text: str, rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.5:
        return text
    if kind < 0.6:
        return text.upper()
    if kind < 0.7:
        return text.title().replace("ss", "\u00df")
    if kind < 0.8:
        return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)
    if kind < 0.87:
        return "".join(_ALIKE.get(c, c) if rng.random() < 0.7 else c for c in text)
    return "".join(c + (rng.choice(_UNSEEN) if rng.random() < 0.3 else "") for c in text)


def _any_character(rng: random.Random) -> str:
    while True:
        code = rng.randrange(0x300 if rng.random() < 0.5 else 0x2FFFF)
        if not 0xD800 <= code < 0xE000:
            return chr(code)
