"""Which batch norm takes a convolution's output: found by running the model, not by asking the channel graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import nn

from yolo_prune_check.errors import UserError
from yolo_prune_check.images import image_channels
from yolo_prune_check.prune.borrowed import borrowed
from yolo_prune_check.prune.oplog import NORMS, OpLog, is_layer
from yolo_prune_check.prune.running import watch


def norms_of(model: nn.Module, layers: Iterable[str], *, imgsz: int = 64) -> dict[str, str | None]:
    """Find the batch norm that belongs to each of these convolutions.

    Args:
        model: A model that runs. It is left as it was.
        layers: Qualified names of ``Conv2d`` modules whose weight is a parameter of their own.
        imgsz: Size of the image that is run, in pixels.

    Returns:
        For each layer the qualified name of the batch norm that reads its output and is the only one to do so, at
        every call of the layer, and reads nothing else; None if there is none.

    Raises:
        UserError: A layer is no such ``Conv2d`` of the model.
    """
    modules = dict(model.named_modules())
    wanted = list(layers)
    for name in wanted:
        if not is_layer(modules.get(name)):
            raise UserError("no such Conv2d in the model", value=name)
    if not wanted:
        return {}
    parameter = next(model.parameters())
    image = torch.zeros(1, image_channels(model), imgsz, imgsz, device=parameter.device, dtype=parameter.dtype)
    with borrowed(model), watch(model) as running, torch.no_grad():
        log = OpLog(model, running)
        with log:
            model(image)
    calls = log.convolutions()
    found = {name: _common([_norm(log, call, modules) for call in calls.get(name, [])]) for name in wanted}
    return {name: norm if _read_by(log, norm) <= {name} else None for name, norm in found.items()}


def _norm(log: OpLog, convolution: int, modules: Mapping[str, nn.Module]) -> str | None:
    after = log.reader(convolution)
    if after is None or not log.calls[after].is_batch_norm:
        return None
    call = log.calls[after]
    # Known by its parameters and statistics, so that a functional batch norm is found as well.
    return next((name for name in call.owners if isinstance(modules.get(name), NORMS)), None)


def _common(found: list[str | None]) -> str | None:
    return found[0] if found and all(name == found[0] for name in found) else None


def _read_by(log: OpLog, norm: str | None) -> set[str]:
    """The layers whose outputs a batch norm takes; among them "" if it also takes what no layer makes."""
    made = {call.writes[0]: call.owners for call in log.calls if call.name == "convolution" and call.writes}
    taken = [call.reads[0] for call in log.calls if call.is_batch_norm and norm in call.owners]
    return {layer for value in taken for layer in made.get(value) or ("",)}
