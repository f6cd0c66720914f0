"""Checkpoints read and written: a model to train, with an adapter or whole; a folder that is there whole or not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from eval.unlearn.errors import UnlearnError
from guard.errors import ConfigError, EngineError

Form = Literal["full", "lora", "merged"]
RANK = 16
RECORD = "unlearn.json"  # what was done, beside the weights


def load(model: str) -> tuple[Any, Any]:
    """The model in float32, on the GPU where there is one, and its tokenizer.

    Raises:
        EngineError: it cannot be loaded.
        ConfigError: its tokenizer is a slow one, which does not tell where a token stands.
    """
    logging.disable_progress_bar()
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
        tokenizer: Any = AutoTokenizer.from_pretrained(model)
    except (OSError, ValueError) as error:
        raise EngineError(f"cannot load the model {model!r}: {error}") from error
    if not tokenizer.is_fast:
        raise ConfigError(f"{model!r} has no tokenizer.json; unlearning needs a fast tokenizer, with offsets")
    return loaded.to("cuda" if torch.cuda.is_available() else "cpu"), tokenizer


def adapted(model: Any) -> Any:
    """The model frozen, with a LoRA adapter (Hu et al. 2021, arXiv:2106.09685) on every linear layer but the output's.

    Rank 16, alpha 32, no dropout: a reference is to differ from the model by training alone.
    """
    # Imported when needed: it takes seconds, which most methods do without.
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=RANK, lora_alpha=2 * RANK, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    return get_peft_model(model, config)


def save(
    model: Any,
    tokenizer: Any,
    form: Form,
    dtype: torch.dtype,
    record: dict[str, Any],
    out: Path,
    *,
    named: str = RECORD,
) -> None:
    """Write an ordinary checkpoint, or an adapter (`lora`), with the record beside it; whole or not at all.

    Raises:
        UnlearnError: a weight is no number, or the disk takes no more.
    """
    if broken := [name for name, weights in model.named_parameters() if not bool(weights.isfinite().all())]:
        raise UnlearnError(f"{len(broken)} weights are no numbers ({broken[0]}, ...); lower --learning-rate")
    if form == "merged":
        model = model.merge_and_unload()
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        model.config.use_cache = True  # training turns it off
        model.to(dtype).save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        (partial / named).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        partial.replace(out)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise UnlearnError(f"cannot write {out}: {error}; free some space, then run the same command again") from error
