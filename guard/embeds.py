"""A checkpoint's token-embedding table, read from its safetensors and nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from guard.errors import EngineError

# What the token table is called in the architectures that vLLM serves.
_NAMES = ("embed_tokens.weight", "wte.weight", "word_embeddings.weight", "tok_embeddings.weight", "embed_in.weight")
# vLLM's Gemma scales rows by the root of their width before the place where prompt embeddings come in. Granite scales
# behind it and takes rows as they are; whoever else scales before it fails the proof at start (serve/prove.py).
_SCALED = ("gemma", "gemma2", "gemma3", "gemma3_text")
_CONFIG = "config.json"
_SINGLE, _INDEX = "model.safetensors", "model.safetensors.index.json"


class EmbeddingTable:
    """Rows of the table (vocabulary x hidden) as the engine takes them, in the checkpoint's dtype.

    Pages are read as rows are asked for.
    """

    def __init__(self, weights: torch.Tensor, *, scaled: bool = False) -> None:
        """`scaled` multiplies rows by the root of their width, as Gemma does."""
        if weights.ndim != 2 or not weights.is_floating_point():
            raise EngineError(
                f"the token embeddings are {tuple(weights.shape)} {weights.dtype}; two float axes expected"
            )
        self._weights = weights
        # Rounded to the dtype first, as the engine does.
        self._scale = torch.tensor(weights.shape[1] ** 0.5 if scaled else 1.0, dtype=weights.dtype)

    @classmethod
    def from_checkpoint(cls, model: str) -> EmbeddingTable:
        """Open the table of a directory or hub id.

        Raises:
            EngineError: no safetensors, or no token table in them.
        """
        path, name = _locate(model)
        config = _fetch(model, _CONFIG)
        family = json.loads(config.read_text(encoding="utf-8")).get("model_type") if config else None
        try:
            with safe_open(path, framework="pt") as file:
                return cls(file.get_tensor(name), scaled=family in _SCALED)
        except (OSError, SafetensorError) as error:
            raise EngineError(f"cannot read {path}: {error}") from error

    @property
    def dtype(self) -> torch.dtype:
        """The checkpoint's dtype."""
        return self._weights.dtype

    @property
    def hidden(self) -> int:
        """The width of a row."""
        return int(self._weights.shape[1])

    def rows(self, ids: Sequence[int]) -> torch.Tensor:
        """A fresh tensor (tokens x hidden) of the rows of `ids`."""
        return self._weights[torch.as_tensor(ids, dtype=torch.long)] * self._scale

    @cached_property
    def rms(self) -> float:
        """Root of the mean square over all rows."""
        count = self._weights.shape[0]
        parts = (self._weights[start : start + 4096].float() for start in range(0, count, 4096))
        total = sum(float(part.square().sum(dtype=torch.float64)) for part in parts)
        return float((total / self._weights.numel()) ** 0.5) * float(self._scale)


def _locate(model: str) -> tuple[Path, str]:
    """The file that holds the token table, and the table's name in it."""
    if index := _fetch(model, _INDEX):
        where: dict[str, str] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        name = _pick(list(where), model)
        if path := _fetch(model, where[name]):
            return path, name
        raise EngineError(f"the checkpoint {model!r} lacks {where[name]}, which its index names")
    path = _fetch(model, _SINGLE)
    if path is None:
        raise EngineError(f"the checkpoint {model!r} has no {_SINGLE}; corruption needs safetensors weights")
    with safe_open(path, framework="pt") as file:
        return path, _pick(list(file.keys()), model)


def _pick(names: list[str], model: str) -> str:
    found = [name for suffix in _NAMES for name in names if name == suffix or name.endswith("." + suffix)]
    if len(found) != 1:
        raise EngineError(f"the checkpoint {model!r} has {len(found)} token-embedding tables ({found}); one expected")
    return found[0]


def _fetch(model: str, name: str) -> Path | None:
    if (folder := Path(model)).is_dir():
        return folder / name if (folder / name).is_file() else None
    from transformers.utils.hub import cached_file

    try:
        found = cached_file(model, name)
    except OSError:  # transformers tells "no such file" and "no such model" alike
        return None
    return Path(found) if found else None
