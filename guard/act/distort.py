"""The corruption functions of Liu et al. 2024 (ECO): one token's embedding in, a distorted one out.

All are of one form: some dimensions of the row are chosen, and something is done to them. The paper's names are pairs
of both, such as "flip the sign of the top k": `sign_flip` on `dimensions: k` picked as `top`.
"""

from __future__ import annotations

import numpy as np
import torch

from guard.policy import CorruptAction


def distort(row: torch.Tensor, action: CorruptAction, generator: np.random.Generator, *, rms: float) -> torch.Tensor:
    """A row (hidden) with `action` done to it, computed in float32 and given back in the row's dtype.

    `rms` is the root mean square of the whole embedding table, the unit of `action.strength`; `generator` draws the
    noise and whatever else is left to chance.
    """
    out = row.float().clone()
    chosen = _chosen(out, action, generator)
    out[chosen] = _changed(out[chosen], action, generator, action.strength * rms)
    return out.to(row.dtype)


def _chosen(row: torch.Tensor, action: CorruptAction, generator: np.random.Generator) -> torch.Tensor:
    """The dimensions to change: the first, random ones, or those of largest magnitude."""
    width = row.shape[0]
    count = min(action.dimensions or width, width)
    if action.pick == "top":
        return torch.topk(row.abs(), count).indices
    if action.pick == "random":
        return torch.from_numpy(generator.permutation(width)[:count])
    return torch.arange(count)


def _changed(part: torch.Tensor, action: CorruptAction, generator: np.random.Generator, unit: float) -> torch.Tensor:
    match action.function:
        case "gaussian":
            return part + unit * _noise(len(part), generator)
        case "set_noise":
            return unit * _noise(len(part), generator)
        case "add":
            return part + unit
        case "subtract":
            return part - unit
        case "zero":
            return torch.zeros_like(part)
        case "sign_flip":
            return -part
        case "reverse":
            return part.flip(0)
        case "shuffle":
            return part[torch.from_numpy(generator.permutation(len(part)))]


def _noise(count: int, generator: np.random.Generator) -> torch.Tensor:
    return torch.from_numpy(generator.standard_normal(count, dtype=np.float32))
