"""A folder with the two small models of divergence decoding, and what they are: made by `lethe-eval aux`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from guard.errors import ConfigError, EngineError

MANIFEST = "auxiliary.json"
RETAIN, FORGET = "retain", "forget"


class Manifest(BaseModel):
    """What stands beside the models. `tokenizer` is a `tokenizer_digest`, `weights` are SHA-256 by model, `seen` are
    the ids of the tokens that the models were trained on, `made` says how.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    tokenizer: str
    vocabulary: int = Field(ge=1)
    context: int = Field(ge=1)
    weights: dict[str, str]
    seen: tuple[int, ...]
    made: dict[str, Any]


@dataclass(frozen=True)
class Auxiliary:
    """The models in a folder; `identity`, 16 hexadecimal digits, is of what they are and not of where they lie."""

    folder: Path
    identity: str
    manifest: Manifest

    @classmethod
    def read(cls, folder: Path) -> Auxiliary:
        """
        Raises:
            ConfigError: there are no such models in the folder.
        """
        path = folder / MANIFEST
        try:
            data = path.read_bytes()
            manifest = Manifest.model_validate_json(data)
        except (OSError, ValidationError) as error:
            told = error.strerror if isinstance(error, OSError) else "it is damaged"
            raise ConfigError(f"cannot read {path} ({told}); make the models with `lethe-eval aux`") from error
        for name in (RETAIN, FORGET):
            if not (folder / name / "config.json").is_file():
                raise ConfigError(f"there is no model in {folder / name}; make the models with `lethe-eval aux`")
        return cls(folder, hashlib.sha256(data).hexdigest()[:16], manifest)

    def check(self, tokenizer: Any, vocabulary: int) -> None:
        """Check that they read and write as the served model does, whose `vocabulary` is its number of logits.

        Raises:
            ConfigError: they do not.
        """
        own = self.manifest
        advice = "make them anew with `lethe-eval aux --tokenizer` and the served model"
        if own.vocabulary != vocabulary:
            told = f"have a vocabulary of {own.vocabulary} tokens, and the served model has {vocabulary}"
            raise ConfigError(f"the auxiliary models in {self.folder} {told}; {advice}")
        if own.tokenizer != tokenizer_digest(tokenizer):
            raise ConfigError(f"the auxiliary models in {self.folder} have another tokenizer; {advice}")


def logits_of(model: str) -> int:
    """How many logits a checkpoint has, by directory or hub id.

    Raises:
        EngineError: it cannot be read.
    """
    from transformers import AutoConfig

    try:
        return int(AutoConfig.from_pretrained(model).get_text_config().vocab_size)
    except (OSError, ValueError) as error:
        raise EngineError(f"cannot read the model {model!r}: {error}") from error


def tokenizer_digest(tokenizer: Any) -> str:
    """16 hexadecimal digits for a Hugging Face tokenizer's tokens and their ids."""
    tokens = json.dumps(sorted(tokenizer.get_vocab().items()))
    return hashlib.sha256(tokens.encode()).hexdigest()[:16]
