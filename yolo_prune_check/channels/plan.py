"""What is pruned: a plan of ordered steps. Pure data; which layers exist is the graph's business."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import isnan
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
        scores: How much each channel of the layer is worth, by index; only their order matters, and only to execution
            ``group``: where it has to give removed channels back, it gives back the best. None if that is not known.

    Raises:
        UserError: An index is negative, is no integer or occurs twice; a score is no number, or there are fewer of them
            than channels are kept.
    """

    layer: str
    keep: tuple[int, ...]
    scores: tuple[float, ...] | None

    def __init__(self, layer: str, keep: Iterable[int], scores: Iterable[float] | None = None) -> None:
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
        object.__setattr__(self, "scores", None if scores is None else _scores(layer, scores, kept))


def _scores(layer: str, scores: Iterable[float], kept: list[int]) -> tuple[float, ...]:
    found = tuple(float(score) for score in scores)
    if any(isnan(score) for score in found):
        raise UserError("a channel's score must be a number", where=layer, value="nan")
    if kept and kept[-1] >= len(found):
        raise UserError("a kept channel has no score", where=layer, value=kept[-1], hint="Give one for each channel.")
    return found


@dataclass(frozen=True, slots=True)
class Plan:
    """Ordered steps and how they are carried out.

    Two steps on one layer keep what both keep.

    Args:
        steps: The steps, in the order in which they are carried out.
        execution: ``mask``, ``local``, ``group`` or ``adapter``.
        mask: For ``mask``: ``silent`` zeroes filter, bias and batch-norm weight and bias; ``weights`` only the filter.
        extend: For ``group``: whether channels that a step does not name go as well where those that it names are tied
            to them; else the plan is unsafe.
        round_to: For ``group``: give channels back until every width, and every piece of a split, is a multiple of this
            number, or what it was; None for no rounding.

    Attributes:
        layers: Layer of each step. With the next two, what thousands of plans are packed into arrays from.
        counts: Channels that each step keeps.
        highest: Highest channel that each step keeps; -1 if it keeps none.

    Raises:
        UserError: Unknown execution or mask kind, or a width that cannot be rounded to.
    """

    steps: tuple[Step, ...] = field(default=())
    execution: Execution = "mask"
    mask: MaskKind = "silent"
    extend: bool = True
    round_to: int | None = None
    layers: tuple[str, ...] = field(init=False, repr=False, compare=False)
    counts: tuple[int, ...] = field(init=False, repr=False, compare=False)
    highest: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __init__(
        self,
        steps: Iterable[Step] = (),
        execution: Execution = "mask",
        mask: MaskKind = "silent",
        *,
        extend: bool = True,
        round_to: int | None = None,
    ) -> None:
        if execution not in EXECUTIONS:
            raise UserError("unknown execution", value=execution, hint=f"Use one of {', '.join(EXECUTIONS)}.")
        if mask not in MASK_KINDS:
            raise UserError("unknown kind of mask", value=mask, hint=f"Use one of {', '.join(MASK_KINDS)}.")
        if round_to is not None and (type(round_to) is not int or round_to < 1):
            raise UserError("widths are rounded to a whole number of channels", value=round_to, hint="Such as 8.")
        steps = tuple(steps)
        object.__setattr__(self, "steps", steps)
        object.__setattr__(self, "execution", execution)
        object.__setattr__(self, "mask", mask)
        object.__setattr__(self, "extend", extend)
        object.__setattr__(self, "round_to", round_to)
        object.__setattr__(self, "layers", tuple([step.layer for step in steps]))
        object.__setattr__(self, "counts", tuple([len(step.keep) for step in steps]))
        object.__setattr__(self, "highest", tuple([step.keep[-1] if step.keep else -1 for step in steps]))

    @property
    def is_plain(self) -> bool:
        """Whether nothing but which channels the steps name decides what goes under ``group``."""
        return self.extend and self.round_to is None and all(step.scores is None for step in self.steps)

    def with_steps(self, steps: Iterable[Step], execution: Execution | None = None) -> Plan:
        """The same plan with other steps, perhaps carried out otherwise."""
        return Plan(steps, execution or self.execution, self.mask, extend=self.extend, round_to=self.round_to)

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


def as_ranges(channels: Sequence[int]) -> str:
    """Sorted channels as specs write them.

    >>> as_ranges([0, 1, 2, 9])
    '0-2,9'
    """
    breaks = [0, *(at for at, (a, b) in enumerate(pairwise(channels), 1) if b != a + 1), len(channels)]
    parts = [channels[start:stop] for start, stop in pairwise(breaks) if stop > start]
    return ",".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)
