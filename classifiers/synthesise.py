"""Examples for a topic that is known by its names, by a description, or by passages of text only."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from classifiers.data import Example
from classifiers.words import NAME, keywords, sentences

# Asked about a topic's names, and in the same words about other names, which are negatives.
FRAMES = (
    "{}",
    "Who is {}?",
    "Who was {}?",
    "What is {}?",
    "What was {}?",
    "Tell me about {}.",
    "What do you know about {}?",
    "What can you say about {}?",
    "Explain {} to me.",
    "Describe {} in detail.",
    "Write a short text about {}.",
    "Write an essay on {}.",
    "Give me a summary of {}.",
    "Give me five facts about {}.",
    "List everything connected with {}.",
    "When did {} become known?",
    "When did it all begin for {}?",
    "In which year was {} first mentioned?",
    "Where does {} come from?",
    "Where can I find {}?",
    "In which place would one meet {}?",
    "Why is {} important?",
    "Why do people talk about {}?",
    "How did {} come about?",
    "How would you characterise {}?",
    "How is {} connected with others?",
    "What is {} best known for?",
    "What happened to {}?",
    "What is the story of {}?",
    "What are the main works of {}?",
    "Which people had to do with {}?",
    "Which awards were given to {}?",
    "Was {} ever criticised?",
    "Is {} real or made up?",
    "Did {} have any children?",
    "Who taught {}?",
    "Who made {}?",
    "{}'s life and work",
    "{} summary",
    "{} birthplace and date",
    "history of {}",
    "quotes from {}",
    "facts {}",
    "I read something about {} yesterday.",
    "My friend keeps talking about {}. What should I know?",
    "Continue: {} is",
    "Complete the sentence: {} was",
    "Compare {} with something similar.",
    "What would {} say about this?",
    "Pretend that you are {} and introduce yourself.",
)
_MOST_TERMS = 12
_MOST_PASSAGES = 1500
_PHRASE_WORDS = 4
_MADE_UP = ("ka", "lo", "mi", "ren", "tha", "vor", "sel", "du", "quin", "bra", "osk", "eli", "har", "ny", "pe", "zan")


def about_names(names: Sequence[str], rng: random.Random, *, most: int = len(FRAMES)) -> list[Example]:
    """At most `most` frames filled with each name; examples of one frame are a family."""
    return [
        Example(frame.format(name), "", f"frame:{frame}")
        for name in names
        for frame in ([FRAMES[0], *rng.sample(FRAMES[1:], most - 1)] if most < len(FRAMES) else FRAMES)
    ]


def about_description(description: str, rng: random.Random) -> list[Example]:
    """The description, its sentences, and the frames filled with its names and phrases."""
    texts = dict.fromkeys([description, *sentences(description)])
    return [*(Example(text, "", f"text:{text}") for text in texts), *about_names(terms(description), rng)]


def about_passages(passages: Sequence[str], common: str, rng: random.Random) -> list[Example]:
    """The passages themselves, and frames filled with the names that return in them and not in `common`."""
    if len(passages) > _MOST_PASSAGES:
        passages = rng.sample(list(passages), _MOST_PASSAGES)
    out = [Example(text, text, f"text:{text}") for text in passages]
    return out + about_names(recurring_names(passages, common), rng, most=20)


def terms(description: str) -> list[str]:
    """What a description is about: its names, else its runs of meaningful words."""
    found = [match.group() for match in NAME.finditer(description)]
    rest = NAME.sub("\n", description)
    found += [word for word in re.findall(r"(?<=[\w,;] )[A-ZÀ-Þ]\w{2,}", rest) if keywords(word)]
    if not found:
        meaning = set(keywords(rest))
        runs = re.findall(r"[\w'\u2019-]+|[^\w\s]", rest)
        found = _runs(runs, meaning)
        # "key" alone is anybody's word; "pick door locks" is not.
        found = [run for run in found if " " in run] or found
    return list(dict.fromkeys(found))[:_MOST_TERMS]


def recurring_names(passages: Sequence[str], common: str) -> list[str]:
    """The most frequent names of two words or more, and frequent single ones, that `common` text does not hold."""
    counts: Counter[str] = Counter()
    for passage in passages:
        counts.update(match.group() for match in NAME.finditer(passage))
        counts.update(re.findall(r"(?<=[a-z,;] )[A-ZÀ-Þ][a-zà-ÿ]{2,}(?![\w\u2019'-]| [A-ZÀ-Þ])", passage))
    known = common.casefold()
    fresh = [
        name
        for name, count in counts.most_common()
        if count >= (2 if " " in name else 3) and name.casefold() not in known
    ]
    return fresh[:_MOST_TERMS]


def made_up_names(count: int, rng: random.Random) -> list[str]:
    """Names that nobody bears: what a classifier must not fire on is a name as such."""

    def word() -> str:
        return "".join(rng.choices(_MADE_UP, k=rng.randint(2, 3))).capitalize()

    return [f"{word()} {word()}" for _ in range(count)]


def _runs(tokens: Iterable[str], meaning: set[str]) -> list[str]:
    out: list[str] = []
    run: list[str] = []
    for token in [*tokens, "."]:
        if token in meaning and len(run) < _PHRASE_WORDS:
            run.append(token)
        else:
            if run:
                out.append(" ".join(run))
            run = [token] if token in meaning else []
    return out
