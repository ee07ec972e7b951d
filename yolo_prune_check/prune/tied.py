"""Parameters that several modules hold: a plan is about one of these modules, and must leave the others alone."""

from __future__ import annotations

from collections import Counter

from torch import nn

from yolo_prune_check.prune.mask import MaskSet


def untie(model: nn.Module, masks: MaskSet) -> None:
    """Give modules their own copy of each tensor that a mask is going to write into and others hold as well, in place.

    Args:
        model: The model that the masks are meant for.
        masks: What is going to be masked.
    """
    holders = Counter(id(tensor) for module in model.modules() for tensor in module._parameters.values())
    for module, name in masks.parameters(model):
        tensor = module._parameters.get(name)
        if tensor is not None and holders[id(tensor)] > 1:
            holders[id(tensor)] -= 1
            module._parameters[name] = nn.Parameter(tensor.detach().clone(), requires_grad=tensor.requires_grad)
