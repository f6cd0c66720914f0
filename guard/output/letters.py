"""The form in which protected spans and answers are compared: words of plain letters and digits.

Every character is taken alone, so that a text that grows never changes what was already read of it, and every letter
knows where it stands. Case, accents, width, punctuation, invisible characters and other alphabets' letters that look
like Latin ones make no difference.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from guard.lookalikes import plain_letter
from guard.normalise import normalise

ASCII_WORD = re.compile("[a-z0-9]+")
BREAK = " "
# Scripts that put no blanks between words: every letter of them is a word of its own.
_ALONE = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\ua9e0-\ua9ff\uaa60-\uaa7f\uac00-\ud7af\uf900-\ufaff\U0001aff0-\U0001b16f\U00020000-\U0003ffff]"
)


@lru_cache(maxsize=8192)
def letters(character: str) -> str:
    """What `character` stands for: letters and digits, `BREAK` where a word ends, "" for marks and the invisible."""
    # Behind a letter, where nothing is trimmed, since blanks must be told from what is not seen.
    plain = normalise(f"|{character}|").text[1:-1]
    parts = (part for part in unicodedata.normalize("NFD", plain) if not unicodedata.category(part).startswith("M"))
    shown = unicodedata.normalize("NFC", "".join(parts))
    return "".join(plain_letter(part) if part.isalnum() else BREAK for part in shown)


def alone(letter: str) -> bool:
    """Whether a letter is a word by itself."""
    return not letter.isascii() and _ALONE.match(letter) is not None


def key_of(text: str) -> str:
    """The words of `text` with one blank between them; "" where it has none."""
    shown = (letter for character in text for letter in letters(character))
    return " ".join("".join(f" {letter} " if alone(letter) else letter for letter in shown).split())
