"""Execution ``adapter``: shrink a layer, and put its channels back to their places, with zeros between.

The field notes' "channel adjustment layer". Whoever reads the layer gets the width that it knows, so nothing else has
to change; what is saved is the layer's own work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.images import image_channels
from yolo_prune_check.prune.borrowed import borrowed
from yolo_prune_check.prune.local import shrink
from yolo_prune_check.prune.oplog import Call, OpLog
from yolo_prune_check.prune.running import watch
from yolo_prune_check.prune.scatter import ChannelScatter, scattering


def adapt(model: nn.Module, plan: Plan, norms: Mapping[str, str | None], *, imgsz: int = 64) -> None:
    """Shrink the plan's layers, in place, and widen what they emit.

    A layer's channels are put back behind the last module that does nothing but pass them on: its activation, its batch
    norm, or itself. One whose weight the code gives to a function is no such module, and stays as it is.

    Args:
        model: The model, which runs.
        plan: Steps with qualified names of ``Conv2d`` modules.
        norms: For each layer the qualified name of its batch norm, or None.
        imgsz: Size of the image that is run to find these modules, in pixels.
    """
    cut = {layer: keep for layer, keep in plan.kept().items() if len(keep) < _width(model, layer)}
    places = _places(model, cut, imgsz)
    widths = {layer: _width(model, layer) for layer in places}
    shrink(model, Plan([Step(layer, cut[layer]) for layer in places], "adapter"), norms)
    for layer, place in places.items():
        _widen(model, place, ChannelScatter(cut[layer], widths[layer]))


def _width(model: nn.Module, layer: str) -> int:
    return int(model.get_submodule(layer).out_channels)  # type: ignore[arg-type]  # a Conv2d's is a number


def _widen(model: nn.Module, place: str, scatter: ChannelScatter) -> None:
    module = model.get_submodule(place)
    device = next((tensor.device for tensor in module.parameters()), next(model.parameters()).device)
    scatter.to(device)
    if isinstance(module, nn.Conv2d):
        module.__class__ = scattering(type(module))  # type: ignore[arg-type]  # a class has a hash
        module.register_buffer("source", scatter.source)  # a child would make it no leaf, which torchinfo counts
    else:
        owner, _, name = place.rpartition(".")
        model.get_submodule(owner)._modules[name] = nn.Sequential(module, scatter).train(module.training)


@dataclass(frozen=True)
class _Return:
    """A module's forward returned a tensor: its name, whether it has no submodules, the value, operators run so far."""

    name: str
    leaf: bool
    value: int
    after: int


def _places(model: nn.Module, layers: Mapping[str, object], imgsz: int) -> dict[str, str]:
    """For each layer the last module without submodules that passes on what it makes, at each of its calls, alone."""
    returns: list[_Return] = []

    def left(name: str, module: nn.Module, output: Any) -> None:
        value = log.value_of(output) if isinstance(output, torch.Tensor) else None
        if value is not None:
            returns.append(_Return(name, not any(module.children()), value, len(log.calls)))

    parameter = next(model.parameters())
    image = torch.zeros(1, image_channels(model), imgsz, imgsz, device=parameter.device, dtype=parameter.dtype)
    with borrowed(model), watch(model, left) as running, torch.no_grad():
        log = OpLog(model, running)
        with log:
            model(image)
    found = {}
    for layer, calls in log.convolutions().items():
        if layer in layers:
            chains = [log.emission(index) or (index,) for index in calls]
            place = _last(returns, [[log.calls[index] for index in chain] for chain in chains])
            if place is not None:
                found[layer] = place
    return found


def _last(returns: Sequence[_Return], chains: Sequence[Sequence[Call]]) -> str | None:
    """The module behind which what the calls made latest is passed on by nothing but itself.

    What was written in place has another name as well, by which it may be read.
    """
    for position in reversed(range(min(map(len, chains)))):
        if any(chain[position].in_place for chain in chains):
            continue
        values = sorted((chain[position].writes or (-1,))[0] for chain in chains)
        names = {_place(returns, value) for value in values}
        name = names.pop()
        alone = sorted(item.value for item in returns if item.leaf and item.name == name) == values
        if not names and name is not None and alone:
            return name
    return None


def _place(returns: Sequence[_Return], value: int) -> str | None:
    """The first leaf that returns a value, or the last in the same module, where that returns it with nothing between.

    There an ``nn.Identity`` may stand for an activation. Elsewhere it is one more reader of the value.
    """
    known = [item for item in returns if item.value == value]
    first = next((item for item in known if item.leaf), None)
    if first is None:
        return None
    owner, last = first.name.rpartition(".")[0], first
    for item in returns[returns.index(first) + 1 :]:
        if item.value != value or item.after != first.after:
            break
        if item.name == owner:
            return last.name
        if item.leaf and item.name.rpartition(".")[0] == owner:
            last = item
    return first.name
