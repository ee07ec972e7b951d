"""Convolution makes new channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from yolo_prune_check.channels.program import BoolArray, Filter
from yolo_prune_check.channels.tensors import Breaks, Tensor


def convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Tensor:
    """``aten.convolution``, with the checks PyTorch makes, in its order."""
    shape, size = weight.shape, list(weight.shape)
    if shape[0] < groups:
        raise Breaks(
            "depthwise" if groups > 1 else "direct",
            groups,
            shape[0],
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, "
            f"but got weight of size {size} instead",
        )
    if shape[0] % groups:
        raise Breaks(
            "depthwise",
            f"a multiple of {groups}",
            shape[0],
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, "
            f"but got weight of size [{size}] instead",  # PyTorch itself prints two pairs of brackets here
        )
    expected = shape[0] if transposed else shape[1] * groups
    if x.shape[1] != expected:
        kind = "transposed=1, " if transposed else ""
        raise Breaks(
            "depthwise" if groups > 1 else "direct",
            expected,
            x.shape[1],
            f"Given {kind}groups={groups}, weight of size {size}, expected input{list(x.shape)} "
            f"to have {expected} channels, but got {x.shape[1]} channels instead",
        )
    out = shape[1] * groups if transposed else shape[0]
    if bias is not None and bias.shape != (out,):
        raise Breaks(
            "direct",
            out,
            bias.shape[0],
            f"Given weight of size {size}, expected bias to be 1-dimensional with {out} elements, "
            f"but got bias of size {list(bias.shape)} instead",
        )
    spatial = tuple(
        _transposed(*axis) if transposed else _forward(*axis)
        for axis in zip(
            x.shape[2:],
            shape[2:],
            _per_axis(stride, x),
            _per_axis(padding, x),
            _per_axis(dilation, x),
            _per_axis(output_padding, x),
            strict=True,
        )
    )
    reached = np.ones(out, dtype=np.bool_) if transposed else _reached(x.emits, weight.filter, groups, out)
    constant = np.zeros(out) if bias is None or bias.vector is None else bias.vector
    return Tensor((x.shape[0], out, *spatial), np.where(reached, np.nan, constant))


def _per_axis(numbers: Sequence[int], x: Tensor) -> Sequence[int]:
    return numbers if len(numbers) == len(x.shape) - 2 else list(numbers) * (len(x.shape) - 2)


def _forward(size: int, kernel: int, stride: int, padding: int, dilation: int, _: int) -> int:
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def _transposed(size: int, kernel: int, stride: int, padding: int, dilation: int, extra: int) -> int:
    return (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + extra + 1


def _reached(emits: BoolArray, weight: Filter | None, groups: int, out: int) -> BoolArray:
    """For each output channel, whether a non-silent input channel meets a non-zero weight."""
    live = np.ones(out, dtype=np.bool_) if weight is None else weight.live
    by_group = emits.reshape(groups, -1)
    if weight is None or weight.support is None:
        return live & np.repeat(by_group.any(1), out // groups)
    support = weight.support.reshape(groups, out // groups, -1)
    return np.asarray((support & by_group[:, None, :]).any(2).reshape(out))


RULES: dict[str, Callable[..., Any]] = {"convolution": convolution, "_convolution": convolution}
