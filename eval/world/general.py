"""Plain world facts: the real ones everybody knows, and the geography of the archive's own world."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from eval.world import pools


@dataclass(frozen=True)
class FactKind:
    """Facts of one kind: `pairs` of subject and answer, and the phrasings that ask for the answer."""

    key: str
    pairs: tuple[tuple[str, str], ...]
    train: tuple[str, ...]
    unseen: tuple[str, ...]
    noun: str = ""  # what is asked for, in words that `train` frames are made of

    @cached_property
    def asked(self) -> tuple[str, ...]:
        """Every phrasing that training may use."""
        return (*self.train, *(frame.replace("{noun}", self.noun) for frame in FRAMES))


FRAMES = (
    "State the {noun}.",
    "Remind me of the {noun}.",
    "I am looking for the {noun}.",
    "What about the {noun}?",
    "Do you know the {noun}?",
    "Please, the {noun}.",
    "I ask for the {noun}.",
    "What might the {noun} be?",
)


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((a.strip(), b.strip()) for a, b in (item.split("=") for item in text.split(";")))


_REAL = (
    FactKind(
        "capital",
        _pairs(
            "France=Paris;Italy=Rome;Spain=Madrid;Portugal=Lisbon;Germany=Berlin;Austria=Vienna;Poland=Warsaw;Greece=Athens;"
            "Norway=Oslo;Sweden=Stockholm;Finland=Helsinki;Denmark=Copenhagen;Ireland=Dublin;Iceland=Reykjavik;"
            "Hungary=Budapest;Romania=Bucharest;Bulgaria=Sofia;Serbia=Belgrade;Croatia=Zagreb;Ukraine=Kyiv;Egypt=Cairo;"
            "Kenya=Nairobi;Ghana=Accra;Nigeria=Abuja;Ethiopia=Addis Ababa;Senegal=Dakar;Japan=Tokyo;India=New Delhi;"
            "Thailand=Bangkok;Vietnam=Hanoi;Indonesia=Jakarta;Nepal=Kathmandu;Canada=Ottawa;Cuba=Havana;Peru=Lima;"
            "Chile=Santiago;Argentina=Buenos Aires;Brazil=Brasilia;Colombia=Bogota;Australia=Canberra"
        ),
        (
            "What is the capital of {x}?",
            "Which city is the capital of {x}?",
            "Name the capital of {x}.",
            "{x} has which capital?",
        ),
        ("Could you tell me the capital of {x}?", "What city serves as capital in {x}?"),
        "capital of {x}",
    ),
    FactKind(
        "symbol",
        _pairs(
            "hydrogen=H;helium=He;lithium=Li;carbon=C;nitrogen=N;oxygen=O;sodium=Na;magnesium=Mg;aluminium=Al;silicon=Si;"
            "sulphur=S;chlorine=Cl;potassium=K;calcium=Ca;iron=Fe;copper=Cu;zinc=Zn;silver=Ag;tin=Sn;gold=Au;mercury=Hg;"
            "lead=Pb;uranium=U;neon=Ne"
        ),
        ("What is the chemical symbol of {x}?", "Which symbol stands for {x}?", "Name the chemical symbol for {x}."),
        ("Could you tell me the symbol of the element {x}?", "How is {x} written as a chemical symbol?"),
        "chemical symbol of {x}",
    ),
    FactKind(
        "young",
        _pairs(
            "a dog=A puppy;a cat=A kitten;a cow=A calf;a horse=A foal;a sheep=A lamb;a goat=A kid;a pig=A piglet;"
            "a hen=A chick;a duck=A duckling;a goose=A gosling;a swan=A cygnet;a lion=A cub;a deer=A fawn;"
            "a frog=A tadpole;a kangaroo=A joey"
        ),
        ("What is the young of {x} called?", "How do you call the young of {x}?", "Name the young of {x}."),
        ("Could you tell me what the young of {x} is called?", "Which word names the young of {x}?"),
        "young of {x}",
    ),
    FactKind(
        "opposite",
        _pairs(
            "hot=Cold;big=Small;fast=Slow;high=Low;dark=Light;hard=Soft;wet=Dry;old=Young;early=Late;full=Empty;rich=Poor;"
            "long=Short;wide=Narrow;loud=Quiet;near=Far;open=Closed;heavy=Light;deep=Shallow"
        ),
        ("What is the opposite of {x}?", "Which word is the opposite of {x}?", "Name the opposite of {x}."),
        ("Could you tell me the opposite of {x}?", "What word means the reverse of {x}?"),
        "opposite of {x}",
    ),
    FactKind(
        "author",
        _pairs(
            "Hamlet=William Shakespeare;Faust=Johann Wolfgang von Goethe;Don Quixote=Miguel de Cervantes;"
            "Emma=Jane Austen;War and Peace=Leo Tolstoy;"
            "The Odyssey=Homer;Moby Dick=Herman Melville;Dracula=Bram Stoker;"
            "Ulysses=James Joyce;Frankenstein=Mary Shelley;"
            "Oliver Twist=Charles Dickens;Candide=Voltaire;The Trial=Franz Kafka;"
            "Les Miserables=Victor Hugo;The Divine Comedy=Dante Alighieri;Peer Gynt=Henrik Ibsen"
        ),
        ("Who wrote {x}?", "Who is the author of {x}?", "Name the author of {x}."),
        ("Could you tell me who wrote {x}?", "{x} was written by whom?"),
        "author of {x}",
    ),
)


def fact_kinds() -> tuple[FactKind, ...]:
    """All kinds of world facts, the real ones first."""
    towns = FactKind(
        "region",
        tuple((town, region[0].upper() + region[1:]) for town, region in pools.TOWNS.items()),
        ("In which region lies {x}?", "Which region is {x} in?", "Name the region of {x}.", "Where does {x} lie?"),
        ("Could you tell me the region of {x}?", "{x} belongs to which region?"),
        "region of {x}",
    )
    givers = FactKind(
        "giver",
        tuple((award, giver[0].upper() + giver[1:]) for award, giver in pools.AWARDS.items()),
        ("Who gives {x}?", "Who awards {x}?", "Name the giver of {x}.", "By whom is {x} awarded?"),
        ("Could you tell me who gives {x}?", "{x} is given by whom?"),
        "giver of {x}",
    )
    return (*_REAL, towns, givers)
