"""What a pruned model must compute: the model of full width, with the removed channels silent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from yolo_prune_check.channels.plan import Plan


@dataclass(frozen=True)
class Inputs:
    """What a narrower module still takes.

    Attributes:
        axis: Axis of its input along which there is less.
        kept: Entries of that axis, in the numbering of full width.
    """

    axis: int
    kept: torch.Tensor


@dataclass(frozen=True)
class Reference:
    """A model of full width, and where a pruned one must agree with it.

    Attributes:
        model: The model; it is not to be changed.
        silenced: Channels that are set to zero where their layer emits them, by layer.
        inputs: What the pruned model's modules still take, by name; of those that take less.
        cut: Cuts a copy of ``model``, in place, as the pruned one was cut; None where shapes are the same.
    """

    model: nn.Module
    silenced: Mapping[str, torch.Tensor] = field(default_factory=dict)
    inputs: Mapping[str, Inputs] = field(default_factory=dict)
    cut: Callable[[nn.Module], None] | None = None

    @classmethod
    def of_plan(cls, model: nn.Module, plan: Plan) -> Reference:
        """The model with just the plan's channels silenced, whatever weights they have."""
        found = {}
        for layer, keep in plan.kept().items():
            conv = model.get_submodule(layer)
            if not isinstance(conv, nn.Conv2d):
                raise TypeError(f"{layer} is a {type(conv).__name__}, not a Conv2d")
            gone = sorted(set(range(conv.out_channels)) - set(keep))
            if gone:
                found[layer] = torch.tensor(gone, dtype=torch.long, device=conv.weight.device)
        return cls(model, found)
