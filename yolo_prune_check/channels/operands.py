"""Arguments of an operator, fetched from the tensors of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from yolo_prune_check.channels.program import Op, Ref
from yolo_prune_check.channels.rules import ELEMENTWISE
from yolo_prune_check.channels.sizes import Arithmetic, Axis, evaluate
from yolo_prune_check.channels.tensors import Tensor

Lookup = Callable[[int], Tensor]


def prepared(op: Op) -> Callable[[Lookup], tuple[list[Any], dict[str, Any]]]:
    """How to fetch the arguments of an operator."""
    getters = [_getter(item) for item in op.args]
    named = {name: _getter(item) for name, item in op.kwargs.items()}
    if op.in_place and op.target in ELEMENTWISE:
        named["in_place"] = lambda lookup: True
    if named:
        return lambda lookup: ([get(lookup) for get in getters], {name: get(lookup) for name, get in named.items()})
    return lambda lookup: ([get(lookup) for get in getters], {})


def _getter(item: Any) -> Callable[[Lookup], Any]:
    if isinstance(item, Ref):
        number = item.value
        return lambda lookup: lookup(number)
    if isinstance(item, (Axis, Arithmetic)):
        return lambda lookup: evaluate(item, lambda value, axis: lookup(value).shape[axis])
    if isinstance(item, tuple) and not all(isinstance(part, (int, float)) for part in item):
        parts = [_getter(part) for part in item]
        return lambda lookup: tuple(get(lookup) for get in parts)
    return lambda lookup: item


def sized_values(item: Any) -> tuple[int, ...]:
    """Values whose sizes occur in an argument."""
    if isinstance(item, Axis):
        return (item.value,)
    if isinstance(item, Arithmetic):
        return (*sized_values(item.left), *sized_values(item.right))
    if isinstance(item, tuple):
        return tuple(value for part in item for value in sized_values(part))
    return ()
