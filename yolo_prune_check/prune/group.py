"""Execution ``group``: remove whole dependency groups, everywhere they are needed; module classes stay the same."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from yolo_prune_check.channels.provenance import Ids
from yolo_prune_check.channels.removal import Columns, Cut
from yolo_prune_check.channels.shrink import columns_of
from yolo_prune_check.prune.cuts import Cuts

_STATISTICS = ("running_mean", "running_var")


@torch.no_grad()
def remove(model: nn.Module, cuts: Cuts) -> None:
    """Cut a model, in place: rows and columns of weights, entries of norms and scales, numbers in attributes.

    Args:
        model: The model whose numbering the cuts have.
        cuts: What stays.
    """
    for name, cut in cuts.layers.items():
        _cut_convolution(model.get_submodule(name), cut)
    for name, kept in cuts.norms.items():
        _cut_norm(model.get_submodule(name), kept)
    for weight, columns in cuts.columns.items():
        module = _cut(model, weight, columns)
        if isinstance(module, nn.Linear):
            module.in_features = len(columns.kept)
        elif hasattr(module, "in_channels"):
            setattr(module, "in_channels", len(columns.kept))  # noqa: B010  # a number, which nn.Module is not typed for
    for name, scale in cuts.scales.items():
        module = _cut(model, name, scale)
        if isinstance(module, nn.PReLU):
            module.num_parameters = len(scale.kept)
    for (name, attribute), value in cuts.attributes.items():
        setattr(model.get_submodule(name), attribute, value)


def _cut_convolution(layer: nn.Module, cut: Cut) -> None:
    if not isinstance(layer, nn.Conv2d):
        raise TypeError(f"expected a Conv2d, got a {type(layer).__name__}")
    columns = columns_of(cut, layer.out_channels // layer.groups, layer.in_channels // layer.groups)
    rows, picked = torch.as_tensor(cut.outputs)[:, None], torch.as_tensor(columns)
    _replace(layer, "weight", lambda weight: weight[rows.to(weight.device), picked.to(weight.device)])
    _replace(layer, "bias", lambda bias: bias[rows[:, 0].to(bias.device)])
    layer.out_channels, layer.in_channels, layer.groups = len(cut.outputs), len(cut.inputs), cut.groups


def _cut_norm(norm: nn.Module, kept: Ids) -> None:
    index = torch.as_tensor(kept)
    for part in ("weight", "bias"):
        _replace(norm, part, lambda tensor: tensor[index.to(tensor.device)])
    for part in _STATISTICS:
        tensor = norm._buffers.get(part)
        if tensor is not None:
            norm._buffers[part] = tensor[index.to(tensor.device)].clone()
    setattr(norm, "num_features", len(kept))  # noqa: B010  # a number, which nn.Module is not typed for


def _cut(model: nn.Module, name: str, columns: Columns) -> nn.Module:
    """Cut one parameter along an axis; the module that has it."""
    owner, _, part = name.rpartition(".")
    module, index = model.get_submodule(owner), torch.as_tensor(columns.kept)
    _replace(module, part, lambda tensor: tensor.index_select(columns.axis, index.to(tensor.device)))
    return module


def _replace(module: nn.Module, part: str, cut: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Put in a parameter's place what is left of it, if the module has it."""
    old = module._parameters.get(part)
    if old is not None:
        left = cut(old.detach()).clone(memory_format=_format_of(old))
        module._parameters[part] = nn.Parameter(left, requires_grad=old.requires_grad)


def _format_of(tensor: torch.Tensor) -> torch.memory_format:
    """In which order its numbers lie: a model that was made ``channels_last`` stays so."""
    last = tensor.dim() == 4 and tensor.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last and not tensor.is_contiguous() else torch.contiguous_format
