"""Read PyTorch's complaints: which sizes did not fit. Knows nothing of predictions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

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


def _layer_norm(parts: Sequence[str]) -> tuple[MismatchKind, str, str]:
    expected, sizes = parts
    count = len(expected.split(", "))
    return "norm", expected, ", ".join(sizes.split(", ")[-count:])


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
    (re.compile(r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\) at .* (\d+)$"), _elementwise),
    (re.compile(r"^output with shape \[([\d, ]*)\] doesn't match the broadcast shape \[([\d, ]+)\]"), _widening),
    (re.compile(r"^Sizes of tensors must match .* Expected size (\d+) but got size (\d+)"), _plain("concat")),
    (
        re.compile(r"^stack expects .* but got (\[[\d, ]*\]) at entry \d+ and (\[[\d, ]*\]) at entry"),
        _plain("concat"),
    ),
    (re.compile(r"sum exactly to (\d+) .* split_sizes=\[([\d, ]+)\]"), _split),
    (re.compile(r"^not enough values to unpack \(expected (\d+), got (\d+)\)"), _plain("split")),
    (re.compile(r"^shape '(\[[-\d, ]*\])' is invalid for input of size (\d+)"), _plain("view")),
    (re.compile(r"^The expanded size of the tensor \((\d+)\) must match the existing size \((\d+)\)"), _plain("view")),
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
    (re.compile(r"^was expecting embedding dimension of (\d+), but got (\d+)"), _plain("linear")),
    (re.compile(r"^Embed dimension must be divisible by (\d+) for .* position embedding"), _position),
)
