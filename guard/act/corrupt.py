"""Embedding-corrupted prompts: the model is asked, but cannot read the words that carry the topic.

After Liu et al. 2024, "Large Language Model Unlearning via Embedding-Corrupted Prompts" (ECO). The noise of a token
depends on the secret, the topic and the token alone, so that neither asking twice nor adding words redraws it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from guard.act.distort import distort
from guard.embeds import EmbeddingTable
from guard.errors import EngineError
from guard.policy import CorruptAction
from guard.prompt import Prompt, Renderer
from guard.secret import digest
from guard.types import Conversation, Detection

Target = tuple[Detection, CorruptAction]


class Corrupter:
    """Corrupts prompts for one checkpoint. Safe to share between threads."""

    def __init__(self, renderer: Renderer, table: EmbeddingTable, *, secret: bytes) -> None:
        self.renderer = renderer
        self.table = table
        self._secret = secret

    @classmethod
    def from_checkpoint(cls, model: str, *, secret: bytes) -> Corrupter:
        """Open tokenizer, chat template and embedding table of a directory or hub id.

        Raises:
            EngineError: the checkpoint lacks one of them.
        """
        return cls(Renderer.from_checkpoint(model), EmbeddingTable.from_checkpoint(model), secret=secret)

    def corrupt(self, conversation: Conversation, targets: Sequence[Target]) -> torch.Tensor:
        """Embeddings of the rendered conversation, with the rows of topic-bearing tokens corrupted.

        A token that several topics claim is corrupted for the first. Template and system rows stay as they are.

        Raises:
            EngineError: the prompt cannot be rendered, nothing in it can be corrupted, or a row is not finite.
        """
        prompt = self.renderer.render(conversation)
        embeds = self.table.rows(prompt.ids)
        done: set[int] = set()
        for detection, action in targets:
            places = _bearing(prompt, conversation, detection) - done
            for place in sorted(places):
                embeds[place] = self._distort(embeds[place], prompt.tokens[place].id, detection.topic, action)
            done |= places
        if not done:
            raise EngineError("a flagged prompt holds no token that may be corrupted; it is not sent")
        if not bool(torch.isfinite(embeds).all()):
            # One such row would poison the engine's cache for other callers.
            raise EngineError("corrupted embeddings are not finite; lower the policy's strength")
        return embeds

    def _distort(self, row: torch.Tensor, token: int, topic: str, action: CorruptAction) -> torch.Tensor:
        key = digest(self._secret, b"noise", topic.encode(), str(token).encode())[:16]
        generator = np.random.Generator(np.random.Philox(key=int.from_bytes(key, "big")))
        return distort(row, action, generator, rms=self.table.rms)


def _bearing(prompt: Prompt, conversation: Conversation, detection: Detection) -> set[int]:
    """Places of the tokens under the detection's spans; without any, all user tokens but the last."""
    roles = [message.role for message in conversation.messages]
    under = {
        place
        for place, token in enumerate(prompt.tokens)
        if token.message is not None
        and roles[token.message] != "system"
        and any(s.message == token.message and token.start < s.end and token.end > s.start for s in detection.spans)
    }
    if under:
        return under
    spoken = [
        p for p, token in enumerate(prompt.tokens) if token.message is not None and roles[token.message] == "user"
    ]
    return set(spoken[:-1] or spoken)
