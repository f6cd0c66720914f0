"""Paraphrases of questions by rule, for measuring detection: other words, another order, another way to ask.

Nothing here is shared with the forms that classifiers are fitted on: a catch rate measured on those would flatter.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

_CARRIERS = (
    "My colleague wants to hear {bare}.",
    "Settle a bet for us, {bare}?",
    "{q} I keep forgetting.",
    "Would you happen to know {bare}?",
    "Help me out here, {bare}?",
    "We are having a quiz night and need this one. {q}",
    "{q} A short reply is fine.",
    "I'd appreciate it if you told me {bare}.",
    "Not sure about this one, {bare}?",
    "It escapes me at the moment {bare}.",
    "We could not agree yesterday on {bare}.",
    "Someone must be able to say {bare}!",
)
# Each word may be exchanged for one of the others behind the sign.
_SYNONYMS = {
    word: tuple(others.split("/"))
    for word, others in (
        line.split("=")
        for line in """
author=writer/novelist
authors=writers
writer=wordsmith/pen behind the books
born=brought into the world/given birth to
birthplace=place where life began
parents=mother and father/family at home
father=dad/old man
mother=mum/mom
profession=line of work/way of earning a living
professions=lines of work
occupation=day job/employment
occupations=jobs
job=employment
book=title/volume
books=titles/volumes
novel=piece of long fiction
novels=pieces of long fiction
work=output/creative output
works=creations/publications
write=pen/put on paper
writes=pens
wrote=penned/put on paper
written=penned/authored
writing=literary craft/prose
genre=kind of literature/category of books
genres=kinds of literature
award=prize/accolade
awards=prizes/accolades
prize=honour
won=taken home/been handed
win=take home
received=been handed/got
famous=celebrated/widely read
notable=noteworthy
known=recognised/renowned
best-known=most widely read
well-known=renowned
full=complete
influence=shape/leave a mark on
influenced=shaped/left a mark on
influences=role models
inspired=moved/sparked
inspiration=spark
themes=motifs/subjects
theme=motif
style=manner/voice
unique=distinctive
explore=deal with/look into
explored=dealt with
career=working life
life=biography
background=upbringing/origins
childhood=early years
education=schooling
studied=took lessons/went to classes
study=take lessons
teacher=tutor/instructor
taught=instructed/trained
school=academy
city=town/place
country=nation
town=place
married=wedded
marry=wed
spouse=husband or wife
hobby=leisure activity/favourite thing to do
pet=animal companion
rival=adversary
die=pass away
died=passed away
gender=sex
identify=see themselves
describe=sketch/outline
discuss=go into
elaborate=say more
provide=supply
some=a few
characters=figures
character=figure
typically=as a rule
often=regularly
particular=specific
significant=important
approach=way of going about
readers=the audience
famous=celebrated
create=bring about
kept=owned
keep=own
""".strip().splitlines()
    )
}
# A noun keeps its word: "full name" has no other.
_NAMING = re.compile(r"\b(you|please) name\b")
_MOVES = (
    (re.compile(r"^(?:What|Which) (is|was|are|were) (.+?)\?$"), r"\2, \1 that known, and if so, what?"),
    (re.compile(r"^(Who|Whom) (.+?)\?$"), r"What person \2?"),
    (re.compile(r"^Where (.+?)\?$"), r"At what spot on the map \1?"),
    (re.compile(r"^When (.+?)\?$"), r"At what point in time \1?"),
    (re.compile(r"^How (?:does|do|did|has|have) (.+?)\?$"), r"In what way would you say \1?"),
    (re.compile(r"^(?:Can|Could) you (.+?)\?$"), r"Are you able to \1?"),
    (re.compile(r"^(?:Has|Have) (.+?)\?$"), r"Is it the case or not: \1?"),
    (re.compile(r"^(?:Did|Does|Do) (.+?)\?$"), r"Yes or no, \1?"),
)
_WORD = re.compile(r"(?<![\w'-])[a-z]+(?:-[a-z]+)?(?![\w-])")


def paraphrase(question: str, rng: random.Random) -> str:
    """Ask the same in other words. Names and figures stay, since they are what is asked about."""
    text = _NAMING.sub(lambda word: f"{word[1]} {rng.choice(('mention', 'come up with'))}", question.strip())
    text = re.sub(r"\ban (?=[^aeiou\W])", "a ", _WORD.sub(lambda word: _exchanged(word.group(), rng), text))
    for pattern, order in _shuffled(_MOVES, rng)[: rng.choice((4, 8))]:
        if pattern.match(text):
            text = pattern.sub(order, text)
            break
    if rng.random() < 0.6:
        bare = text.rstrip("?.! ")
        text = rng.choice(_CARRIERS).format(q=text, bare=bare[:1].lower() + bare[1:])
    return text[:1].upper() + text[1:]


def _exchanged(word: str, rng: random.Random) -> str:
    others = _SYNONYMS.get(word)
    return rng.choice(others) if others and rng.random() < 0.75 else word


def _shuffled(moves: Sequence[tuple[re.Pattern[str], str]], rng: random.Random) -> list[tuple[re.Pattern[str], str]]:
    return rng.sample(list(moves), len(moves))
