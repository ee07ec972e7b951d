"""Convolution makes new channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolo_prune_check.channels.program import BoolArray, Filter
from yolo_prune_check.channels.rules.phantom import of_constants, of_constants_transposed
from yolo_prune_check.channels.tensors import Breaks, Tensor, along, stated


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
    *options: bool,
) -> Tensor:
    """``aten.convolution`` over any number of spatial axes, with the checks PyTorch makes, in its order."""
    shape = weight.shape
    _check(x, shape, None if bias is None else bias.shape, transposed, groups)
    where = tuple(stride), tuple(padding), tuple(dilation), tuple(output_padding)
    sizes = _sizes(x.shape[2:], shape[2:], *where, transposed)
    out = shape[1] * groups if transposed else shape[0]
    result = (x.shape[0], out, *sizes)
    if x.state is None and (weight.filter is None or weight.filter.dense):
        return Tensor(result)
    silent, constant = _inputs(x)
    reached = _reaching(~silent, weight, groups, transposed=transposed)
    if reached.all() and not constant.any():
        return Tensor(result)
    shift = np.zeros(out) if bias is None else np.full(out, np.nan) if bias.vector is None else bias.vector
    state = along(np.where(reached, np.nan, shift), 1, len(result))
    if weight.filter is None or weight.filter.values is None or not constant.any():
        return stated(result, state)
    rows = np.flatnonzero(reached & ~_reaching(~silent & ~constant, weight, groups, transposed=transposed))
    if len(rows):
        steps, margins, reaches, _ = (_per_axis(numbers, len(sizes)) for numbers in where)
        if transposed:
            heard = np.flatnonzero(constant)
            found = of_constants_transposed(
                x, weight.filter.values.at(heard), heard, groups, steps, margins, reaches, sizes
            )[:, rows]
        else:
            kernels, sources = weight.filter.values.at(rows), _sources(rows, shape, groups)
            found = of_constants(x, kernels, sources, steps, margins, reaches, sizes)
        state = np.broadcast_to(state, np.broadcast_shapes(state.shape, (1, 1, *found.shape[2:]))).copy()
        state = np.broadcast_to(state, (found.shape[0], *state.shape[1:])).copy()
        state[:, rows] = found + along(shift[rows], 1, len(result))
    return stated(result, state)


def _sources(rows: NDArray[np.intp], shape: tuple[int, ...], groups: int) -> NDArray[np.intp]:
    """Input channels that some output channels read: one line where all read the same."""
    columns = np.arange(shape[1])
    if groups == 1:
        return columns[None, :]
    return (rows // (shape[0] // groups))[:, None] * shape[1] + columns


def _check(x: Tensor, shape: tuple[int, ...], bias: tuple[int, ...] | None, transposed: bool, groups: int) -> None:
    size = list(shape)
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
        kind = "transposed=1" if transposed else f"groups={groups}"
        raise Breaks(
            "depthwise" if groups > 1 and not transposed else "direct",
            expected,
            x.shape[1],
            f"Given {kind}, weight of size {size}, expected input{list(x.shape)} "
            f"to have {expected} channels, but got {x.shape[1]} channels instead",
        )
    out = shape[1] * groups if transposed else shape[0]
    if bias is not None and bias != (out,):
        raise Breaks(
            "direct",
            out,
            bias[0],
            f"Given {'transposed=1, ' if transposed else ''}weight of size {size}, expected bias to be 1-dimensional "
            f"with {out} elements, but got bias of size {list(bias)} instead",
        )


@lru_cache(maxsize=4096)
def _sizes(
    sizes: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    output_padding: tuple[int, ...],
    transposed: bool,
) -> tuple[int, ...]:
    steps, margins, reaches, extra = (_per_axis(n, len(sizes)) for n in (stride, padding, dilation, output_padding))
    if not transposed:
        _check_kernel(sizes, kernel, margins, reaches)
    return tuple(map(_transposed if transposed else _forward, sizes, kernel, steps, margins, reaches, extra))


def _check_kernel(sizes: Sequence[int], kernel: Sequence[int], padding: Sequence[int], dilation: Sequence[int]) -> None:
    padded = [size + 2 * margin for size, margin in zip(sizes, padding, strict=True)]
    reach = [step * (size - 1) + 1 for size, step in zip(kernel, dilation, strict=True)]
    if any(have < need for have, need in zip(padded, reach, strict=True)):
        have, need = " x ".join(map(str, padded)), " x ".join(map(str, reach))
        raise Breaks(
            "direct",
            f"at least ({need})",
            f"({have})",
            f"Calculated padded input size per channel: ({have}). Kernel size: ({need}). "
            f"Kernel size can't be greater than actual input size",
        )


def _per_axis(numbers: Sequence[int], axes: int) -> Sequence[int]:
    return numbers if len(numbers) == axes else list(numbers) * axes


def _forward(size: int, kernel: int, stride: int, padding: int, dilation: int, _: int) -> int:
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def _transposed(size: int, kernel: int, stride: int, padding: int, dilation: int, extra: int) -> int:
    return (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + extra + 1


def _inputs(x: Tensor) -> tuple[BoolArray, BoolArray]:
    """For each input channel, whether it is silent everywhere, and whether it is constant (and not silent)."""
    count = x.shape[1]
    if x.state is None:
        return np.zeros(count, dtype=np.bool_), np.zeros(count, dtype=np.bool_)
    others = tuple(axis for axis in range(x.state.ndim) if axis != 1)
    flat = x.state.size == x.state.shape[1]  # the usual case: one entry a channel
    silent = (x.state == 0).reshape(-1) if flat else (x.state == 0).all(others)
    constant = (x.state == x.state).reshape(-1) if flat else (x.state == x.state).all(others)
    constant = constant & ~silent
    if len(silent) != count:
        return np.repeat(silent, count), np.repeat(constant, count)
    return silent, constant


def _reaching(inputs: BoolArray, weight: Tensor, groups: int, *, transposed: bool) -> BoolArray:
    """For each output channel, whether one of these input channels meets a non-zero kernel slice of it."""
    known: Filter | None = weight.filter
    by_group = inputs.reshape(groups, -1)
    if transposed:
        each = weight.shape[1]
        if known is None or known.support is None:
            live = by_group if known is None else by_group & known.live.reshape(groups, -1)
            return np.repeat(live.any(1), each)
        support = known.support.reshape(groups, -1, each)
        return np.asarray((support & by_group[:, :, None]).any(1).reshape(groups * each))
    out = weight.shape[0]
    if known is None or known.support is None:
        reached = np.repeat(by_group.any(1), out // groups)
        return reached if known is None else np.asarray(known.live & reached)
    support = known.support.reshape(groups, out // groups, -1)
    return np.asarray((support & by_group[:, None, :]).any(2).reshape(out))


CONVOLUTIONS: dict[str, Callable[..., Any]] = {"convolution": convolution, "_convolution": convolution}
RULES: dict[str, Callable[..., Any]] = {**CONVOLUTIONS}
