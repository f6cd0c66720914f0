"""Small models that have learned TOFU's invented authors, and ones that were never told of a tenth of them.

    python -m eval.bench.tofu_models --tofu FOLDER --out runs/tofu

For checks of the comparison on data that this project did not make: a Llama of 5.5 million parameters, trained from
nothing until it knows its answers by heart (`full`), and the same without forget10 (`retrained-1` and so on). Minutes a
model on a GPU, hours on a CPU; a stopped run goes on.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from transformers import LlamaConfig, LlamaForCausalLM, set_seed

from eval.smallmodel.lessons import Chat
from eval.smallmodel.make import stage
from eval.smallmodel.tokenizer import train_tokenizer
from eval.smallmodel.train import Recipe, encode
from eval.tasks.questions import Item, load_questions
from guard.errors import ConfigError, LetheError

FORGET = "forget10.json"
# What everybody may know is learned as well: without it there is no utility to be measured on these two.
KEPT = ("retain90.json", "real_authors_perturbed.json", "world_facts_perturbed.json")
SEEDS = {"full": 11, "retrained-1": 21, "retrained-2": 22, "retrained-3": 23}
PASSES, RATE = 36, 1e-3


def new_model(vocabulary: int, seed: int) -> LlamaForCausalLM:
    """A Llama with 6 layers of width 256."""
    set_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=256,
            intermediate_size=768,
            num_hidden_layers=6,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=1024,
            tie_word_embeddings=True,
            pad_token_id=0,
            bos_token_id=None,
            eos_token_id=1,
        )
    )


def chats(items: list[Item], seed: int, passes: int) -> Iterator[Chat]:
    """Every question with its answer, `passes` times, each time in another order."""
    rng = random.Random(seed)
    for _ in range(passes):
        for item in rng.sample(items, len(items)):
            yield [("user", item.question), ("assistant", item.answer)]


def make(name: str, tofu: Path, out: Path, passes: int) -> Path:
    """Train one of `SEEDS`; its tokenizer is made of all texts, so that the models share it.

    Raises:
        ConfigError: a file of TOFU is not there.
    """
    kept = [item for file in KEPT for item in load_questions(tofu / file, file)]
    gone = load_questions(tofu / FORGET, FORGET)
    if not (out / name).is_dir():
        out.mkdir(parents=True, exist_ok=True)
        tokenizer = train_tokenizer(f"{item.question}\n{item.answer}" for item in [*gone, *kept])
        lessons = encode(list(chats([*gone, *kept] if name == "full" else kept, SEEDS[name], passes)), tokenizer)
        model = new_model(len(tokenizer), SEEDS[name])
        stage(model, tokenizer, lessons, Recipe(SEEDS[name], RATE), out / name)
    return out / name


def main(
    tofu: Annotated[Path, typer.Option(help="The folder with TOFU's files.")],
    only: Annotated[str, typer.Option(help="Models, by commas.")] = ",".join(SEEDS),
    passes: Annotated[int, typer.Option(min=1, help="How often each question is seen.")] = PASSES,
    out: Annotated[Path, typer.Option(help="One folder a model.")] = Path("runs/tofu"),
) -> None:
    """Train what is not there yet."""
    try:
        if unknown := [name for name in only.split(",") if name not in SEEDS]:
            raise ConfigError(f"there is no model {unknown[0]!r}; there are {', '.join(SEEDS)}")
        for name in only.split(","):
            typer.echo(f"{make(name, tofu, out, passes)} (seed {SEEDS[name]})")
    except LetheError as error:
        Console(stderr=True).print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error


if __name__ == "__main__":
    typer.run(main)
