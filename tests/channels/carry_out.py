"""Carry a removal out on a real model: the independent half of the proof that the dependency groups are right.

Only indices are taken from the removal; which tensors they cut is read off the modules themselves.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from yolo_prune_check.channels.removal import Cut, Removal
from yolo_prune_check.prune.copied import copied
from yolo_prune_check.prune.norms import norms_of


def carry_out(model: nn.Module, removal: Removal) -> nn.Module:
    """A copy of the model without the channels that a removal takes, of the same module classes.

    Args:
        model: The model; it is not changed.
        removal: Of this model's graph, without hazards of severity error.
    """
    small = copied(model)
    for name, cut in removal.layers.items():
        _cut_convolution(small.get_submodule(name), cut)
    for name, kept in removal.norms.items():
        _cut_norm(small.get_submodule(name), torch.as_tensor(kept))
    for weight, columns in removal.columns.items():
        owner, _, part = weight.rpartition(".")
        module = small.get_submodule(owner)
        _replace(module, part, getattr(module, part).index_select(columns.axis, torch.as_tensor(columns.kept)))
        if isinstance(module, nn.Linear):
            module.in_features = len(columns.kept)
        elif isinstance(module, nn.Conv1d | nn.ConvTranspose2d):
            module.in_channels = len(columns.kept)
    for name, scale in removal.scales.items():
        owner, _, part = name.rpartition(".")
        module = small.get_submodule(owner)
        _replace(module, part, getattr(module, part).index_select(scale.axis, torch.as_tensor(scale.kept)))
        if isinstance(module, nn.PReLU):
            module.num_parameters = len(scale.kept)
    for (module_name, attribute), value in removal.attributes.items():
        setattr(small.get_submodule(module_name), attribute, value)
    return small


def masked(model: nn.Module, removal: Removal, imgsz: int) -> nn.Module:
    """A copy of full width in which every removed channel is silent where its layer's batch norm has shaped it.

    A batch norm behind a concat belongs to no layer and would give a silent channel a constant: its entries for removed
    channels are zeroed as well, and so are those of layer scales and the like.
    """
    silent = copied(model)
    owners = norms_of(silent, list(removal.layers), imgsz=imgsz)
    with torch.no_grad():
        for name, cut in removal.layers.items():
            layer, owner = silent.get_submodule(name), owners[name]
            norm = None if owner is None else silent.get_submodule(owner)
            for module in (layer, norm):
                for part in ("weight", "bias"):
                    tensor = getattr(module, part, None)
                    if tensor is not None:
                        tensor[_gone(cut.outputs, len(tensor))] = 0
        for name in removal.norms.keys() - set(owners.values()):
            norm = silent.get_submodule(name)
            assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)
            for tensor in (norm.weight, norm.bias):
                tensor[_gone(removal.norms[name], len(tensor))] = 0
        for name, scale in removal.scales.items():
            tensor = silent.get_parameter(name)
            tensor.index_fill_(scale.axis, _gone(scale.kept, tensor.shape[scale.axis]), 0)
    return silent


def _gone(kept: np.ndarray[tuple[int], np.dtype[np.int64]], total: int) -> torch.Tensor:
    return torch.as_tensor(np.setdiff1d(np.arange(total), kept))


def _cut_convolution(layer: nn.Module, cut: Cut) -> None:
    assert isinstance(layer, nn.Conv2d)
    outputs, width = layer.out_channels // layer.groups, layer.in_channels // layer.groups
    filters = []
    for row in cut.outputs.tolist():
        own = range(row // outputs * width, (row // outputs + 1) * width)
        columns = [index - own.start for index in cut.inputs.tolist() if index in own]
        filters.append(layer.weight[row, columns])
    _replace(layer, "weight", torch.stack(filters))
    if layer.bias is not None:
        _replace(layer, "bias", layer.bias[torch.as_tensor(cut.outputs)])
    layer.out_channels, layer.in_channels, layer.groups = len(cut.outputs), len(cut.inputs), cut.groups


def _cut_norm(norm: nn.Module, kept: torch.Tensor) -> None:
    assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)
    if norm.affine:
        for part in ("weight", "bias"):
            _replace(norm, part, getattr(norm, part)[kept])
    if norm.track_running_stats:
        for part in ("running_mean", "running_var"):
            setattr(norm, part, getattr(norm, part)[kept])
    norm.num_features = len(kept)


def _replace(module: nn.Module, part: str, tensor: torch.Tensor) -> None:
    old = getattr(module, part)
    setattr(module, part, nn.Parameter(tensor.detach().clone(), requires_grad=old.requires_grad))
