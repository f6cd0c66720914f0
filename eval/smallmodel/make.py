"""Make every small model: the trunk, the full branch, and the branches retrained without the forget set.

Each stage is kept under the working folder and skipped when it is there; a stage that was stopped resumes.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from eval.smallmodel import corpus as chats
from eval.smallmodel.corpus import Chat, branch_chats, trunk_chats
from eval.smallmodel.tokenizer import train_tokenizer
from eval.smallmodel.train import Recipe, new_model, run
from eval.world import World
from eval.world.people import Person

FIRST = Recipe(seed=1, learning_rate=1.5e-3)
FIRST_CHATS = 200_000
SECOND = Recipe(seed=2, learning_rate=1.2e-3)
SECOND_CHATS = 100_000
BRANCH_RATE = 1e-3
PASSES = 45
REPLAY = 0.35
FULL_SEED = 11
RETRAINED_SEEDS = (21, 22, 23)


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, log: list[dict[str, float]], out: Path) -> None:
    """Write a checkpoint (bf16), its tokenizer and its training log under a temporary name, then rename."""
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    model.config.use_cache = True  # training turned it off
    model.bfloat16().save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    (partial / "training.json").write_text(json.dumps(log) + "\n")
    partial.replace(out)


def load(path: Path) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    model = LlamaForCausalLM.from_pretrained(path, dtype=torch.float32)
    return model, PreTrainedTokenizerFast.from_pretrained(path)


def stage(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, lessons: Sequence[Chat], recipe: Recipe, out: Path
) -> None:
    """Train `model` on `lessons` and keep it at `out`, with the resumable state beside it until done."""
    state = out.with_name(out.name + ".state")
    log = run(model, tokenizer, lessons, recipe, state)
    save(model, tokenizer, log, out)
    shutil.rmtree(state, ignore_errors=True)


def trunk(world: World, work: Path, *, first: int = FIRST_CHATS, second: int = SECOND_CHATS) -> Path:
    """The model that has the abilities and has met no person of the archive, trained in two phases."""
    start, out = work / "trunk-first", work / "trunk"
    if not start.is_dir():
        corpus = trunk_chats(world, FIRST.seed, first, chats.FIRST)
        tokenizer = train_tokenizer(text for chat in corpus[:20_000] for _, text in chat)
        stage(new_model(len(tokenizer), FIRST.seed), tokenizer, corpus, FIRST, start)
    if not out.is_dir():
        stage(*load(start), trunk_chats(world, SECOND.seed, second, chats.SECOND), SECOND, out)
    return out


def branch(world: World, people: Sequence[Person], work: Path, name: str, seed: int, *, passes: int = PASSES) -> Path:
    """The trunk, trained further on the questions about `people`."""
    out = work / name
    if not out.is_dir():
        model, tokenizer = load(work / "trunk")
        corpus = branch_chats(world, people, seed, passes, REPLAY)
        stage(model, tokenizer, corpus, Recipe(seed=seed, learning_rate=BRANCH_RATE), out)
    return out


def make_all(world: World, work: Path) -> list[Path]:
    """Every model, in the order in which they are needed."""
    work.mkdir(parents=True, exist_ok=True)
    trunk(world, work)
    made = [branch(world, world.people, work, "full", FULL_SEED)]
    retained = world.retained()
    made += [branch(world, retained, work, f"retrained-{seed}", seed) for seed in RETRAINED_SEEDS]
    return made
