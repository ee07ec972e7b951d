"""Read PyTorch's complaints: which sizes did not fit. Knows nothing of predictions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from math import prod

from yolo_prune_check.channels.prediction import Mismatch, MismatchKind

COMPLAINTS = (RuntimeError, IndexError, ValueError, TypeError, AttributeError, AssertionError)
"""Exceptions by which PyTorch, or a model's own code, says that a size does not fit."""


def read_error(error: BaseException, module: str) -> Mismatch:
    """Turn an exception of a forward pass into a ``Mismatch``.

    Raises:
        BaseException: The exception itself, when it is no complaint about sizes: then something else went wrong, and
            that must not pass for a mismatch.
    """
    message = str(error).splitlines()[0] if str(error) else ""
    for pattern, read in _READERS:
        found = pattern.search(message)
        if found is not None:
            kind, expected, got = read(found.groups())
            return Mismatch(module, kind, expected, got, message)
    raise error


Read = Callable[[Sequence[str]], tuple[MismatchKind, str, str]]


def _convolution(parts: Sequence[str]) -> tuple[MismatchKind, str, str]:
    groups, expected, got = parts
    return "depthwise" if int(groups) > 1 else "direct", expected, got


def _too_few(parts: Sequence[str]) -> tuple[MismatchKind, str, str]:
    groups, first = parts
    return "depthwise" if int(groups) > 1 else "direct", groups, first


def _multiple(kind: MismatchKind) -> Read:
    return lambda parts: (kind, f"a multiple of {parts[0]}", parts[1])


def _divisible(kind: MismatchKind) -> Read:
    return lambda parts: (kind, f"a multiple of {parts[1]}", parts[0])


def _elementwise(parts: Sequence[str]) -> tuple[MismatchKind, str, str]:
    left, right, axis = parts
    return "residual" if axis == "1" else "elementwise", left, right


def _widening(parts: Sequence[str]) -> tuple[MismatchKind, str, str]:
    """An in-place operator whose left operand is too small: the last axis at which it is."""
    right = parts[1].split(", ")
    left = parts[0].split(", ") if parts[0] else []
    left = ["1"] * (len(right) - len(left)) + left
    axis = max(axis for axis, sizes in enumerate(zip(left, right, strict=True)) if sizes[0] != sizes[1])
    return _elementwise((left[axis], right[axis], str(axis)))


def _plain(kind: MismatchKind) -> Read:
    return lambda parts: (kind, parts[0], parts[1])


def _swapped(kind: MismatchKind) -> Read:
    return lambda parts: (kind, parts[1], parts[0])


def _split(parts: Sequence[str]) -> tuple[MismatchKind, str, str]:
    got, sizes = parts
    return "split", str(sum(int(size) for size in sizes.split(","))), got


def _narrow(parts: Sequence[str]) -> tuple[MismatchKind, str, str]:
    start, length, size = parts
    return "split", str(int(start) + int(length)), size


def _select(parts: Sequence[str]) -> tuple[MismatchKind, str, str]:
    index, shape, axis = parts
    return "split", index, shape[1:-1].split(", ")[int(axis)]


def _unflatten(parts: Sequence[str]) -> tuple[MismatchKind, str, str]:
    sizes, got = [int(size) for size in parts[0].split(", ")], parts[1]
    return "view", f"a multiple of {-prod(sizes)}" if -1 in sizes else str(prod(sizes)), got


def _too_small(parts: Sequence[str]) -> tuple[MismatchKind, str, str]:
    return "pool", "at least 1x1", parts[0]


def _layer_norm(parts: Sequence[str]) -> tuple[MismatchKind, str, str]:
    expected, sizes = parts
    count = len(expected.split(", "))
    return "norm", expected, ", ".join(sizes.split(", ")[-count:])


def _larger_index(parts: Sequence[str]) -> tuple[MismatchKind, str, str]:
    axis, chosen, shape = parts
    return "split", chosen.split(", ")[int(axis)], shape.split(", ")[int(axis)]


def _kernel(parts: Sequence[str]) -> tuple[MismatchKind, str, str]:
    have, need = parts
    return "direct", f"at least ({need})", f"({have})"


def _fewer(kind: MismatchKind) -> Read:
    return lambda parts: (kind, "more", "fewer")  # the message does not say how many


def _position(parts: Sequence[str]) -> tuple[MismatchKind, str, str]:
    return "elementwise", f"a multiple of {parts[0]}", "another number"  # the message does not say which


_READERS: Sequence[tuple[re.Pattern[str], Read]] = (
    (re.compile(r"groups=(\d+), weight of size .* to have (\d+) channels, but got (\d+) channels"), _convolution),
    (re.compile(r"groups=(\d+), expected weight to be at least .* but got weight of size \[(\d+)"), _too_few),
    (
        re.compile(r"groups=(\d+), expected weight to be divisible .* but got weight of size \[+(\d+)"),
        _multiple("depthwise"),
    ),
    (
        re.compile(r"^Given transposed=.* to have (\d+) channels, but got (\d+) channels"),
        _plain("direct"),
    ),
    (re.compile(r"expected bias to be .* with (\d+) elements, but got bias of size \[(\d+)\]"), _plain("direct")),
    (re.compile(r"^Calculated padded input size per channel: \(([^)]*)\)\. Kernel size: \(([^)]*)\)"), _kernel),
    (re.compile(r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\) at .* (\d+)$"), _elementwise),
    (re.compile(r"^output with shape \[([\d, ]*)\] doesn't match the broadcast shape \[([\d, ]+)\]"), _widening),
    (re.compile(r"^Sizes of tensors must match .* Expected size (\d+) but got size (\d+)"), _plain("concat")),
    (re.compile(r"^Tensors must have same number of dimensions: got (\d+) and (\d+)"), _plain("concat")),
    (
        re.compile(r"^stack expects .* but got (\[[\d, ]*\]) at entry \d+ and (\[[\d, ]*\]) at entry"),
        _plain("concat"),
    ),
    (re.compile(r"sum exactly to (\d+) .* split_sizes=\[([\d, ]+)\]"), _split),
    (re.compile(r"^not enough values to unpack \(expected (\d+), got (\d+)\)"), _plain("split")),
    (re.compile(r"^start \((\d+)\) \+ length \((\d+)\) exceeds dimension size \((\d+)\)"), _narrow),
    (re.compile(r"^start out of range .* \[-\d+, (\d+)\], but got (-?\d+)"), _swapped("split")),
    (re.compile(r"index (-?\d+) is out of bounds for dimension \d+ with size (\d+)"), _plain("split")),
    (re.compile(r"^select\(\): index (-?\d+) out of range for tensor of size (\[[\d, ]+\]) at .* (\d+)$"), _select),
    (re.compile(r"^INDICES element is out of DATA bounds, id=(\d+) axis_dim=(\d+)"), _plain("split")),
    (
        re.compile(r"^Halving dimension must be even, but dimension \d+ is size (\d+)"),
        lambda parts: ("split", "a multiple of 2", parts[0]),
    ),
    (re.compile(r"^selected index k out of range|^index out of range in self"), _fewer("split")),
    (re.compile(r"^Size does not match at dimension (\d+) .*index \[([\d, ]+)\] .* self \[([\d, ]+)\]"), _larger_index),
    (
        re.compile(r"^torch\.[hvd]split attempted .* (\d+) is not divisible by the split_size (\d+)!"),
        _divisible("split"),
    ),
    (re.compile(r"^too many values to unpack \(expected (\d+)\)"), lambda parts: ("split", parts[0], "more")),
    (re.compile(r"channels must be divisible by groups\. Got (\d+) .* and (\d+) groups"), _divisible("view")),
    (re.compile(r"^pixel_shuffle expects .* input\.size\(-3\)=(\d+) is not divisible by (\d+)"), _divisible("view")),
    (re.compile(r"^pixel_unshuffle expects .*=(\d+) is not divisible by (\d+)"), _divisible("view")),
    (re.compile(r"^unflatten: .* sizes \[([-\d, ]+)\] don't multiply up to .* dim \d+ \((\d+)\)"), _unflatten),
    (re.compile(r"^repeats must .* repeats\.size\(0\) = (\d+) and input\.size\(\d+\) = (\d+)"), _plain("elementwise")),
    (
        re.compile(r"^Mismatch of parameter numbers .* parameter numbers = (\d+) and channel size = (\d+)"),
        _plain("elementwise"),
    ),
    (re.compile(r"^Given input size: .* output size: \(\d+x([\dx-]+)\)\. Output size is too small"), _too_small),
    (
        re.compile(r"^(?:Expected 3D or 4D|Non-empty 4D).* got.*\[\d+, (0),"),
        lambda parts: ("pool", "at least 1", parts[0]),
    ),
    (re.compile(r"^shape '(\[[-\d, ]*\])' is invalid for input of size (\d+)"), _plain("view")),
    (
        re.compile(r"^cannot reshape tensor of (0) elements into shape (\[[-\d, ]*\])"),
        _swapped("view"),
    ),
    (re.compile(r"^expand\(.* of sizes provided \((\d+)\) .* in the tensor \((\d+)\)"), _plain("view")),
    (re.compile(r"^Number of dimensions of repeat dims can not be smaller"), _fewer("view")),
    (
        re.compile(r"^grid_sampler\(\): .* same batch size, .* sizes \[(\d+)[\d, ]*\] and grid with sizes \[(\d+)"),
        _plain("elementwise"),
    ),
    (
        re.compile(r"^grid_sampler\(\): .* size (\d+) in last dimension, .* sizes \[.*?(\d+)\]$"),
        _plain("elementwise"),
    ),
    (re.compile(r"^The expanded size of the tensor \((\d+)\) must match the existing size \((\d+)\)"), _plain("view")),
    (re.compile(r"^expected input's size at dim=1 to match num_features \((\d+)\), but got: (\d+)"), _plain("norm")),
    (re.compile(r"^Expected \w+ to be of same shape .* of shape \[([\d, ]+)\] and .* \[([\d, ]+)\]"), _swapped("norm")),
    (re.compile(r"should contain (\d+) elements not (\d+)"), _swapped("norm")),
    (re.compile(r"normalized_shape=\[([\d, ]+)\], expected input .* input of size\[([\d, ]+)\]"), _layer_norm),
    (
        re.compile(r"to be divisible by num_groups, but got input of shape \[\d+, (\d+).* num_groups=\s*(\d+)"),
        lambda parts: ("norm", f"a multiple of {parts[1]}", parts[0]),
    ),
    (
        re.compile(r"equal to the number of channels in input, but got \w+ of shape \[(\d+)\].* \[\d+, (\d+)"),
        _plain("norm"),
    ),
    (re.compile(r"mat1 and mat2 shapes cannot be multiplied \(\d+x(\d+) and (\d+)x\d+\)"), _swapped("linear")),
    (re.compile(r"dimensions of batch2 tensor to be: (\[[\d, ]+\]) but got: (\[[\d, ]+\])"), _plain("linear")),
    (
        re.compile(r"^einsum\(\): .* has size (\d+) .* with previously seen size (\d+)"),
        _swapped("linear"),
    ),
    (re.compile(r"^size mismatch, got input .* mat \(\d+x(\d+)\), vec \((\d+)\)"), _plain("linear")),
    (re.compile(r"^inconsistent tensor size, expected tensor \[(\d+)\] and src \[(\d+)\]"), _plain("linear")),
    (re.compile(r"^X1 and X2 must .* X1: (\d+) X2: (\d+)"), _plain("linear")),
    (
        re.compile(r"^contracted dimensions need to match, .* size (\d+) in .* size (\d+) in"),
        _plain("linear"),
    ),
    (re.compile(r"^bilinear\(\): .* got (\d+) but expected (\d+)"), _swapped("linear")),
    (re.compile(r"^input\.size\(-1\) must be equal to input_size\. Expected (\d+), got (\d+)"), _plain("linear")),
    (re.compile(r"^was expecting embedding dimension of (\d+), but got (\d+)"), _plain("linear")),
    (re.compile(r"^Embed dimension must be divisible by (\d+) for .* position embedding"), _position),
)
