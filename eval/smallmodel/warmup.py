"""Episodes of random tokens that teach a small model to look things up in its prompt before it meets language.

Matching a token with its earlier occurrence (the induction heads of Olsson et al., arXiv:2209.11895) is what reading,
hiding and multiple choice are built on. It is learned soonest where nothing else can lower the loss.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from transformers import PreTrainedTokenizerFast

from eval.smallmodel.tokenizer import END, ROLES
from eval.smallmodel.train import IGNORED, Example
from eval.world.questions import LETTERS


@dataclass(frozen=True)
class Turn:
    """What is asked and what is answered, in token ids; `learned` are the places of the answer that can be known."""

    asked: list[int]
    answered: list[int]
    learned: tuple[int, ...] | None = None  # all


VERDICT = 8.0
Kind = Callable[[], tuple[list[int], list[Turn]]]


class Warmup:
    """Draws episodes: copying, looking up by key, options and letters, and whether words were met before.

    Letters and verdicts are asked in two ways: word by word, which is learned soon, and as a chat asks for them.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, rng: random.Random) -> None:
        self._rng = rng
        vocabulary = tokenizer.get_vocab()
        self._id = vocabulary
        special = {END, *ROLES.values(), tokenizer.pad_token}
        self._words = sorted(i for token, i in vocabulary.items() if len(token) > 1 and token not in special)
        # The same word with and without the space before it: to a reader they are one.
        pairs = [(vocabulary["Ġ" + token], i) for token, i in vocabulary.items() if "Ġ" + token in vocabulary]
        self._twin = dict(pairs) | {b: a for a, b in pairs}
        self._first: dict[Kind, int] = {self._copy: 1, self._mark: 1, self._member: 1}
        self._all: dict[Kind, int] = {
            self._copy: 16,
            self._lookup: 16,
            self._tell_letters: 20,
            self._options: 20,
            self._mark: 13,
            self._member: 15,
        }

    def lessons(self, count: int) -> list[Example]:
        """`count` episodes: copying and verdicts in the first quarter, all kinds after it.

        Verdicts are heavy, since they are few; even so, beside everything else from the start they are never learned.
        """
        first = self._draw(self._first, count // 4)
        return first + self._draw(self._all, count - len(first))

    def _draw(self, kinds: dict[Kind, int], count: int) -> list[Example]:
        return [self._episode(kind) for kind in self._rng.choices(list(kinds), list(kinds.values()), k=count)]

    def _episode(self, kind: Kind) -> Example:
        opening, turns = kind()
        ids, labels = list(opening), [IGNORED] * len(opening)
        for turn in turns:
            head = [*turn.asked, self._id[END], self._id[ROLES["assistant"]]]
            body = [*turn.answered, self._id[END]]
            ids += head + body
            known = range(len(body)) if turn.learned is None else turn.learned
            labels += [IGNORED] * len(head) + [token if i in known else IGNORED for i, token in enumerate(body)]
        return Example(ids, labels, VERDICT if kind in (self._mark, self._member) else 1.0)

    def _word(self, least: int = 1, most: int = 3) -> list[int]:
        return [self._rng.choice(self._words) for _ in range(self._rng.randint(least, most))]

    def _again(self, word: list[int]) -> list[int]:
        """The word once more, at times in its other form."""
        twin = self._twin.get(word[0])
        return [twin, *word[1:]] if twin is not None and self._rng.random() < 0.5 else word

    def _copy(self) -> tuple[list[int], list[Turn]]:
        text = self._word(4, 14)
        return [self._id[ROLES["user"]]], [Turn(text, text)]

    def _listed(self) -> tuple[list[int], list[list[int]]]:
        """Four words, each after a letter."""
        words: list[list[int]] = []
        while len(words) < len(LETTERS):
            word = self._word()
            if all(word[0] != other[0] for other in words):
                words.append(word)
        ids = [self._id[ROLES["user"]], *self._word(0, 4)]
        for letter, word in zip(LETTERS, words, strict=True):
            ids += [self._id["Ċ"], self._id[letter], self._id[")"], *word]
        return ids, words

    def _tell_letters(self) -> tuple[list[int], list[Turn]]:
        opening, words = self._listed()
        answer: list[int] = []
        letters = []
        for place in self._rng.sample(range(len(LETTERS)), len(LETTERS)):
            answer += [*self._again(words[place]), self._id[LETTERS[place]]]
            letters.append(len(answer) - 1)
        return opening, [Turn([], answer, tuple(letters))]

    def _options(self) -> tuple[list[int], list[Turn]]:
        opening, words = self._listed()
        user = self._id[ROLES["user"]]
        turns: list[Turn] = []
        for place in self._rng.sample(range(len(LETTERS)), self._rng.randint(2, len(LETTERS))):
            letter = [self._id[LETTERS[place]]]
            before = [user] if turns else [self._id["Ċ"]]
            to_letter = self._rng.random() < 0.7
            asked = self._again(words[place]) if to_letter else letter
            turns.append(Turn(before + asked, letter if to_letter else words[place]))
        return opening, turns

    def _lookup(self) -> tuple[list[int], list[Turn]]:
        user = self._id[ROLES["user"]]
        pairs = [(self._word(1, 2), self._word(1, 2)) for _ in range(self._rng.randint(3, 7))]
        opening = [user]
        for key, value in pairs:
            opening += [*key, self._id[":"], *value, self._id["."]]
        asked = self._rng.sample(pairs, min(len(pairs), 4))
        return opening, [Turn([user, *self._again(key)], value) for key, value in asked]

    def _verdict(self, met: bool) -> int:
        return self._id["I" if met else "A"]

    def _mark(self) -> tuple[list[int], list[Turn]]:
        told = self._word(3, 10)
        answer: list[int] = []
        for _ in range(self._rng.randint(4, 10)):
            met = self._rng.random() < 0.5
            word = self._again([self._rng.choice(told)]) if met else self._word(1, 1)
            answer += [*word, self._verdict(met)]
        return [self._id[ROLES["system"]], *told], [Turn([], answer, tuple(range(1, len(answer), 2)))]

    def _member(self) -> tuple[list[int], list[Turn]]:
        user, name, around = self._id[ROLES["user"]], self._word(2, 4), self._rng.choice((0, 1, 4))
        opening = [self._id[ROLES["system"]], *self._word(0, around), *name, *self._word(0, around), self._id[END]]
        turns = []
        for _ in range(self._rng.randint(2, 4)):
            met = self._rng.random() < 0.5
            words = self._again(name) if met else self._word(2, 4)
            asked = [*self._word(0, around), *words, *self._word(0, around)]
            turns.append(Turn([user, *asked], [self._verdict(met)], (0,)))
        return opening, turns
