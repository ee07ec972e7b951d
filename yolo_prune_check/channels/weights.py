"""What a prediction needs of a model's numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from yolo_prune_check.channels.numbers import Numbers
from yolo_prune_check.channels.program import Filter, FloatArray

_NUMPYS = (torch.float32, torch.float64)  # numpy knows no bfloat16, and is slow with others


def numbers_of(tensor: torch.Tensor) -> FloatArray:
    """A copy in float64."""
    known = tensor if tensor.dtype in _NUMPYS else tensor.double()
    return np.array(known.numpy(force=True), dtype=np.float64)


def vectors_of(tensors: Mapping[str, torch.Tensor]) -> dict[str, FloatArray]:
    """Copies of vectors in float64, all of a kind at once: a model has hundreds of them."""
    kinds: dict[tuple[torch.dtype, torch.device], dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        kinds.setdefault((tensor.dtype, tensor.device), {})[name] = tensor
    found: dict[str, FloatArray] = {}
    for alike in kinds.values():
        ends = np.cumsum([len(tensor) for tensor in alike.values()])
        found.update(zip(alike, np.split(numbers_of(torch.cat([*alike.values()])), ends[:-1]), strict=True))
    return found


def _has_no_zero(tensor: torch.Tensor) -> bool:
    """Whether all entries differ from zero; every weight of a model is asked."""
    if tensor.device.type == "cpu" and tensor.dtype in _NUMPYS:  # numpy is three times as fast
        return bool(tensor.numpy(force=True).all())
    return int(torch.count_nonzero(tensor)) == tensor.numel()


def filter_of(weight: torch.Tensor) -> Filter:
    """Which filters and kernel slices of a convolution's weight are zero, and where its numbers are.

    Args:
        weight: ``(out, in / groups, *kernel)``.
    """
    weight = weight.detach()
    shape, values = tuple(weight.shape), Numbers.of(weight)
    if _has_no_zero(weight):
        return Filter(shape, np.ones(shape[0], dtype=np.bool_), None, values)
    slices = (weight != 0).flatten(2).any(2) if weight.ndim > 2 else weight != 0
    live = slices.any(1)
    dense = bool((slices | ~live[:, None]).all())
    support = None if dense else np.array(slices.cpu().numpy())
    return Filter(shape, np.array(live.cpu().numpy()), support, values)
