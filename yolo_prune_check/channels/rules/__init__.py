"""One rule per operator: from abstract operands to abstract results, or ``Breaks`` in PyTorch's words.

A rule is a pure function of shapes and states. It takes the operator's arguments in schema order, tensors as
``Tensor`` and sizes as ``int``, and returns one ``Tensor`` or a tuple of them. An operator that is not in ``RULES``
freezes what flows into it and is listed as unsupported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from yolo_prune_check.channels.rules import (
    activation,
    assertion,
    contraction,
    convolution,
    elementwise,
    factory,
    indexing,
    join,
    layout,
    multi_head,
    norm,
    pooling,
    reduction,
    tiling,
)

Rule = Callable[..., Any]

RULES: Mapping[str, Rule] = {
    **convolution.RULES,
    **norm.RULES,
    **activation.RULES,
    **assertion.RULES,
    **elementwise.RULES,
    **factory.RULES,
    **join.RULES,
    **layout.RULES,
    **multi_head.RULES,
    **pooling.RULES,
    **reduction.RULES,
    **contraction.RULES,
    **tiling.RULES,
    **indexing.RULES,
}

ACTIVATIONS = frozenset(activation.ACTIVATIONS)
NORMS = frozenset(norm.NORMS)
CONVOLUTIONS = frozenset(convolution.CONVOLUTIONS)
POOLS = frozenset(pooling.POOLS)
FACTORIES = frozenset({*factory.FACTORIES, *(f"new_{name}" for name in factory.RULES)})
UPSAMPLES = frozenset(pooling.UPSAMPLES)
LAYOUT = frozenset({*layout.RULES, *join.RULES, *tiling.RULES, *indexing.LAYOUT})
ELEMENTWISE = frozenset(elementwise.TIES)
SPLITS = frozenset(join.SPLITS)
BROADCASTING = frozenset(
    name
    for rules in (
        elementwise.TIES,
        elementwise.CHOICES,
        activation.SLOPES,
        reduction.EXTREMES,
        tiling.EXPANDING,
        indexing.WRITES,
    )
    for name in rules
)
"""Operators that spread an axis of size 1 over a larger one without a word."""
PASSING = frozenset({*activation.POINTWISE, *pooling.RULES, *layout.SAME})
"""Operators that take a tensor of any width and leave the width as it is."""

__all__ = [
    "ACTIVATIONS",
    "BROADCASTING",
    "CONVOLUTIONS",
    "ELEMENTWISE",
    "FACTORIES",
    "LAYOUT",
    "NORMS",
    "PASSING",
    "POOLS",
    "RULES",
    "SPLITS",
    "UPSAMPLES",
    "Rule",
]
