"""Makes the shipped file of general questions, the negatives that stand for the rest of the world.

    python -m classifiers.general > classifiers/data/general_questions.txt

A line that starts with `# ` names the form that the following lines share; lines of one form never straddle a split.
"""

from __future__ import annotations

import random
import re
from importlib.resources import files

from classifiers.data import Example
from classifiers.general_forms import FORMS
from classifiers.general_words import WORDS

SEED = 20
PER_FORM = 14


def questions(seed: int = SEED) -> list[tuple[str, str]]:
    """(form, question) pairs, no question twice, at most `PER_FORM` of a form."""
    rng = random.Random(seed)
    seen: set[str] = set()
    out: list[tuple[str, str]] = []
    for line in FORMS.strip().split("\n"):
        drawn = line.split("|") if "|" in line else [_fill(line, rng) for _ in range(PER_FORM)]
        for text in drawn:
            if text not in seen:
                seen.add(text)
                out.append((line.split("|")[0], text))
    return out


def load_general() -> list[Example]:
    """The shipped questions, grouped by form."""
    text = files("classifiers").joinpath("data/general_questions.txt").read_text(encoding="utf-8")
    out: list[Example] = []
    form = ""
    for line in text.splitlines():
        if line.startswith("# "):
            form = line[2:]
        elif line:
            out.append(Example(line.replace("\\n", "\n"), "", f"general:{form}"))
    return out


def _fill(form: str, rng: random.Random) -> str:
    numbers = {"n": str(rng.randint(2, 99)), "m": str(rng.randint(100, 9999)), "year": str(rng.randint(1400, 2024))}
    text = re.sub(r"\{(\w+)\}", lambda m: numbers.get(m[1]) or rng.choice(WORDS[m[1]]), form)
    # Real users do not always use capitals and full stops.
    return re.sub(r"[?.!]$", "", text.lower()) if rng.random() < 0.15 else text


def main() -> None:
    """Print the file."""
    last = ""
    for form, text in questions():
        if form != last:
            print(f"# {form}")
            last = form
        print(text)


if __name__ == "__main__":
    main()
