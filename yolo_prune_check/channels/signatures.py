"""Functions that are recorded as a whole: what they are called with, in the order in which their rules take it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from yolo_prune_check.channels.sizes import Dim, as_size, has_axis

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def _narrow(input: torch.Tensor, dim: int, start: int, length: int) -> Arguments:
    return (input, dim, start, length), {}


def _tensor_split(
    input: torch.Tensor,
    indices_or_sections: Any = None,
    dim: int = 0,
    *,
    indices: Any = None,
    sections: Any = None,
    tensor_indices_or_sections: Any = None,
) -> Arguments:
    given = (indices_or_sections, indices, sections, tensor_indices_or_sections)
    return (input, next(item for item in given if item is not None), dim), {}


def _evenly(name: str, axis: Callable[[torch.Tensor], int]) -> Callable[..., Arguments]:
    def arranged(input: torch.Tensor, *given: Any, **named: Any) -> Arguments:
        parts = given[0] if len(given) == 1 else given or next(iter(named.values()))
        return (input, parts, axis(input)), {"name": name}

    return arranged


def _unflatten(input: torch.Tensor, dim: int, sizes: Sequence[int]) -> Arguments:
    return (input, dim, tuple(sizes)), {}


def _group_norm(
    input: torch.Tensor, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Arguments:
    return (input, weight, bias, 0, 0, 0, num_groups, eps), {}


def _conv(
    input: torch.Tensor,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Arguments:
    where = (item if isinstance(item, (tuple, list)) else (item,) for item in (stride, padding, dilation))
    return (input, weight, bias, *where, False, (0,), groups), {}


_HSPLIT = _evenly("hsplit", lambda tensor: 1 if tensor.ndim > 1 else 0)
ARRANGED: Mapping[Any, tuple[str, Callable[..., Arguments]]] = {
    torch.narrow: ("narrow", _narrow),  # a slice, which takes what there is, to ATen
    torch.Tensor.narrow: ("narrow", _narrow),
    **dict.fromkeys((torch.tensor_split, torch.Tensor.tensor_split), ("tensor_split", _tensor_split)),
    **dict.fromkeys((torch.hsplit, torch.Tensor.hsplit), ("tensor_split", _HSPLIT)),
    **dict.fromkeys((torch.vsplit, torch.Tensor.vsplit), ("tensor_split", _evenly("vsplit", lambda tensor: 0))),
    **dict.fromkeys((torch.dsplit, torch.Tensor.dsplit), ("tensor_split", _evenly("dsplit", lambda tensor: 2))),
    **dict.fromkeys((torch.unflatten, torch.Tensor.unflatten), ("unflatten", _unflatten)),
}
"""Functions that are always kept as a whole: their operators, and how to arrange their arguments."""

_GROUPED: Mapping[Any, tuple[str, Callable[..., Arguments]]] = {
    nn.functional.group_norm: ("native_group_norm", _group_norm),
    **dict.fromkeys((torch.conv1d, torch.conv2d, torch.conv3d), ("convolution", _conv)),
}


def arranged(func: Any, args: Any, kwargs: Any) -> tuple[str, Callable[..., Arguments]] | None:
    """Operator and arrangement of a function whose arguments ATen sees in another order, or computed; None if not.

    A number of groups that was read from a tensor's shape is one of several numbers to ATen.
    """
    found = ARRANGED.get(func)
    if found is None and func in _GROUPED and any(map(_computed, (*args, *kwargs.values()))):
        found = _GROUPED[func]
    return found


def _computed(item: Any) -> bool:
    return type(item) is Dim and has_axis(as_size(item))
