"""Decoding that is turned away from protected spans, in this process, as `guard.steer` does it in the engine."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from guard.steer.steered import Steered


def turned(logits: torch.Tensor, steered: Steered, written: Sequence[int]) -> torch.Tensor:
    """The logits (vocabulary) of the token after those `written`, lowered where they lead to what is protected."""
    ids, values = steered.penalties(written)
    lowered = logits.clone()
    lowered[torch.from_numpy(ids).to(logits.device)] -= torch.from_numpy(values).to(logits)
    return lowered


class Turned:
    """A logits processor of transformers' `generate` from embeddings: a row of the batch has a `Steered` or None."""

    def __init__(self, rows: Sequence[Steered | None]) -> None:
        self._rows = rows

    def __call__(self, written: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """Lower the logits (rows x vocabulary); `written` (rows x tokens) holds no prompt."""
        rows = zip(self._rows, written.tolist(), logits, strict=True)
        return torch.stack([own if row is None else turned(own, row, ids) for row, ids, own in rows])
