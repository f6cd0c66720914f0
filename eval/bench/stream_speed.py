"""What the output guard costs a clean stream, in microseconds a token, by number of protected spans.

    python -m eval.bench.stream_speed

Tokens are a blank and up to five letters, of the shipped general questions, which hold none of the spans; the spans
are names of two or three words that begin like them. `asked` is an answer in which a topic is alive, so that sentences
are kept together. Times are of this process alone; the median of several rounds.
"""

from __future__ import annotations

import random
import re
import statistics
import time

import typer
from rich.console import Console
from rich.table import Table

from classifiers.general import load_general
from guard.conversation import single
from guard.output.letters import key_of
from guard.output.protected import Mark, Protected, Strength
from guard.output.watch import GuardedOutput

SEED = 23
COUNTS = (10, 10_000)
_TOKENS, _ROUNDS = 20_000, 7


def spans(count: int, words: list[str], rng: random.Random) -> list[str]:
    """So many names, each of words that the text is full of and one that it lacks."""
    return [
        key_of(f"{rng.choice(words)} {rng.choice(words)} {rng.choice(words)}quor{number}") for number in range(count)
    ]


def microseconds(protected: Protected, tokens: list[str], *, asked: bool) -> float:
    """Of one token."""
    times = []
    for _ in range(_ROUNDS):
        output = GuardedOutput(protected, single(""), asked=("topic",) if asked else (), refusal="")
        watch = output.watch()
        started = time.process_time()
        left = "".join([watch.feed(token).text for token in tokens])
        times.append(time.process_time() - started)
        if left + watch.finish().text != "".join(tokens):
            raise AssertionError("clean text was changed")
    return statistics.median(times) / len(tokens) * 1e6


def main() -> None:
    """Print a table."""
    rng = random.Random(SEED)
    text = " ".join(example.question for example in load_general())
    tokens = {"English": re.findall(r"\s?[^\s]{1,5}", text)[:_TOKENS]}
    # The same length in letters that are not ASCII: every a in Cyrillic.
    tokens["not ASCII"] = [token.replace("a", "\u0430").replace("e", "\u0435") for token in tokens["English"]]
    words = sorted(set(re.findall(r"[a-z]{3,}", text)))
    table = Table(title=f"output guard, microseconds a token, seed {SEED}", title_justify="left")
    for title in ("spans", *tokens, "English, asked"):
        table.add_column(title, justify="right")
    for count in COUNTS:
        protected = Protected(
            [(key, Mark("topic", Strength.STRONG)) for key in spans(count, words, rng)], {"topic": "cut"}
        )
        row = [microseconds(protected, some, asked=False) for some in tokens.values()]
        row.append(microseconds(protected, tokens["English"], asked=True))
        table.add_row(f"{count:,}", *(f"{figure:.1f}" for figure in row))
    Console(width=100).print(table)


if __name__ == "__main__":
    typer.run(main)
