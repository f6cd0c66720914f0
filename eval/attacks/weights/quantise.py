"""Weights rounded to 8 or 4 bits, which can bring back what unlearning pushed just out of reach.

Zhang et al. 2025, "Catastrophic Failure of LLM Unlearning via Quantization", arXiv:2410.16454: unlearning that keeps
the model useful moves the weights little, so that many are rounded to what they were rounded to before. What is
simulated is the rounding of the weights: they are rounded to the nearest step and stored again as floating-point
numbers. No kernel runs in low precision, and activations are left alone.
"""

from __future__ import annotations

import copy
from typing import Any, Literal

import torch
from torch import Tensor, nn

Bits = Literal[8, 4]
GROUP = 64  # inputs that share a step at 4 bits


def quantised(model: Any, bits: Bits) -> Any:
    """A copy of the model with the weights of its linear layers rounded; see `round_to_nearest`.

    At 8 bits a step is shared by an output channel, at 4 bits by 64 inputs of it. The output embedding stays as it is,
    as quantising libraries leave it by default; it may be one with the input's table.
    """
    copied = copy.deepcopy(model)
    head = copied.get_output_embeddings()
    with torch.no_grad():
        for module in copied.modules():
            if isinstance(module, nn.Linear) and module is not head:
                width = module.in_features if bits == 8 else GROUP
                module.weight.copy_(round_to_nearest(module.weight, bits, width))
    return copied


def round_to_nearest(weights: Tensor, bits: Bits, group: int) -> Tensor:
    """Round `weights` (outputs x inputs) symmetrically about zero, `group` inputs of an output sharing a step.

    With m the largest magnitude of a group and q = 2^(bits-1) - 1, the step is s = m / q and a weight w becomes
    s round(w / s), at most s / 2 away. The last group of a row is narrower where `group` does not divide it.
    """
    return torch.cat([_rounded(part, 2 ** (bits - 1) - 1) for part in weights.split(group, dim=1)], dim=1)


def _rounded(part: Tensor, levels: int) -> Tensor:
    exact = part.float()
    # A group of zeros has no step of its own; any will do.
    step = (exact.abs().amax(dim=1, keepdim=True) / levels).clamp(min=torch.finfo(torch.float32).tiny)
    return ((exact / step).round() * step).to(part.dtype)
