"""What a prediction needs of a model's numbers."""

from __future__ import annotations

import numpy as np
import torch

from yolo_prune_check.channels.numbers import Numbers
from yolo_prune_check.channels.program import Filter, FloatArray


def numbers_of(tensor: torch.Tensor) -> FloatArray:
    """A copy in float64."""
    return np.array(tensor.detach().double().cpu().numpy())


def filter_of(weight: torch.Tensor) -> Filter:
    """Which filters and kernel slices of a convolution's weight are zero, and where its numbers are.

    Args:
        weight: ``(out, in / groups, *kernel)``.
    """
    weight = weight.detach()
    shape, values = tuple(weight.shape), Numbers.of(weight)
    if int(torch.count_nonzero(weight)) == weight.numel():
        return Filter(shape, np.ones(shape[0], dtype=np.bool_), None, values)
    slices = (weight != 0).flatten(2).any(2) if weight.ndim > 2 else weight != 0
    live = slices.any(1)
    dense = bool((slices | ~live[:, None]).all())
    support = None if dense else np.array(slices.cpu().numpy())
    return Filter(shape, np.array(live.cpu().numpy()), support, values)
