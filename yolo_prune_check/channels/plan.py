"""What is pruned: a plan of ordered steps. Pure data; which layers exist is the graph's business."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, get_args

from yolo_prune_check.errors import UserError

Execution = Literal["mask", "local", "group", "adapter"]
MaskKind = Literal["silent", "weights"]

EXECUTIONS: tuple[Execution, ...] = get_args(Execution)
MASK_KINDS: tuple[MaskKind, ...] = get_args(MaskKind)


@dataclass(frozen=True, slots=True)
class Step:
    """Keep these output channels of one layer and remove the others.

    Args:
        layer: Qualified name of a ``Conv2d``, such as ``"model.2.cv1.conv"``.
        keep: Indices of the channels that stay, in the numbering of the untouched model. Stored sorted.

    Raises:
        UserError: An index is negative, is no integer or occurs twice.
    """

    layer: str
    keep: tuple[int, ...]

    def __init__(self, layer: str, keep: Iterable[int]) -> None:
        indices = list(keep)
        for index in indices:
            if isinstance(index, bool) or not hasattr(index, "__index__"):
                raise UserError("a kept channel must be an integer", where=layer, value=index)
        kept = sorted(int(index) for index in indices)
        if kept and kept[0] < 0:
            raise UserError("a kept channel must not be negative", where=layer, value=kept[0])
        if len(set(kept)) != len(kept):
            twice = next(a for a, b in pairwise(kept) if a == b)
            raise UserError("a channel is kept twice", where=layer, value=twice, hint="Name each channel once.")
        object.__setattr__(self, "layer", layer)
        object.__setattr__(self, "keep", tuple(kept))


@dataclass(frozen=True, slots=True)
class Plan:
    """Ordered steps and how they are carried out.

    Two steps on one layer keep what both keep.

    Args:
        steps: The steps, in the order in which they are carried out.
        execution: ``mask``, ``local``, ``group`` or ``adapter``.
        mask: For ``mask``: ``silent`` zeroes filter, bias and batch-norm weight and bias; ``weights`` only the filter.

    Attributes:
        layers: Layer of each step. With the next two, what thousands of plans are packed into arrays from.
        counts: Channels that each step keeps.
        highest: Highest channel that each step keeps; -1 if it keeps none.

    Raises:
        UserError: Unknown execution or mask kind.
    """

    steps: tuple[Step, ...] = field(default=())
    execution: Execution = "mask"
    mask: MaskKind = "silent"
    layers: tuple[str, ...] = field(init=False, repr=False, compare=False)
    counts: tuple[int, ...] = field(init=False, repr=False, compare=False)
    highest: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __init__(self, steps: Iterable[Step] = (), execution: Execution = "mask", mask: MaskKind = "silent") -> None:
        if execution not in EXECUTIONS:
            raise UserError("unknown execution", value=execution, hint=f"Use one of {', '.join(EXECUTIONS)}.")
        if mask not in MASK_KINDS:
            raise UserError("unknown kind of mask", value=mask, hint=f"Use one of {', '.join(MASK_KINDS)}.")
        steps = tuple(steps)
        object.__setattr__(self, "steps", steps)
        object.__setattr__(self, "execution", execution)
        object.__setattr__(self, "mask", mask)
        object.__setattr__(self, "layers", tuple([step.layer for step in steps]))
        object.__setattr__(self, "counts", tuple([len(step.keep) for step in steps]))
        object.__setattr__(self, "highest", tuple([step.keep[-1] if step.keep else -1 for step in steps]))

    def widths(self) -> dict[str, int]:
        """Number of channels that stay, by layer."""
        widths = dict(zip(self.layers, self.counts, strict=True))
        if len(widths) == len(self.steps):
            return widths
        return {layer: len(keep) for layer, keep in self.kept().items()}

    def kept(self) -> dict[str, tuple[int, ...]]:
        """Channels that stay, by layer, in order of each layer's first step."""
        kept: dict[str, tuple[int, ...]] = {}
        for step in self.steps:
            if step.layer in kept:
                both = set(kept[step.layer]) & set(step.keep)
                kept[step.layer] = tuple(sorted(both))
            else:
                kept[step.layer] = step.keep
        return kept
