"""How a model is put together, as one pass through it shows: where its layers emit, and which part runs last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import nn

from yolo_prune_check.confirm.probe import probe_images
from yolo_prune_check.prune.borrowed import borrowed
from yolo_prune_check.prune.oplog import OpLog
from yolo_prune_check.prune.running import watch

Lengths = Mapping[str, tuple[int, ...]]
"""For each layer and each of its calls the number of operators from the convolution to the emission."""


@dataclass(frozen=True)
class Structure:
    """What does not depend on a model's weights.

    Attributes:
        lengths: Where its layers emit.
        last: Name of its last block; see ``last_block``.
    """

    lengths: Lengths
    last: str


_Modules = tuple[tuple[int, type[nn.Module]], ...]
_known: WeakKeyDictionary[nn.Module, tuple[int, _Modules, Structure]] = WeakKeyDictionary()


def structure_of(model: nn.Module, imgsz: int) -> Structure:
    """Run one image through a model that runs, unless that was done before and its modules are still the same."""
    modules = tuple((id(module), type(module)) for module in model.modules())
    found = _known.get(model)
    if found is not None and found[:2] == (imgsz, modules):
        return found[2]
    structure = _look(model, imgsz)
    _known[model] = imgsz, modules, structure
    return structure


def _look(model: nn.Module, imgsz: int) -> Structure:
    with borrowed(model), watch(model) as running, torch.no_grad():
        images = probe_images(model, imgsz)
        log = OpLog(model, running)
        with log:
            model(images)
    return Structure(lengths_of(log), last_block(model, running.entered))


def lengths_of(log: OpLog) -> Lengths:
    """Where layers emit, as a pass shows it."""
    return {
        layer: tuple(len(log.emission(index) or (index,)) - 1 for index in calls)
        for layer, calls in log.convolutions().items()
    }


def last_block(model: nn.Module, entered: Sequence[str]) -> str:
    """The part of a model that ran last, at the highest level that is more than a list of parts.

    An Ultralytics head, a classifier's last linear layer.

    Args:
        model: The model.
        entered: Names of its modules in the order in which their forward began.
    """
    name = ""
    while name == "" or name not in entered or isinstance(model.get_submodule(name), nn.Sequential):
        prefix = f"{name}." if name else ""
        inside = [other for other in entered if other.startswith(prefix) and other != name]
        if not inside:
            break
        name = prefix + inside[-1].removeprefix(prefix).partition(".")[0]
    return name
