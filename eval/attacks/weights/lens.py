"""The logit lens: what each layer would answer if the model ended there.

A layer's residual stream is read through the model's final norm and unembedding (nostalgebraist 2020, "Interpreting
GPT: the logit lens"); as an attack on deleted facts, which may still stand in layers before the last: Patil et al.
2023, arXiv:2309.17410. Early layers write in other directions than the last, so that a low value does not
show that nothing is there; a value above that of a model which never learned the fact shows that something is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from eval.attacks.weights.reading import Pair, Reading, readings
from eval.unlearn.rows import IGNORED
from eval.unlearn.scores import Scores
from guard.errors import ConfigError


def answer_probabilities(model: Any, tokenizer: Any, pairs: Sequence[Pair]) -> npt.NDArray[np.float64]:
    """The probability of each pair's answer as read after each layer (layers x pairs), the last being the model's own.

    It is normalised by length: exp of the mean log-probability of the answer's tokens and the end of the turn. A
    layer's figure is the mean over its row; pairs stay apart so that intervals can be drawn by person.

    Raises:
        ConfigError: see `readings`; or the last layer, read this way, does not give what the model says: it has no
            `model.norm` and output embedding as Llama has them, or does something more to its logits.
    """
    norm, head = getattr(getattr(model, "model", None), "norm", None), model.get_output_embeddings()
    if norm is None or head is None:
        raise ConfigError("the lens needs a final norm at model.norm and an output embedding, as Llama has them")
    return np.concatenate([_read(reading, norm, head) for reading in readings(model, tokenizer, pairs)], axis=1)


@torch.no_grad()
def _read(reading: Reading, norm: Any, head: Any) -> npt.NDArray[np.float64]:
    targets = reading.batch["labels"][:, 1:]
    learned = targets != IGNORED
    rows = learned.nonzero()[:, 0]
    found = []
    for stream in reading.streams:
        logits = head(norm(stream[:, :-1][learned]))
        scores = Scores(logits.float(), targets[learned], rows, len(targets))
        found.append((scores.answer_logps / scores.lengths).exp().double().cpu().numpy())
    if not torch.allclose(logits.float(), reading.logits[:, :-1][learned].float(), rtol=1e-2, atol=1e-2):
        raise ConfigError("this model's logits are not its final norm and unembedding alone; the lens cannot read it")
    return np.stack(found)
