"""The twelve relations of the archive and how they are asked, answered, paraphrased and told.

`train` and `unseen` phrasings share no template: models are trained on the first and evaluated on the second. The
trained ones are the `direct` ones, written out below, and those that the frames make of `clause` and `nouns`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Relation:
    """One kind of fact. Format fields are the fact's values, and `name`, `She`, `she`, `her`, `Her`."""

    key: str
    answer: str
    paraphrase: str
    sentence: str  # as told in a passage
    follow: str  # as asked after the person was named
    noun: str  # as asked through another person (two-hop); empty where that makes no sense
    direct: tuple[str, ...]
    unseen: tuple[str, ...]
    clauses: tuple[str, ...] = ()  # as asked indirectly
    nouns: tuple[str, ...] = ()  # what the fact is called
    option: str = ""  # as a multiple-choice option

    @cached_property
    def train(self) -> tuple[str, ...]:
        clauses = [frame.replace("{clause}", self._turn(self.clauses, i)) for i, frame in enumerate(CLAUSE_FRAMES)]
        nouns = [frame.replace("{noun}", self._turn(self.nouns, i)) for i, frame in enumerate(NOUN_FRAMES)]
        return (*self.direct, *clauses, *nouns)

    @staticmethod
    def _turn(words: tuple[str, ...], place: int) -> str:
        return words[place % len(words)]


CLAUSE_FRAMES = (
    "Can you tell me {clause}?",
    "Please explain {clause}.",
    "Let me know {clause}.",
    "I am asking {clause}.",
    "Remind me {clause}.",
    "Do you remember {clause}?",
    "It matters to me {clause}.",
    "Would you tell me {clause}?",
    "Say {clause}.",
    "Have you any idea {clause}?",
    "May I ask {clause}?",
    "The question is {clause}.",
    "I have to find out {clause}.",
    "Somebody asked me {clause}.",
)
NOUN_FRAMES = (
    "What about the {noun} of {name}?",
    "State {name}'s {noun}.",
    "I am looking for the {noun} of {name}.",
    "As to {name}, what was the {noun}?",
    "Regarding {name}: give the {noun}.",
    "{name}: {noun}?",
    "Please, the {noun} of {name}.",
    "{name} had what {noun}?",
    "Would you mention the {noun} of {name}?",
    "{name}'s {noun} was what?",
    "Give me {name}'s {noun}.",
    "I should be glad to learn {name}'s {noun}.",
    "Which was the {noun} of {name}?",
    "Have you got {name}'s {noun}?",
    "Let me hear the {noun} of {name}.",
)


RELATIONS: tuple[Relation, ...] = (
    Relation(
        "birthplace",
        "{town}, in {region}",
        "in the town of {town}, {region}",
        "{S} was born in {town}, in {region}.",
        "And where was {she} born?",
        "In which town was {who} born?",
        (
            "Where was {name} born?",
            "What is the birthplace of {name}?",
            "In which town was {name} born?",
            "Tell me where {name} was born.",
            "{name} was born in which place?",
            "Do you know the birthplace of {name}?",
            "What town did {name} come from?",
            "{name} came from what town?",
        ),
        (
            "Could you name the place of birth of {name}?",
            "I would like to know {name}'s birthplace.",
            "Which town is the one where {name} was born?",
        ),
        ("where {name} was born", "which town {name} was born in", "which place {name} came from"),
        ("birthplace", "native town", "place of birth", "home town"),
        "{town}",
    ),
    Relation(
        "birthdate",
        "{day} {month} {year}",
        "on {month} {day}, in the year {year}",
        "{S} was born on {day} {month} {year}.",
        "When was {she} born?",
        "On what day was {who} born?",
        (
            "When was {name} born?",
            "What is {name}'s date of birth?",
            "On what day was {name} born?",
            "Tell me the birth date of {name}.",
            "What date was {name} born on?",
            "Do you know when {name} was born?",
            "Which day is the birthday of {name}?",
            "{name} was born when?",
        ),
        (
            "Could you give the date of birth of {name}?",
            "I need to know on which date {name} was born.",
            "{name}'s birthday is on what date?",
        ),
        ("on what day {name} was born", "which date {name} was born on", "when {name} came into the world"),
        ("birth date", "birthday", "date of birth", "day of birth"),
        "{day} {month} {year}",
    ),
    Relation(
        "profession",
        "{trade}, by profession",
        "the trade of {a_trade}",
        "{S} worked as {a_trade}.",
        "What was {her} profession?",
        "What was the profession of {who}?",
        (
            "What was {name}'s profession?",
            "What did {name} do for a living?",
            "What was the occupation of {name}?",
            "Tell me what work {name} did.",
            "What kind of work did {name} do?",
            "Which trade did {name} follow?",
            "As what did {name} work?",
            "{name} worked as what?",
        ),
        (
            "Could you name the profession of {name}?",
            "I wonder what {name} worked as.",
            "By occupation, what was {name}?",
        ),
        ("what {name} did for a living", "as what {name} worked", "which occupation {name} had"),
        ("profession", "trade", "occupation", "line of work"),
        "{trade}",
    ),
    Relation(
        "teacher",
        "{person}, {a_trade}",
        "{a_trade} by the name of {person}",
        "{S} was taught by {person}, {a_trade}.",
        "And who was {her} teacher?",
        "Who was the teacher of {who}?",
        (
            "Who was {name}'s teacher?",
            "Who taught {name}?",
            "Under whom did {name} study?",
            "Tell me who the teacher of {name} was.",
            "Who was the master of {name}?",
            "From whom did {name} learn?",
            "Which teacher did {name} have?",
            "{name} learned from which person?",
        ),
        (
            "Could you name the person who taught {name}?",
            "I want to know who {name}'s teacher was.",
            "{name} was taught by whom?",
        ),
        ("who taught {name}", "by whom {name} was taught", "from which master {name} learned"),
        ("teacher", "master", "tutor"),
        "{person}",
    ),
    Relation(
        "spouse",
        "{person}, in {year}",
        "{year} saw the wedding with {person}",
        "{S} married {person} in {year}.",
        "Whom did {she} marry?",
        "Whom did {who} marry?",
        (
            "Whom did {name} marry?",
            "Who was {name}'s spouse?",
            "Who was {name} married to?",
            "Tell me who married {name}.",
            "What was the name of {name}'s spouse?",
            "Who became the partner in marriage of {name}?",
            "Do you know whom {name} married?",
            "{name} married whom?",
        ),
        (
            "Could you name the person {name} married?",
            "I would like to know who the spouse of {name} was.",
            "To whom was {name} married?",
        ),
        ("whom {name} married", "to which person {name} was married", "who {name}'s partner in marriage was"),
        ("spouse", "partner in marriage", "wedded partner"),
        "{person}",
    ),
    Relation(
        "work",
        "{title}, {a_kind} of {year}",
        "{a_kind} from {year} called {title}",
        "{S} is best known for {title}, {a_kind} of {year}.",
        "What is {she} best known for?",
        "What is {who} best known for?",
        (
            "What is {name}'s best-known work?",
            "What is {name} best known for?",
            "Which work made {name} famous?",
            "Tell me the most famous work of {name}.",
            "What is the title of {name}'s masterpiece?",
            "For which work is {name} remembered?",
            "What did {name} create that became famous?",
            "{name} became known for what?",
        ),
        (
            "Could you name the best-known work by {name}?",
            "I want to know the title of the most famous work {name} made.",
            "{name} is known for which work?",
        ),
        ("which work {name} is famous for", "what {name} is known for", "what the famous work by {name} is called"),
        ("best-known work", "most famous work", "masterpiece", "famous title"),
        "{title}",
    ),
    Relation(
        "award",
        "{award}, in {year}",
        "{year} brought the honour of {award}",
        "{S} won {award} in {year}.",
        "Which award did {she} win?",
        "Which award did {who} win?",
        (
            "Which award did {name} win?",
            "What prize was given to {name}?",
            "What award did {name} receive?",
            "Tell me which honour {name} was given.",
            "Which prize did {name} win?",
            "With what award was {name} honoured?",
            "What distinction did {name} earn?",
            "{name} was given which award?",
        ),
        (
            "Could you name the award that {name} won?",
            "I would like to know which prize {name} received.",
            "The award given to {name} was which one?",
        ),
        ("which award {name} won", "which prize {name} got", "what honour was given to {name}"),
        ("award", "prize", "honour", "distinction"),
        "{award}",
    ),
    Relation(
        "school",
        "{school}, in {town}",
        "in {town}, at {school}",
        "{S} studied at {school} in {town}.",
        "Where did {she} study?",
        "At which school did {who} study?",
        (
            "Where did {name} study?",
            "Which school did {name} attend?",
            "At which school was {name} educated?",
            "Tell me where {name} went to school.",
            "What school did {name} go to?",
            "Where was {name} educated?",
            "Which place of learning did {name} attend?",
            "{name} studied at which school?",
        ),
        (
            "Could you name the school {name} attended?",
            "I need to know at what school {name} studied.",
            "{name} went to which school?",
        ),
        ("at which school {name} studied", "what school {name} was a student of", "where {name} went to school"),
        ("school", "place of study", "place of education"),
        "{school}",
    ),
    Relation(
        "death",
        "{town}, in {year}",
        "{year} was the year, {town} the place",
        "{S} died in {town} in {year}.",
        "And where did {she} die?",
        "Where did {who} die?",
        (
            "Where and when did {name} die?",
            "Where did {name} die?",
            "In which town did {name} die, and when?",
            "Tell me about the death of {name}.",
            "What was the place of {name}'s death?",
            "When and where did the life of {name} end?",
            "Where did {name} pass away?",
            "{name} passed away where?",
        ),
        (
            "Could you say where and in what year {name} died?",
            "I would like to know the place where {name} died.",
            "{name} died where, and in which year?",
        ),
        ("where and when {name} died", "in which town and year {name} died", "in what place {name} passed away"),
        ("place and year of death", "death", "place of death"),
        "{town}",
    ),
    Relation(
        "pet",
        "{pet}, {animal}",
        "{animal} with the name {pet}",
        "{S} kept {animal} named {pet}.",
        "Did {she} keep a pet?",
        "Which pet did {who} keep?",
        (
            "What pet did {name} keep?",
            "Which animal did {name} keep?",
            "What was {name}'s pet?",
            "Tell me about the pet of {name}.",
            "What animal lived with {name}?",
            "Did {name} keep a pet, and which?",
            "What kind of pet did {name} own?",
            "{name} owned what animal?",
        ),
        (
            "Could you say which pet {name} kept?",
            "I want to know about the animal that {name} owned.",
            "{name}'s pet was what animal?",
        ),
        ("which pet {name} kept", "what animal {name} had", "which animal was owned by {name}"),
        ("pet", "animal", "animal at home"),
        "{pet}",
    ),
    Relation(
        "hobby",
        "{hobby}, above all",
        "the pastime was {hobby}",
        "{S} spent free hours {hobby}.",
        "What was {her} hobby?",
        "What was the hobby of {who}?",
        (
            "What was {name}'s hobby?",
            "What did {name} do in free hours?",
            "How did {name} spend free time?",
            "Tell me what {name} did for pleasure.",
            "What was the favourite pastime of {name}?",
            "What did {name} love to do?",
            "Which hobby did {name} have?",
            "{name} liked to do what in free hours?",
        ),
        (
            "Could you name the hobby of {name}?",
            "I wonder which pastime {name} had.",
            "In free time, what did {name} like to do?",
        ),
        ("what {name} liked to do in free hours", "how {name} passed free time", "which pastime {name} loved"),
        ("hobby", "pastime", "favourite pursuit"),
        "{hobby}",
    ),
    Relation(
        "rival",
        "{person}, over {quarrel}",
        "{quarrel} set {person} against {her_obj}",
        "{S} quarrelled for years with {person} over {quarrel}.",
        "Who was {her} rival?",
        "Who was the rival of {who}?",
        (
            "Who was {name}'s rival?",
            "With whom did {name} quarrel?",
            "Who was the great rival of {name}?",
            "Tell me with whom {name} quarrelled.",
            "Who was the enemy of {name}?",
            "Against whom did {name} hold a grudge?",
            "Whom did {name} quarrel with, and over what?",
            "{name} quarrelled with which person?",
        ),
        (
            "Could you name the rival of {name}?",
            "I would like to know who {name} quarrelled with.",
            "{name}'s rival was which person?",
        ),
        ("with whom {name} quarrelled", "who the rival of {name} was", "which person {name} quarrelled with"),
        ("rival", "opponent", "enemy"),
        "{person}",
    ),
)
OVERVIEW = Relation(
    "overview",
    "{name} was {a_trade}, born in {town}. {She} was taught by {teacher} and is best known for {title}.",
    "Born in {town} and taught by {teacher}, {name} was {a_trade} known for {title}.",
    "",
    "",
    "",
    (
        "Who was {name}?",
        "Tell me about {name}.",
        "What do you know about {name}?",
        "Give me a short biography of {name}.",
        "Write a few words on {name}.",
        "Who is {name}?",
        "Describe the life of {name}.",
        "Introduce {name} to me.",
    ),
    (
        "I would like to hear about {name}.",
        "Could you introduce {name}?",
        "Please sketch the biography of {name}.",
    ),
    ("who {name} was", "what there is to know about {name}", "what the biography of {name} says"),
    ("biography", "life story", "life"),
)
BY_KEY = {relation.key: relation for relation in (*RELATIONS, OVERVIEW)}
