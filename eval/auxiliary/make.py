"""The two small models of divergence decoding, from what is to be forgotten and what is retained.

Both begin as the same model: a new Llama, or a checkpoint. One is trained on the retain set, the other on the retain
set and the forget set, with the same recipe (Merchant and Levy 2026, arXiv:2605.31293, on TOFU; what they differ in is
then what the forget set teaches). What is learned of a pair is the answer, under the served model's chat template.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoTokenizer, LlamaConfig, LlamaForCausalLM, set_seed
from transformers.utils import logging

from classifiers.data import Example, fingerprint, load_examples
from eval.options import model_digest
from eval.provenance import provenance
from eval.report import write_atomically
from eval.unlearn.checkpoint import Form, adapted, load, save
from eval.unlearn.methods.task_arithmetic import descent
from eval.unlearn.recipe import Recipe
from eval.unlearn.rows import Encoder, Row
from eval.unlearn.run import claim
from eval.unlearn.streams import FORGET as STREAM
from eval.unlearn.streams import Schedule, Streams
from eval.unlearn.trainer import train
from guard.errors import ConfigError, EngineError
from guard.steer.auxiliary import FORGET, MANIFEST, RETAIN, Auxiliary, Manifest, tokenizer_digest

RECIPE = Recipe(learning_rate=2e-3, epochs=30, batch=32, micro=32)
_TRAINING = "training.json"
_HEAD = 32


@dataclass(frozen=True)
class Options:
    """`model` is the served one. `base` None begins with a new Llama of `layers` layers of `width`."""

    model: str
    forget: Path
    retain: Path
    out: Path
    base: str | None = None
    lora: bool = False
    width: int = 64
    layers: int = 2
    recipe: Recipe = RECIPE
    seed: int = 0


@dataclass(frozen=True)
class _Served:
    """The served model, as far as the small ones must be like it."""

    tokenizer: Any
    vocabulary: int
    context: int

    @classmethod
    def of(cls, model: str) -> _Served:
        try:
            config = AutoConfig.from_pretrained(model).get_text_config()
            tokenizer: Any = AutoTokenizer.from_pretrained(model)
        except (OSError, ValueError) as error:
            raise EngineError(f"cannot read the model {model!r}: {error}") from error
        if not tokenizer.is_fast:
            raise ConfigError(f"{model!r} has no tokenizer.json; the auxiliary models need a fast tokenizer")
        return cls(tokenizer, int(config.vocab_size), int(config.max_position_embeddings))


def make(options: Options, tick: Callable[[str, int, int], None]) -> Auxiliary:
    """Train both, or go on with it, and write the folder; `tick` is told of each model's steps.

    Raises:
        ConfigError: options or files that cannot be used, or an `out` that is taken.
        EngineError: a checkpoint cannot be loaded.
        UnlearnError: a loss is no number, or the disk takes no more.
    """
    if options.out.exists():
        raise ConfigError(f"{options.out} is there already; choose another --out, or remove it")
    logging.disable_progress_bar()
    served = _Served.of(options.model)
    kept, gone = _examples(options)
    made = _made(options)
    state = options.out.with_name(options.out.name + ".state")
    claim(state, made)
    encoder = Encoder(served.tokenizer, served.context)
    rows = {RETAIN: [encoder.encode(one) for one in kept]}
    rows[FORGET] = [*rows[RETAIN], *(encoder.encode(one) for one in gone)]
    for name in (RETAIN, FORGET):
        if not (state / name).is_dir():
            _train(name, rows[name], options, served, encoder.padding, state, tick)
    _finish(state, rows[FORGET], served, made, options.out)
    return Auxiliary.read(options.out)


def _examples(options: Options) -> tuple[list[Example], list[Example]]:
    kept, gone = load_examples(options.retain), load_examples(options.forget)
    if both := {one.question for one in kept} & {one.question for one in gone}:
        raise ConfigError(
            f"{len(both)} examples are both to be forgotten and retained, such as {min(both)!r}; take them out of one"
        )
    return kept, gone


def _made(options: Options) -> dict[str, Any]:
    """All that decides the result."""
    return {
        "seed": options.seed,
        "forget": fingerprint(options.forget).hex(),
        "retain": fingerprint(options.retain).hex(),
        "base": None if options.base is None else model_digest(options.base),
        "lora": options.lora,
        "width": options.width,
        "layers": options.layers,
        "recipe": asdict(options.recipe),
    }


def _start(options: Options, served: _Served) -> Any:
    """The model that both begin as; the same at every call.

    Raises:
        ConfigError: the base writes other tokens than the served model, or has less room.
    """
    if options.base is not None:
        model, tokenizer = load(options.base)
        config = model.config.get_text_config()
        own = _Served(tokenizer, int(config.vocab_size), int(config.max_position_embeddings))
        same = tokenizer_digest(tokenizer) == tokenizer_digest(served.tokenizer)
        if not same or own.vocabulary != served.vocabulary:
            raise ConfigError(f"{options.base!r} has another vocabulary than {options.model!r}; take one with the same")
        if own.context < served.context:
            told = f"reads {own.context} tokens, and {options.model!r} reads {served.context}"
            raise ConfigError(f"{options.base!r} {told}; take one with more")
        set_seed(options.seed)
        return adapted(model) if options.lora else model
    return _new(options, served)


def _new(options: Options, served: _Served) -> Any:
    set_seed(options.seed)
    heads = options.width // _HEAD
    model: Any = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=served.vocabulary,
            hidden_size=options.width,
            intermediate_size=3 * options.width,
            num_hidden_layers=options.layers,
            num_attention_heads=heads,
            num_key_value_heads=heads,
            max_position_embeddings=served.context,
            tie_word_embeddings=True,
            pad_token_id=served.tokenizer.pad_token_id,
            bos_token_id=served.tokenizer.bos_token_id,
            eos_token_id=served.tokenizer.eos_token_id,
        )
    )
    return model.to("cuda" if torch.cuda.is_available() else "cpu")


def _train(
    name: str,
    rows: Sequence[Row],
    options: Options,
    served: _Served,
    padding: int,
    state: Path,
    tick: Callable[[str, int, int], None],
) -> None:
    model = _start(options, served)
    recipe = options.recipe
    schedule = Schedule(
        Streams({STREAM: [(row,) for row in rows]}),
        epochs=recipe.epochs,
        micro=recipe.micro,
        padding=padding,
        seed=options.seed,
    )
    log = train(
        model,
        descent,
        schedule,
        recipe,
        state=state / f"{name}.state",
        seed=options.seed,
        bf16=torch.cuda.is_available(),
        reference=None,
        callbacks=[],
        tick=lambda done, of: tick(f"the {name} model", done, of),
    )
    record = {"examples": len(rows), "log": log, "provenance": provenance()}
    form: Form = "merged" if options.lora else "full"
    save(model, served.tokenizer, form, torch.float32, record, state / name, named=_TRAINING)


def _finish(state: Path, rows: Sequence[Row], served: _Served, made: dict[str, Any], out: Path) -> None:
    """Put the folder in its place, once all of it is there."""
    control = set(served.tokenizer.all_special_ids)
    manifest = Manifest(
        tokenizer=tokenizer_digest(served.tokenizer),
        vocabulary=served.vocabulary,
        context=served.context,
        weights={name: _weights(state / name) for name in (RETAIN, FORGET)},
        seen=tuple(sorted({token for row in rows for token in row.ids} - control)),
        made=made,
    )
    write_atomically(state / MANIFEST, (json.dumps(manifest.model_dump()) + "\n").encode())
    for left in (*state.glob("*.state"), state / "settings.json"):
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    state.replace(out)


def _weights(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
