"""What execution ``group`` must compute: the model of full width, every number of a removed channel zero."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import nn

from yolo_prune_check.channels.provenance import Ids
from yolo_prune_check.prune.copied import copied
from yolo_prune_check.prune.cuts import Cuts
from yolo_prune_check.prune.group import remove
from yolo_prune_check.prune.norms import norms_of
from yolo_prune_check.prune.reference import Inputs, Reference


def reference_of(model: nn.Module, cuts: Cuts, *, imgsz: int = 64) -> Reference:
    """A copy of a model with what is cut silenced, and which inputs each narrower layer still takes.

    Args:
        model: The model whose numbering the cuts have; it is not changed.
        cuts: What stays.
        imgsz: Size of the image that is run to find batch norms, in pixels.
    """
    silent = copied(model)
    silence(silent, cuts, norms_of(silent, list(cuts.layers), imgsz=imgsz))
    inputs = {name: Inputs(1, torch.as_tensor(cut.inputs)) for name, cut in cuts.layers.items()}
    modules = dict(model.named_modules())
    for weight, columns in cuts.columns.items():
        name = weight.removesuffix(".weight")
        if name in modules:  # and no parameter that code gives to a function
            inputs[name] = Inputs(-1 if isinstance(modules[name], nn.Linear) else 1, torch.as_tensor(columns.kept))
    return Reference(silent, {}, inputs, partial(remove, cuts=cuts))


@torch.no_grad()
def silence(model: nn.Module, cuts: Cuts, norms: Mapping[str, str | None]) -> None:
    """Zero in a model, in place, every number that makes or shapes a channel that is cut.

    What the cuts leave must compute as this model does. Columns that read such channels are left: they read zeros.

    Args:
        model: The model whose numbering the cuts have.
        cuts: What stays.
        norms: Batch norm of each layer that is cut, as ``norms_of`` finds it.
    """
    for name, cut in cuts.layers.items():
        owner = norms[name]
        for module in (name,) if owner is None else (name, owner):
            _zero(model.get_submodule(module), cut.outputs)
    for name in cuts.norms.keys() - set(norms.values()):
        # One behind a concat belongs to no layer, and would give a silent channel a constant.
        _zero(model.get_submodule(name), cuts.norms[name])
    for name, scale in cuts.scales.items():
        tensor = model.get_parameter(name)
        tensor.index_fill_(scale.axis, _gone(scale.kept, tensor.shape[scale.axis], tensor.device), 0)


def _zero(module: nn.Module, kept: Ids) -> None:
    for tensor in (module._parameters.get("weight"), module._parameters.get("bias")):
        if tensor is not None:
            tensor.index_fill_(0, _gone(kept, len(tensor), tensor.device), 0)


def _gone(kept: Ids, total: int, device: torch.device) -> torch.Tensor:
    stays = torch.zeros(total, dtype=torch.bool)
    stays[torch.as_tensor(kept)] = True
    return (~stays).nonzero().flatten().to(device)
