"""Whether a question is complete in itself or leans on what was said before. English only; anything else leans."""

from __future__ import annotations

import re

from guard.views import views


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words that point outside the question: at a person or thing, at an earlier turn, or at its answer.
_POINTERS = _words("""
    he him his himself she her hers herself they them their theirs themselves it its itself this that these
    those one ones who's whose same such other others another else both either neither former latter previous
    previously earlier before prior above below again also too still instead more further then there therein
    thereof thus hence so first second third fourth fifth last next initial original originally back
    aforementioned mentioned said told asked ask question questions answer answers answered reply replies
    response conversation chat message messages topic subject person someone somebody continue proceed resume
    repeat redo retry rephrase elaborate expand clarify yes yeah yep no ok okay sure alright aforesaid
    following missing unknown blank here
""")
# These point at the conversation itself, whatever name stands beside them.
_TURNS = _words("""
    former latter previous previously earlier prior above below again aforementioned said told asked ask question
    questions answer answers answered reply replies response conversation chat message messages continue proceed
    resume repeat redo retry rephrase clarify aforesaid
""")
# These count from something, or ask for more of it; a name in the same question says of what ("another book by Jane
# Doe", "elaborate on Jane Doe's style").
_COUNTED = _words("other another more first second third fifth last next elaborate expand person subject")
# What is always somebody's or something's; only a name in the same question says whose.
_RELATIVE = re.compile(
    "|".join(
        _words(r"""
    born births? birth\w+ died deaths? dead married wife wives husbands? spouses? child\w* kids parents?
    mothers? fathers? sons? daughters? siblings? brothers? sisters? teachers? taught mentors? students? pupils?
    famil\w+ famous known awards? prizes? honou?r\w* books? novels? poems? wrote written works? publish\w+
    careers? professions? jobs? occupations? genres? themes? titles? titled characters? plots? chapters?
    endings? sequels? series genders? nationality home\w* aged? bio biograph\w+ life lives lived legacy
    influenc\w+ inspir\w+ invent\w+ discover\w+ found\w+ education studie[ds] schools? upbringing achievements?
    names? named surname initials facts? details?
""")
    )
)
_COMMON = _words("""
    a an the of in on at to for from with by about into over between what which who whom when where why how is
    are was were be been am do does did can could will would should may might must has have had i me my we us
    our you your and or if as than not any some all many much most there it please tell give write make show
""")
_WORD = re.compile(r"\w+(?:['\u2019]\w+)?")
# "the capital of", "the two main rivers of", "the famous Hagia"; not "the author", "the mother lived in Paris".
_THE = re.compile(r"\b[Tt]he (?=[a-z])")
_BOUND = re.compile(
    r"(?:[a-z'-]+ ){1,4}of\b|[a-z'-]+ [A-Z0-9]|[a-z]+est [a-z]+ (?:in|on) [A-Z]"
    r"|(?:[a-z'-]+ ){1,6}(?:by|that|which|who|whom|where|made|wrote|won) (?:[a-z]+ ){0,2}[A-Z]\w+ [A-Z]"
    r"|(?:[a-z'-]+ ){1,6}[A-Z]\w+ [A-Z]"
)
# An "it", a "there", a "one" or a "that" which stands for nothing said before.
_EMPTY = re.compile(
    r"\b(?:(?:(?:would|does|will) it take to|[Ii]s it (?:true(?: that)?|possible|safe|legal))\b"
    r"|(?:[Aa]re|[Ii]s|[Ww]ere|[Ww]as) there (?=an?\b|any\b|some\b)"
    r"|one of (?=[A-Z]\w+ [A-Z])"
    r"|[Tt]he one (?=(?:who|where|that|which) (?:[a-z]+ ){0,2}[A-Z]\w+ [A-Z])"
    r"|that (?=[A-Z][\w-]+ [A-Z])"
    r"|(?<= )an? (?:[A-Za-z-]+ ){1,3}that (?=[a-z]+s\b))"
)
# Not at the beginning, where "Add Marie" and "Does Marie" look like one.
_FULL_NAME = re.compile(r"(?<=[a-z,] )[A-Z][\w'\u2019-]+ [A-Z]")
# Letters that no English text with foreign names has.
_FOREIGN = re.compile(r"[^\x00-\u024f\u2018-\u201d\u2013\u2014\u2026]")
_LEAD = re.compile(r"\W*(?:and|but|or|so|also|then|plus|what about|how about|go on)\b", re.IGNORECASE)


def stands_alone(text: str) -> bool:
    """True only where `text` is shown to need no earlier turn; in doubt False.

    It must be plain English (enough common words, nothing disguised) of four words and more (three with a name),
    start with no conjunction, and hold no pronoun or other word that points back and no definite noun ("the author")
    without "of" or a name after it. Behind a full name pronouns and definite nouns are taken for that name's. Where it
    speaks of what belongs to somebody (birth, works, awards) it must also name one.
    """
    plain = _EMPTY.sub("is ", text)
    words = _WORD.findall(plain)
    small = [word.lower() for word in words]
    names = sum(_named(word) for word in words[1:] if word != "I")
    # Capitals everywhere name nothing.
    if (
        len(words) < (3 if names else 4)
        or 2 * names > len(words)
        or _FOREIGN.search(text)
        or len(views(text)) != 1
        or _LEAD.match(text)
    ):
        return False
    spoken = [word.lower() for place, word in enumerate(words) if not (place and _named(word))]
    # Few words are common in "Has Jane Doe's upbringing influenced her writing style?"
    most = 8 if _name(plain) < len(plain) else 3
    if most * sum(word in _COMMON for word in spoken) < len(spoken) or _points_back(plain):
        return False
    if any(not _BOUND.match(text, the.end()) for the in _THE.finditer(text, 0, _name(text))):
        return False
    content = [word for word in small if word not in _COMMON]
    return bool(content) and (names > 0 or (len(content) > 1 and not any(map(_RELATIVE.fullmatch, content))))


def _points_back(text: str) -> bool:
    """Whether a pronoun, or a word like "previous", stands for something outside the question."""
    name = _name(text)
    pointers = _POINTERS - _COUNTED if name < len(text) else _POINTERS
    before, behind = ({word.lower() for word in _WORD.findall(part)} for part in (text[:name], text[name:]))
    return not pointers.isdisjoint(before) or not _TURNS.isdisjoint(behind)


def _name(text: str) -> int:
    """Where a full name begins; the text's length where none does."""
    found = _FULL_NAME.search(text)
    return found.start() if found else len(text)


def _named(word: str) -> bool:
    return word[0].isupper() or word[0].isdigit()
