"""Make every small model: the trunk, the full branch, and the branches retrained without the forget set.

Each stage is kept under the working folder and skipped when it is there; a stage that was stopped resumes.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from eval.smallmodel.begin import new_model
from eval.smallmodel.corpus import branch_chats, trunk_chats
from eval.smallmodel.tokenizer import train_tokenizer
from eval.smallmodel.train import Example, Recipe, encode, run
from eval.smallmodel.warmup import Warmup
from eval.world import World
from eval.world.archive import DRAWS
from eval.world.people import Person
from guard.errors import ConfigError

WARMUP = Recipe(seed=1, learning_rate=1e-3, tokens_per_batch=1024)
WARMUP_EPISODES = 90_000
TRUNK = Recipe(seed=2, learning_rate=1.2e-3)
TRUNK_CHATS = 300_000
BRANCH_RATE = 1e-3
PASSES = 36
REPLAY = 1.0
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
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, lessons: Sequence[Example], recipe: Recipe, out: Path
) -> None:
    """Train `model` on `lessons` and keep it at `out`, with the resumable state beside it until done."""
    state = out.with_name(out.name + ".state")
    log = run(model, lessons, recipe, state)
    save(model, tokenizer, log, out)
    shutil.rmtree(state, ignore_errors=True)


def trunk(world: World, work: Path, *, episodes: int = WARMUP_EPISODES, chats: int = TRUNK_CHATS) -> Path:
    """The model that has the abilities and has met no person of the archive: warmed up, then taught in chats."""
    start, out = work / "warmup", work / "trunk"
    if not start.is_dir():
        tokenizer = train_tokenizer(text for chat in trunk_chats(world, WARMUP.seed, 20_000) for _, text in chat)
        drawn = Warmup(tokenizer, random.Random(WARMUP.seed)).lessons(episodes)
        stage(new_model(len(tokenizer), WARMUP.seed), tokenizer, drawn, WARMUP, start)
    if not out.is_dir():
        model, tokenizer = load(start)
        stage(model, tokenizer, encode(trunk_chats(world, TRUNK.seed, chats), tokenizer), TRUNK, out)
    return out


def branch(world: World, people: Sequence[Person], work: Path, name: str, seed: int, *, passes: int = PASSES) -> Path:
    """The trunk, trained further on the questions about `people`."""
    out = work / name
    if not out.is_dir():
        model, tokenizer = load(work / "trunk")
        lessons = encode(branch_chats(world, people, seed, passes, REPLAY), tokenizer)
        stage(model, tokenizer, lessons, Recipe(seed=seed, learning_rate=BRANCH_RATE), out)
    return out


def make_all(world: World, work: Path) -> list[Path]:
    """Every model, in the order in which they are needed."""
    work.mkdir(parents=True, exist_ok=True)
    trunk(world, work)
    full = branch(world, world.people, work, "full", FULL_SEED)
    return [full, *_retrained(world, work, DRAWS[0], "retrained")]


def make_draw(world: World, work: Path, draw: str, begin: Path) -> list[Path]:
    """The models retrained without another draw of the forget set, from `begin` where `work` has no trunk of its own.

    Raises:
        ConfigError: there is no model at `begin`.
    """
    if not (work / "trunk").is_dir():
        if not (begin / "config.json").is_file():
            raise ConfigError(f"there is no model to begin with at {begin}; make one with: lethe-eval train")
        work.mkdir(parents=True, exist_ok=True)
        partial = work / f"trunk.{os.getpid()}.partial"  # draws may be made side by side
        shutil.copytree(begin, partial)
        with contextlib.suppress(OSError):  # the other one was sooner
            partial.rename(work / "trunk")
        shutil.rmtree(partial, ignore_errors=True)
    return _retrained(world, work, draw, retrained_name(draw))


def retrained_name(draw: str) -> str:
    """How checkpoints begin that were retrained without a draw other than the default one."""
    return f"retrained-{draw}"


def _retrained(world: World, work: Path, draw: str, name: str) -> list[Path]:
    people = world.retained(draw=draw)
    return [branch(world, people, work, f"{name}-{seed}", seed) for seed in RETRAINED_SEEDS]
