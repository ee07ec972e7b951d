"""Read PyTorch's complaints: which sizes did not fit. Knows nothing of predictions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from yolo_prune_check.channels.prediction import Mismatch, MismatchKind


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


def _indivisible(parts: Sequence[str]) -> tuple[MismatchKind, str, str]:
    groups, first = parts
    return "depthwise", f"a multiple of {groups}", first


def _elementwise(parts: Sequence[str]) -> tuple[MismatchKind, str, str]:
    left, right, axis = parts
    return "residual" if axis == "1" else "elementwise", left, right


def _plain(kind: MismatchKind) -> Read:
    return lambda parts: (kind, parts[0], parts[1])


def _split(parts: Sequence[str]) -> tuple[MismatchKind, str, str]:
    got, sizes = parts
    return "split", str(sum(int(size) for size in sizes.split(","))), got


def _norm(parts: Sequence[str]) -> tuple[MismatchKind, str, str]:
    got, expected = parts
    return "norm", expected, got


_READERS: Sequence[tuple[re.Pattern[str], Read]] = (
    (re.compile(r"groups=(\d+), weight of size .* to have (\d+) channels, but got (\d+) channels"), _convolution),
    (re.compile(r"groups=(\d+), expected weight to be at least .* but got weight of size \[(\d+)"), _too_few),
    (re.compile(r"groups=(\d+), expected weight to be divisible .* but got weight of size \[+(\d+)"), _indivisible),
    (re.compile(r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\) at .* (\d+)$"), _elementwise),
    (re.compile(r"^Sizes of tensors must match .* Expected size (\d+) but got size (\d+)"), _plain("concat")),
    (re.compile(r"sum exactly to (\d+) .* split_sizes=\[([\d, ]+)\]"), _split),
    (re.compile(r"^shape '(\[[-\d, ]*\])' is invalid for input of size (\d+)"), _plain("view")),
    (re.compile(r"should contain (\d+) elements not (\d+)"), _norm),
)
