"""What a reshape asks of the channels that it rearranges, so that it means the same with fewer of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from yolo_prune_check.channels.program import Program
from yolo_prune_check.channels.provenance import Ids
from yolo_prune_check.channels.sizes import Arithmetic, Attribute, AttributeKey, Axis, Size, attributes_in

AxisGroup = tuple[list[int], list[int]]
Form = Mapping[AttributeKey, int]
"""A sum of attributes, each so many times."""


@dataclass(frozen=True)
class Demand:
    """What a reshape needs.

    Attributes:
        balanced: Arrays of rows, each of which must keep equally many entries.
        fits: Whether it runs at all with fewer channels.
        counted: Sizes made of module attributes alone, with the axis, the rows whose length each of them is, and
            whether a row may be gone as a whole.
        loose: Like ``balanced``, but a row may be gone as a whole.
        heads: Numbers of rows that a module attribute holds, with the rows, and whether their length is fixed.
    """

    balanced: tuple[Ids, ...]
    fits: bool
    counted: tuple[tuple[int, Form, Ids, bool], ...] = ()
    loose: tuple[Ids, ...] = ()
    heads: tuple[tuple[AttributeKey, Ids, bool], ...] = ()


_REFUSED = Demand((), fits=False)


def demand(
    program: Program,
    entries: Mapping[int, Ids],
    channel: Callable[[Ids], Ids],
    source: int,
    output: int,
    sizes: Sequence[Size],
    settled: Container[AttributeKey],
) -> Demand:
    """What a reshape of one value to these sizes asks.

    Args:
        program: The traced pass.
        entries: Origins of the values' entries; the source has some.
        channel: One channel for each origin.
        source: The value.
        output: Its result.
        sizes: The target sizes, -1 at most once.
        settled: Attributes that must stay what they are.
    """
    counted: list[tuple[int, Form, Ids, bool]] = []
    heads: list[tuple[AttributeKey, Ids, bool]] = []
    shape, target, found = program.values[source].shape, program.values[output].shape, entries[source]
    balanced: list[Ids] = []
    loose: list[Ids] = []
    for before, after in axis_groups(shape, target):
        moving = [axis for axis in before if found.shape[axis] > 1]
        if not moving:
            if any(not _fixed(sizes[axis], program, entries) and sizes[axis] != -1 for axis in after):
                return _REFUSED
            continue
        wide = [axis for axis in after if target[axis] > 1]
        if len(wide) > 1 and len([axis for axis in before if shape[axis] > 1]) > 1:
            return _REFUSED
        *leading, last = wide
        if any(not _fixed(sizes[axis], program, entries) for axis in leading):
            return _REFUSED
        count = math.prod(target[axis] for axis in leading)
        line = channel(_written(found, shape, before))
        rows = line.reshape(-1, target[last])
        head = _head_count(sizes, leading, settled) if len(rows) == count else None
        form = form_of(sizes[last], settled)
        if form is not None:
            heads += [] if head is None else [(head, rows, False)]
            counted.append((last, form, rows, head is not None))
            continue
        other = _follows(sizes[last], count, program, entries)
        if other is None and head is not None and _fixed(sizes[last], program, entries):
            heads.append((head, rows, True))
            continue
        if other is None:
            return _REFUSED
        heads += [] if head is None else [(head, rows, False)]
        if count > 1:
            (balanced if head is None else loose).append(rows)
        if other.size:
            other = channel(other)
            if len(other) != len(line):
                return _REFUSED
            if not np.array_equal(other, line):
                balanced.append(np.stack([line, other]))
    return Demand(tuple(balanced), fits=True, counted=tuple(counted), loose=tuple(loose), heads=tuple(heads))


def _head_count(sizes: Sequence[Size], leading: Sequence[int], settled: Container[AttributeKey]) -> AttributeKey | None:
    """The attribute that holds the number of rows, if it may change and no other size of the reshape is made of it."""
    size = sizes[leading[0]] if len(leading) == 1 else None
    if not isinstance(size, Attribute) or size.key in settled:
        return None
    uses = sum(item.key == size.key for item in attributes_in(tuple(sizes)))
    return size.key if uses == 1 else None


def _written(found: Ids, shape: tuple[int, ...], axes: Sequence[int]) -> Ids:
    """Entries with these axes written out in memory order; the other axes lead."""
    full = np.broadcast_to(found, tuple(shape[i] if i in axes else n for i, n in enumerate(found.shape)))
    moved = np.moveaxis(full, list(axes), range(full.ndim - len(axes), full.ndim))
    return moved.reshape(-1)


def axis_groups(before: Sequence[int], after: Sequence[int]) -> list[AxisGroup]:
    """Smallest runs of axes that a reshape maps onto each other."""
    groups: list[AxisGroup] = []
    i = j = 0
    while i < len(before) or j < len(after):
        left, right = list(range(i, min(i + 1, len(before)))), list(range(j, min(j + 1, len(after))))
        i, j = i + len(left), j + len(right)
        while (a := math.prod(before[n] for n in left)) != (b := math.prod(after[n] for n in right)):
            if a < b:
                left.append(i)
                i += 1
            else:
                right.append(j)
                j += 1
        groups.append((left, right))
    return groups


def _fixed(size: Size, program: Program, entries: Mapping[int, Ids]) -> bool:
    """Whether a size is the same however many channels are removed."""
    known = linear(size, program, entries)
    return size != -1 and known is not None and known[1] is None


def _follows(size: Size, count: int, program: Program, entries: Mapping[int, Ids]) -> Ids | None:
    """Entries that the size times ``count`` counts; none for -1, which follows by itself; None if it cannot follow."""
    if size == -1:
        return np.empty(0, dtype=np.int64)
    known = linear(size, program, entries)
    if known is None or known[1] is None or known[0] * count != 1:
        return None
    axis = known[1]
    return along(entries[axis.value], axis.axis)


def along(found: Ids, axis: int) -> Ids:
    """Entries along one axis, at the start of the others."""
    index = tuple(slice(None) if i == axis else 0 for i in range(found.ndim))
    return np.asarray(found[index])


def form_of(size: Size, settled: Container[AttributeKey]) -> Form | None:
    """A size as a sum of attributes that may change; None if it is anything else."""
    if isinstance(size, Attribute):
        return None if size.key in settled else {size.key: 1}
    if not isinstance(size, Arithmetic):
        return None
    left, right = form_of(size.left, settled), form_of(size.right, settled)
    if size.operator == "+" and left is not None and right is not None:
        return added([left, right])
    times, form = (size.left, right) if left is None else (size.right, left)
    if size.operator != "*" or form is None or not isinstance(times, int) or isinstance(times, Attribute):
        return None
    return {attribute: count * times for attribute, count in form.items()}


def added(forms: Iterable[Form]) -> Form:
    """The sum of sums."""
    total: dict[AttributeKey, int] = {}
    for form in forms:
        for attribute, count in form.items():
            total[attribute] = total.get(attribute, 0) + count
    return total


def linear(size: Size, program: Program, entries: Mapping[int, Ids]) -> tuple[Fraction, Axis | None] | None:
    """A size as a factor of the one axis that channels make, or as a number; None where it is neither."""
    if isinstance(size, int):
        return Fraction(size), None
    if isinstance(size, Axis):
        found = entries.get(size.value)
        if found is None or found.shape[size.axis] == 1:
            return Fraction(program.values[size.value].shape[size.axis]), None
        others = [n for axis, n in enumerate(found.shape) if axis != size.axis]
        return (Fraction(1), size) if math.prod(others) == 1 else None
    left, right = linear(size.left, program, entries), linear(size.right, program, entries)
    if left is None or right is None:
        return None
    return _combined(size.operator, left, right)


def _combined(
    operator: str, left: tuple[Fraction, Axis | None], right: tuple[Fraction, Axis | None]
) -> tuple[Fraction, Axis | None] | None:
    (a, x), (b, y) = left, right
    if x is None and y is None:
        return _number(operator, a, b), None
    if operator == "*" and (x is None or y is None):
        return a * b, x or y
    if operator == "//" and y is None:
        return a / b, x
    return None


def _number(operator: str, a: Fraction, b: Fraction) -> Fraction:
    if operator == "+":
        return a + b
    if operator == "-":
        return a - b
    if operator == "*":
        return a * b
    return Fraction(a // b) if operator == "//" else a % b
