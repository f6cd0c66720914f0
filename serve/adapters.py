"""LoRA adapters that the engine serves beside the model, each under a name of its own, behind the same guard."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guard.errors import ConfigError

_NAME = re.compile(r"\w[\w.:/-]*")
# What vLLM has kernels for.
_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)


@dataclass(frozen=True)
class Adapter:
    """A folder as peft writes it, what callers call the model with it, and its rank."""

    name: str
    folder: Path
    rank: int

    @classmethod
    def read(cls, given: str) -> Adapter:
        """From NAME=FOLDER.

        Raises:
            ConfigError: it is not of this form, or the folder holds no adapter that can be served.
        """
        name, separator, where = given.partition("=")
        if not separator or not _NAME.fullmatch(name) or not where:
            raise ConfigError(
                f"--adapter takes NAME=FOLDER, with a name of letters, digits and . _ : / -, not {given!r}"
            )
        folder = Path(where).expanduser().resolve()
        path = folder / "adapter_config.json"
        if not path.is_file():
            raise ConfigError(
                f"there is no LoRA adapter in {folder} (no {path.name}); `lethe-eval unlearn --lora` makes one, and a "
                "whole checkpoint is served with --model"
            )
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
            rank = max([int(config["r"]), *map(int, (config.get("rank_pattern") or {}).values())])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(f"{path} does not tell the rank as peft writes it ({error!r})") from error
        if not 0 < rank <= _RANKS[-1]:
            raise ConfigError(f"the adapter {folder} has rank {rank}; vLLM serves ranks from 1 to {_RANKS[-1]}")
        if _changes_embeddings(config):
            raise ConfigError(
                f"the adapter {folder} changes token embeddings, which are then not those that are corrupted; "
                "merge it into the model and serve that"
            )
        return cls(name, folder, rank)


def lora_flags(adapters: Sequence[Adapter]) -> tuple[str, ...]:
    """The engine's flags for them; none where there are none."""
    if not adapters:
        return ()
    rank = next(rank for rank in _RANKS if rank >= max(adapter.rank for adapter in adapters))
    # As JSON, since NAME=FOLDER may hold no comma there.
    modules = [json.dumps({"name": adapter.name, "path": str(adapter.folder)}) for adapter in adapters]
    # One place more than is ever filled: on a CPU, vLLM 0.32 adds what lies in the last one to the plain model's
    # prompts too, where they stand in a batch with an adapter's (its pull request 48421); an empty one adds nothing.
    room = ("--max-lora-rank", str(rank), "--max-loras", str(len(adapters) + 1))
    return ("--enable-lora", *room, "--lora-modules", *modules)


def _changes_embeddings(config: dict[str, Any]) -> bool:
    named = [config.get("target_modules"), config.get("modules_to_save"), config.get("target_parameters")]
    return bool(config.get("trainable_token_indices")) or "embed" in json.dumps(named)
