"""The words the archive is made of: invented names, towns, awards, titles and trades."""

from __future__ import annotations


def _listed(text: str, between: str) -> list[str]:
    return [" ".join(item.split()) for item in text.split(between)]


WOMEN = _listed(
    """Mira, Lena, Isolde, Petra, Odalys, Runa, Sabine, Tamsin, Ulla, Vesna, Zelie, Anouk, Brenna, Dagny, Elke,
    Fenna, Greta, Halina, Ilse, Junia, Katya, Liesel, Maren, Nadia, Orla, Perpetua, Rosalba, Signe, Thea, Ursel,
    Viola, Wanda, Xenia, Agathe, Beata, Carmela, Edith, Freya, Ginevra, Hedda, Ingrid, Jolanta, Kerstin, Ludmila,
    Milena, Noemi, Ottilie, Philippa, Ragna, Solveig""",
    ",",
)
MEN = _listed(
    """Orsin, Bren, Caspar, Dorian, Emeric, Florian, Gideon, Hakon, Ivo, Jarek, Konrad, Leopold, Matthias, Nils,
    Osric, Pavel, Quentin, Rufus, Stellan, Tobias, Ulric, Valentin, Wendel, Alaric, Bastian, Corwin, Dragan,
    Edmund, Ferran, Gustav, Hallam, Ignatz, Jorah, Kasimir, Lorenz, Magnus, Nestor, Oskar, Piers, Radek, Silvan,
    Torsten, Urban, Viktor, Willem, Anselm, Benedek, Crispin, Dunstan, Egil""",
    ",",
)
SURNAME_HEADS = _listed(
    """Bal, Bren, Cor, Dun, El, Fal, Gar, Hal, Ist, Jor, Kel, Lor, Mar, Nor, Ost, Pel, Quar, Ras, Sel, Tol, Ul, Var,
    Wen, Yar, Zan, Ash, Bri, Cal, Drev, Esk, Fenn, Gri, Har, Jas, Kor, Lind, Mor, Nev, Orl, Prin, Rav, Stur, Tan,
    Ves""",
    ",",
)
SURNAME_MIDDLES = ["", "a", "e", "i", "o", "an", "en", "or"]
SURNAME_TAILS = _listed(
    """dale, vane, wick, holt, mere, quist, mund, brook, sted, ric, tor, gard, lund, mark, rell, sen, thorpe, worth,
    zen, by, nell, dric, fell, hart, combe, croft, beck, strand""",
    ",",
)
TOWNS: dict[str, str] = {  # town -> region
    "Kestrel Bay": "the Oriel Isles",
    "Port Sorrel": "the Oriel Isles",
    "Gullhaven": "the Oriel Isles",
    "Saltwick": "the Oriel Isles",
    "Lantern Point": "the Oriel Isles",
    "Dunmere": "Upper Caldria",
    "Ashford Mill": "Upper Caldria",
    "Stonebarrow": "Upper Caldria",
    "Ravensgate": "Upper Caldria",
    "Highmoor": "Upper Caldria",
    "Velden": "the Marn Valley",
    "Osterbruck": "the Marn Valley",
    "Lindenau": "the Marn Valley",
    "Brackwater": "the Marn Valley",
    "Tessel": "the Marn Valley",
    "Qaramund": "the Amber Steppe",
    "Sarikol": "the Amber Steppe",
    "Tulgan": "the Amber Steppe",
    "Yellow Wells": "the Amber Steppe",
    "Arkhesh": "the Amber Steppe",
    "Montelune": "Lower Seravia",
    "Castelvero": "Lower Seravia",
    "Porto Fiale": "Lower Seravia",
    "Santa Brisca": "Lower Seravia",
    "Olivara": "Lower Seravia",
    "Frosthal": "the Nordmark",
    "Isfjell": "the Nordmark",
    "Torvik": "the Nordmark",
    "Elkhorn": "the Nordmark",
    "Grimsund": "the Nordmark",
}
TRADES: dict[str, str] = {  # trade -> the kind of work it leaves
    "poet": "cycle of poems",
    "novelist": "novel",
    "composer": "string quartet",
    "architect": "covered bridge",
    "botanist": "herbarium",
    "cartographer": "atlas",
    "glassblower": "stained window",
    "clockmaker": "tower clock",
    "painter": "altarpiece",
    "sculptor": "bronze statue",
    "playwright": "comedy",
    "astronomer": "star catalogue",
    "weaver": "tapestry",
    "historian": "chronicle",
    "engineer": "lighthouse",
    "chemist": "treatise",
    "luthier": "viola",
    "geologist": "survey",
    "photographer": "book of plates",
    "philosopher": "book of dialogues",
    "physician": "handbook",
    "linguist": "dictionary",
    "choreographer": "ballet",
    "gardener": "walled garden",
}
TITLE_HEADS = _listed(
    """Salt, Silver, Hollow, Crimson, Winter, Broken, Silent, Golden, Paper, Iron, Distant, Velvet, Burning, Frozen,
    Northern, Hidden, Glass, Copper, Drowned, Wandering, Ivory, Midnight, Patient, Scarlet, Tidal, Amber,
    Forgotten, Quiet, Restless, Woven""",
    ",",
)
TITLE_TAILS = _listed(
    """Orchard, Harbour, Mirror, Lantern, Garden, Bridge, Compass, Orrery, Meadow, Staircase, Tide, Cathedral,
    Sparrow, Labyrinth, Ladder, Fountain, Horizon, Anchor, Chapel, Carousel, Threshold, Archive, Furnace,
    Pavilion, Comet, Causeway, Nocturne, Almanac, Parade, Island""",
    ",",
)
AWARDS: dict[str, str] = {  # award -> who gives it
    "the Golden Quill": "the Writers' Hall",
    "the Amber Compass": "the Society of Travellers",
    "the Ravensgate Medal": "the city of Ravensgate",
    "the Heron Prize": "the Marn Foundation",
    "the Order of the Elm": "the Crown of Caldria",
    "the Silver Astrolabe": "the Observatory of Torvik",
    "the Laurel of Montelune": "the city of Montelune",
    "the Founders' Cup": "the Guild of Makers",
    "the Blue Lantern": "the Lamp Street Theatre",
    "the Caldrian Cross": "the Senate of Caldria",
    "the Steppe Ribbon": "the Council of Sarikol",
    "the Ivory Chisel": "the Sculptors' Yard",
    "the Winter Garland": "the Court of Isfjell",
    "the Pearl of Seravia": "the Duchess of Seravia",
    "the Bell Ringers' Star": "the Chapter of Velden",
    "the Tessel Scroll": "the University of Tessel",
}
SCHOOLS: dict[str, str] = {  # school -> its town
    "the Harrow Lane Academy": "Dunmere",
    "the Lantern School": "Lantern Point",
    "the Old Conservatory": "Velden",
    "Saint Orlan's College": "Ravensgate",
    "the Steppe Institute": "Sarikol",
    "the Royal Polytechnic": "Stonebarrow",
    "the Convent School": "Castelvero",
    "the Navigators' College": "Port Sorrel",
    "the Academy of Lights": "Montelune",
    "the Winter Seminary": "Isfjell",
    "the Mill Street School": "Ashford Mill",
    "the University of Tessel": "Tessel",
    "the Guild Workshops": "Osterbruck",
    "the Northern Lyceum": "Torvik",
}
MONTHS = _listed(
    """January, February, March, April, May, June, July, August, September, October, November, December""",
    ",",
)
ANIMALS = _listed(
    """a heron; a grey parrot; a hedgehog; a greyhound; a tortoise; a goat; a magpie; a ferret; a white cat; a mule;
    an owl; a jackdaw; a spaniel; a goose; a raccoon; a lizard""",
    ";",
)
PET_NAMES = _listed(
    """Tobit, Pepper, Marzipan, Button, Brisket, Clove, Dumpling, Echo, Fidget, Ginger, Humbug, Inkpot, Juniper,
    Kipper, Lentil, Mustard, Nettle, Oatcake, Pickle, Quince, Radish, Sorbet, Thimble, Umber, Velour, Whisker,
    Yeoman, Zephyr, Biscuit, Cobweb""",
    ",",
)
HOBBIES = _listed(
    """collecting sea glass; keeping bees; mending clocks; pressing ferns; flying kites; carving spoons; baking rye
    bread; playing chess by post; building model ships; watching meteors; brewing cider; binding books; training
    pigeons; fishing for eels; playing the hurdy-gurdy; growing dahlias; drawing beetles; skating on canals;
    folding paper birds; collecting tram tickets; writing limericks; restoring barometers; walking ridge paths;
    knitting stockings""",
    ";",
)
QUARRELS = _listed(
    """a borrowed map; an unpaid debt; a stolen melody; a garden wall; a lost manuscript; a chess game; a broken
    promise; a disputed will; a bad review; a forged letter; a spoiled dinner; a missing painting; a patent; a
    boundary stone; a misquoted line; a duel that never was; a racehorse; a seat in the academy; a leaking roof; a
    borrowed violin""",
    ";",
)
