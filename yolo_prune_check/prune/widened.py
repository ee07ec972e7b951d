"""Back to full width: a pruned model's numbers, at their places in the model that it was cut from."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.provenance import Ids
from yolo_prune_check.channels.shrink import columns_of
from yolo_prune_check.prune.apply import meant_by
from yolo_prune_check.prune.copied import copied
from yolo_prune_check.prune.cuts import Cuts
from yolo_prune_check.prune.norms import norms_of
from yolo_prune_check.prune.reference import Reference
from yolo_prune_check.prune.scatter import numbers_without_adapters
from yolo_prune_check.prune.silenced import reference_of


def trained_reference(model: nn.Module, cuts: Cuts, pruned: nn.Module, *, imgsz: int = 64) -> Reference:
    """What a pruned model must compute whose numbers have changed since: the model of full width with these numbers.

    Args:
        model: The untouched model; it is not changed.
        cuts: What stays of it.
        pruned: The model that was cut so, and trained.
        imgsz: Size of the image that is run to find batch norms, in pixels.
    """
    reference = reference_of(model, cuts, imgsz=imgsz)
    _put_back(reference.model, cuts, pruned)
    return reference


def trained_masked(model: nn.Module, plan: Plan, graph: ChannelGraph, adapted: nn.Module) -> Reference:
    """What a model with adapters must compute whose numbers have changed since: the masked model with these numbers.

    Args:
        model: The untouched model; it is not changed.
        plan: What was carried out on it, by ``adapter``.
        graph: The model's graph.
        adapted: The model with adapters, trained.
    """
    reference = meant_by(model, plan, graph)
    _put_among(reference.model, plan, norms_of(model, plan.kept(), imgsz=graph.imgsz), adapted)
    return reference


def widened(model: nn.Module, cuts: Cuts, pruned: nn.Module) -> nn.Module:
    """A copy of a model with the numbers of what was left of it by ``group``, trained; what is gone is untouched."""
    wide = copied(model)
    _put_back(wide, cuts, pruned)
    return wide


def unmasked(model: nn.Module, plan: Plan, trained: nn.Module, norms: Mapping[str, str | None]) -> nn.Module:
    """The same for the other executions, which leave modules and shapes of all that the plan does not name.

    Args:
        model: The untouched model; it is not changed.
        plan: What was carried out on it and stands.
        trained: What became of it.
        norms: For each of the plan's layers the qualified name of its batch norm, or None.
    """
    wide = copied(model)
    _put_among(wide, plan, norms, trained)
    return wide


@torch.no_grad()
def _put_among(wide: nn.Module, plan: Plan, norms: Mapping[str, str | None], trained: nn.Module) -> None:
    """Put what was kept of the plan's layers, and all else, to its place; what is gone stays as it is."""
    places = wide.state_dict()
    kept = {module: keep for layer, keep in plan.kept().items() for module in (layer, norms[layer])}
    for name, tensor in numbers_without_adapters(trained).items():
        keep = kept.get(name.rpartition(".")[0])
        if keep is not None and tensor.dim():
            rows = np.asarray(keep)
            _put(places[name], 0, rows, tensor if len(tensor) == len(rows) else tensor[rows])
        else:
            places[name].copy_(tensor)


@torch.no_grad()
def _put_back(wide: nn.Module, cuts: Cuts, pruned: nn.Module) -> None:
    numbers, places = pruned.state_dict(), wide.state_dict()
    for name, cut in cuts.layers.items():
        conv = wide.get_submodule(name)
        if not isinstance(conv, nn.Conv2d):
            raise TypeError(f"{name} is a {type(conv).__name__}, not a Conv2d")
        columns = columns_of(cut, conv.out_channels // conv.groups, conv.in_channels // conv.groups)
        rows = torch.as_tensor(cut.outputs)
        places[f"{name}.weight"][rows[:, None], torch.as_tensor(columns)] = numbers.pop(f"{name}.weight")
        if conv.bias is not None:
            places[f"{name}.bias"][rows] = numbers.pop(f"{name}.bias")
    for name, kept in cuts.norms.items():
        for vector in (f"{name}.{part}" for part in ("weight", "bias", "running_mean", "running_var")):
            if vector in numbers:
                _put(places[vector], 0, kept, numbers.pop(vector))
    for name, part in {**cuts.columns, **cuts.scales}.items():
        _put(places[name], part.axis, part.kept, numbers.pop(name))
    for name, tensor in numbers.items():
        places[name].copy_(tensor)


def _put(place: torch.Tensor, axis: int, kept: Ids, tensor: torch.Tensor) -> None:
    place.index_copy_(axis, torch.as_tensor(kept, device=place.device), tensor.to(place.dtype))
