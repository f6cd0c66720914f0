"""An encoder that encodes no text twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from classifiers.encoder import Encoder, Floats


class Remembering(Encoder):
    """Stands in for an `Encoder` during one fit, whose rounds look at the same texts again; `known` are the vectors."""

    def __init__(self, encoder: Encoder) -> None:
        self.name, self.form = encoder.name, encoder.form
        self._encoder = encoder
        self.known: dict[str, Floats] = {}

    def folder(self) -> Path:
        """See `Encoder.folder`."""
        return self._encoder.folder()

    def unknown(self, texts: Sequence[str]) -> int:
        """How many texts are new."""
        return len({text for text in texts if text not in self.known})

    def encode(self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None) -> Floats:
        """See `Encoder.encode`; `progress` hears of new texts only."""
        fresh = [text for text in dict.fromkeys(texts) if text not in self.known]
        if fresh:
            self.known.update(zip(fresh, self._encoder.encode(fresh, progress=progress), strict=True))
        return np.stack([self.known[text] for text in texts])
