"""What a pruned model must compute: the model of full width, with the removed channels silent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from yolo_prune_check.channels.plan import Plan


@dataclass(frozen=True)
class Reference:
    """A model of full width, and where a pruned one must agree with it.

    Attributes:
        model: The model; it is not to be changed.
        silenced: Channels that are set to zero where their layer emits them, by layer.
        inputs: By module, the input channels that the pruned one's still takes; of modules that take fewer.
    """

    model: nn.Module
    silenced: Mapping[str, torch.Tensor] = field(default_factory=dict)
    inputs: Mapping[str, torch.Tensor] = field(default_factory=dict)

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
