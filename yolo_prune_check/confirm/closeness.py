"""How far apart two models' tensors are, as a check."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

import torch

from yolo_prune_check.confirm.check import Check

Tensors = Mapping[str, torch.Tensor]


def compared(
    name: str, wanted: Tensors, got: Tensors, tolerance: float, setting: str, floors: Mapping[str, float] | None = None
) -> Check:
    """Compare tensors that belong together by name.

    Args:
        name: Name of the check.
        wanted: What is to come out.
        got: What came out.
        tolerance: Largest accepted error, see ``relative_error``.
        setting: In which precision both were computed, for the detail.
        floors: For some of the tensors the smallest magnitude that errors are relative to.
    """
    if wanted.keys() != got.keys():
        return Check(name, False, None, f"{len(got)} tensors came out, {len(wanted)} were expected")
    for key, tensor in wanted.items():
        if tensor.shape != got[key].shape:
            return Check(name, False, None, f"{key} is {_shape(got[key])}, expected {_shape(tensor)}")
    known = floors or {}
    errors = {key: relative_error(tensor, got[key], known.get(key, 0.0)) for key, tensor in wanted.items()}
    worst = max(errors, key=lambda key: errors[key])
    limit = f"{setting}, tolerance {tolerance:g}"
    detail = f"{limit}; largest at {worst}" if errors[worst] else f"{limit}; bit for bit"
    return Check(name, errors[worst] <= tolerance, errors[worst], detail)


def relative_error(wanted: torch.Tensor, got: torch.Tensor, floor: float = 0.0) -> float:
    """Largest error of any channel (axis 1), relative to the largest magnitude that is wanted in that channel.

    By channel, because class scores are not to hide behind boxes, which are counted in pixels. Where nothing but zeros
    is wanted, the error is relative to the whole tensor's magnitude. Infinite where a number is not finite.

    Args:
        wanted: A tensor.
        got: Another of its shape.
        floor: The smallest magnitude that an error is relative to.
    """
    if torch.equal(wanted, got):
        return 0.0
    error = (wanted.double() - got.double()).abs().masked_fill(wanted == got, 0)  # the same infinity is no error
    if not bool(error.isfinite().all()):
        return inf
    scale = wanted.double().abs()
    if wanted.dim() > 1:
        axes = [axis for axis in range(wanted.dim()) if axis != 1]
        error, scale = error.amax(axes), scale.amax(axes)
    scale = torch.where(scale > 0, scale, scale.max()).clamp(min=floor)
    return float(torch.where(error > 0, error / scale, 0).max())


def _shape(tensor: torch.Tensor) -> str:
    return "×".join(str(size) for size in tensor.shape)
