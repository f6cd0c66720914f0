"""Letters that look like Latin ones, by Unicode's own table of confusables (UTS 39) and by their names."""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache

from guard.traced import Edit, Traced

# Shapes that UTS 39 keeps apart and readers do not: the letters of "faux Cyrillic" and Greek.
_SHAPES = dict(
    zip(
        "\u043f\u0438\u0439\u043b\u044f\u0433\u0448\u0449\u0434\u0446\u0447\u0431\u044c\u044a\u0454\u044d"
        "\u03b5\u03c3\u039b\u03bb\u03b4\u03c0\u03c9\u03bc\u03b2\u03ba\u03b8\u03c6\u03be",
        "nnnnrrwwduybbbeeeoaldnwubkooe",
        strict=True,
    )
)
_NAMED = re.compile(
    r"(?:LATIN (?:SMALL|CAPITAL) LETTER (?:DOTLESS |SCRIPT |OPEN |LONG |SMALL CAPITAL )?"
    r"|LATIN LETTER SMALL CAPITAL |(?:NEGATIVE )?(?:CIRCLED|SQUARED|CROSSED NEGATIVE SQUARED) LATIN CAPITAL LETTER "
    r"|REGIONAL INDICATOR SYMBOL LETTER )([A-Z])(?: WITH .+)?"
)
_ALPHABETS = ("CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC")
_WORD = re.compile(r"[^\W_]+")
_FOREIGN = re.compile(r"[^\x00-\x7f]")


@lru_cache(maxsize=4096)
def latin_base(char: str) -> str | None:
    """The small ASCII letter that a Latin letter is a form of: l of U+0142, r of U+0280; None for other characters."""
    found = _NAMED.fullmatch(unicodedata.name(char, ""))
    return found[1].lower() if found else None


def undo_lookalikes(text: Traced) -> Traced:
    """Latin letters in place of their look-alikes, in words that mix scripts or turn Latin as a whole.

    Other words of another script stay as they are, and so do short ones unless some word mixes scripts. An ordinary
    Cyrillic or Greek text has a second reading where it holds a word that is made of look-alikes by chance.
    """
    if text.text.isascii():
        return text
    words = [word for word in _WORD.finditer(text.text) if _FOREIGN.search(word[0])]
    mixed = [re.search("[a-zA-Z]", word[0]) is not None for word in words]
    least = 1 if any(mixed) else 3
    edits: list[Edit] = []
    for word, both in zip(words, mixed, strict=True):
        latin = "".join(char if char.isascii() else _lookalike(char, loosely=both) or char for char in word[0])
        if latin != word[0] and (both or (latin.isascii() and len(latin) >= least)):
            edits.append((word.start(), word.end(), latin))
    return text.edited(edits)


@lru_cache(maxsize=4096)
def plain_letter(char: str) -> str:
    """The small Latin letter that a letter of an alphabet like Latin's is taken for, by the table alone; else `char`.

    Taken letter by letter, whatever the word: one that is spelt in look-alikes throughout becomes the word it shows.
    """
    if not unicodedata.name(char, "").startswith(_ALPHABETS):
        return char
    near = _lookalike(char, loosely=False)
    return near.lower() if near and near.isalpha() else char


@lru_cache(maxsize=4096)
def _lookalike(char: str, *, loosely: bool) -> str | None:
    """The ASCII letter or digit that `char` is taken for, None where there is none."""
    if latin := latin_base(char):
        return latin
    # The capital is asked too: small \u043c is no small m to UTS 39, but its capital is a capital M.
    for form in (char, char.upper(), char.lower()):
        near = (loosely and _SHAPES.get(form)) or _table().get(form)
        if near:
            # UTS 39 has one shape for capital i and small l.
            return "i" if near == "l" and form.isupper() else near
    return None


@cache
def _table() -> dict[str, str]:
    """UTS 39's confusables with one ASCII letter or digit, some by way of a third character."""
    # Imported when the first foreign letter comes: reading its table takes a good part of a second.
    from confusable_homoglyphs.confusables import confusables_data

    table: dict[str, str] = {}
    for char, near in confusables_data.items():
        shapes = [item["c"] for item in near if len(item["c"]) == 1]
        found = next((shape for shape in shapes if shape.isascii() and shape.isalnum()), None)
        found = found or next((base for shape in shapes if (base := latin_base(shape))), None)
        if len(char) == 1 and not char.isascii() and found:
            table[char] = found
    return table
