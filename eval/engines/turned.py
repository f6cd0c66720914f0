"""Decoding that is turned away in this process, as `guard.steer` does it in the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from guard.steer.divergence import Diverging, Pair
from guard.steer.steered import Steered


@dataclass(frozen=True)
class Turn:
    """How one answer is turned away: from spans, by a pair of models, both or neither."""

    steered: Steered | None = None
    diverging: Diverging | None = None
    pair: Pair | None = None

    def whole(self, logits: torch.Tensor, written: Sequence[int]) -> torch.Tensor:
        """The logits (tokens x vocabulary) of each token of an answer, as they are where it is decoded."""
        if self.pair is not None and self.diverging is not None:
            difference = self.pair.whole(self.diverging.prompt, written)
            logits = self.pair.turned(logits, difference, self.diverging)
        if self.steered is not None:
            logits = torch.stack([lowered(one, self.steered, written[:at]) for at, one in enumerate(logits)])
        return logits


def lowered(logits: torch.Tensor, steered: Steered, written: Sequence[int]) -> torch.Tensor:
    """The logits (vocabulary) of the token after those `written`, lowered where they lead to what is protected."""
    ids, values = steered.penalties(written)
    lower = logits.clone()
    lower[torch.from_numpy(ids).to(logits.device)] -= torch.from_numpy(values).to(logits)
    return lower


class Turned:
    """A logits processor of transformers' `generate` from embeddings, with a turn or none for each row of the batch."""

    def __init__(self, rows: Sequence[Turn | None]) -> None:
        self._rows = [row or Turn() for row in rows]

    def __call__(self, written: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """Change the logits (rows x vocabulary); `written` (rows x tokens) holds no prompt."""
        texts = written.tolist()
        turned = list(self._diverged(texts, logits))
        for row, (turn, ids) in enumerate(zip(self._rows, texts, strict=True)):
            if turn.steered is not None:
                turned[row] = lowered(turned[row], turn.steered, ids)
        return torch.stack(turned)

    def _diverged(self, texts: Sequence[list[int]], logits: torch.Tensor) -> list[torch.Tensor]:
        turned = list(logits)
        pairs = {turn.pair for turn in self._rows if turn.pair is not None}
        for pair in pairs:
            rows = [(row, turn.diverging) for row, turn in enumerate(self._rows) if turn.pair is pair]
            asked = [(row, one) for row, one in rows if one is not None]
            differences = pair.read([(one, texts[row]) for row, one in asked])
            for (row, one), difference in zip(asked, differences, strict=True):
                turned[row] = pair.turned(turned[row], difference, one)
        return turned
