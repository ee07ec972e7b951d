"""One rule per operator: from abstract operands to abstract results, or ``Breaks`` in PyTorch's words.

A rule is a pure function of shapes and channel states. It takes the operator's arguments in schema order, tensors as
``Tensor`` and sizes as ``int``, and returns one ``Tensor`` or a tuple of them. An operator that is not in ``RULES``
freezes what flows into it and is listed as unsupported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from yolo_prune_check.channels.rules import activation, convolution, elementwise, join, layout, norm, pooling

Rule = Callable[..., Any]

RULES: Mapping[str, Rule] = {
    **convolution.RULES,
    **norm.RULES,
    **activation.RULES,
    **elementwise.RULES,
    **join.RULES,
    **layout.RULES,
    **pooling.RULES,
}

ACTIVATIONS = frozenset(activation.RULES)
NORMS = frozenset(norm.RULES)
CONVOLUTIONS = frozenset(convolution.RULES)
POOLS = frozenset(pooling.POOLS)
UPSAMPLES = frozenset(pooling.UPSAMPLES)

__all__ = ["ACTIVATIONS", "CONVOLUTIONS", "NORMS", "POOLS", "RULES", "UPSAMPLES", "Rule"]
