"""What a model makes of a given text after a prompt, token by token; the metrics of likelihood start from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class TokenScores:
    """All of shape (tokens,), natural logarithms.

    `logprobs`: of each token, given the prompt and the tokens before it. `top`: whether it is the most likely token
    there. `means` and `stds`: of the log-probability over the vocabulary under the model's own distribution at that
    place (Min-K%++, Zhang et al. 2024, equation 3).
    """

    logprobs: npt.NDArray[np.float64]
    top: npt.NDArray[np.bool_]
    means: npt.NDArray[np.float64]
    stds: npt.NDArray[np.float64]
    text: str
