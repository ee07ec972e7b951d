"""Is the pruned model the one that was meant: the model before, with the removed channels' outputs set to zero."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import nn

from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.confirm.probe import probe_images, tensors_of
from yolo_prune_check.prune.borrowed import borrowed
from yolo_prune_check.prune.oplog import Execution, OpLog
from yolo_prune_check.prune.running import watch


def difference(model: nn.Module, pruned: nn.Module, plan: Plan, imgsz: int) -> tuple[float | None, float | None]:
    """Largest difference between what was meant and what a pruned model computes, in float64.

    Compared are the inputs of the last block and all outputs: decoded boxes alone hide errors. Where a detector picks
    its queries by their scores, equal scores are picked in the same order, as a masked model computes the same numbers
    to the last bit, zeros included.

    Args:
        model: The model before the plan; a removed channel is silenced where its layer emits it.
        pruned: The model after the plan, which runs. Neither is changed.
        plan: The plan.
        imgsz: Image size in pixels.

    Returns:
        The absolute difference, and the same divided by the largest magnitude that was meant; None and None if the
        shapes differ.
    """
    log, last = _log(model, imgsz)
    wanted = _features(model, last, imgsz, _silencing(log, plan, model))
    got = _features(pruned, last, imgsz, {})
    if [tensor.shape for tensor in wanted] != [tensor.shape for tensor in got]:
        return None, None
    pairs = [(a, b) for a, b in zip(wanted, got, strict=True) if a.numel()]
    error = max((float((a - b).abs().max()) for a, b in pairs), default=0.0)
    scale = max((float(a.abs().max()) for a, _ in pairs), default=0.0)
    return error, error / scale if scale else error


def _log(model: nn.Module, imgsz: int) -> tuple[OpLog, str]:
    with borrowed(model, torch.float64), watch(model) as running, torch.no_grad():
        images = probe_images(model, imgsz)
        log = OpLog(model, running, images)
        with log:
            model(images)
    return log, last_block(model, running.entered)


def _silencing(log: OpLog, plan: Plan, model: nn.Module) -> dict[int, torch.Tensor]:
    """Channels to set to zero in what each call makes."""
    calls = log.convolutions()
    found = {}
    for layer, keep in plan.kept().items():
        conv = model.get_submodule(layer)
        if not isinstance(conv, nn.Conv2d):
            raise TypeError(f"{layer} is a {type(conv).__name__}, not a Conv2d")
        removed = torch.ones(conv.out_channels, dtype=torch.bool, device=conv.weight.device)
        removed[list(keep)] = False
        for call in calls.get(layer, ()):
            chain = log.emission(call) or (call,)
            found[chain[-1]] = removed.nonzero().flatten()
    return found


class _Silence(Execution):
    def __init__(self, channels: Mapping[int, torch.Tensor]) -> None:
        self._channels = channels

    def run(self, index: int, func: Any, args: Any, kwargs: Any, varies: bool) -> Any:
        output = super().run(index, func, args, kwargs, varies)
        if index in self._channels:
            # In place, so that an in-place operator still gives back its operand.
            tensors_of(output)[0].index_fill_(1, self._channels[index], 0)
        return output


def _features(model: nn.Module, last: str, imgsz: int, silenced: Mapping[int, torch.Tensor]) -> Sequence[torch.Tensor]:
    with borrowed(model, torch.float64), watch(model) as running, torch.no_grad():
        images = probe_images(model, imgsz)
        log = OpLog(model, running, images, _Silence(silenced))
        with _inputs(model.get_submodule(last), log) as found, log if silenced else nullcontext():
            output = model(images)
    return [*found, *_floating(output)]


@contextmanager
def _inputs(module: nn.Module, log: OpLog) -> Iterator[list[torch.Tensor]]:
    found: list[torch.Tensor] = []

    def hook(module: nn.Module, args: Any, kwargs: Any) -> None:
        with log.pause():
            found.extend(tensor.clone() for tensor in _floating((args, kwargs)))

    handle = module.register_forward_pre_hook(hook, with_kwargs=True)
    try:
        yield found
    finally:
        handle.remove()


def _floating(tree: object) -> list[torch.Tensor]:
    return [tensor for tensor in tensors_of(tree) if tensor.is_floating_point()]


def last_block(model: nn.Module, entered: Sequence[str]) -> str:
    """The part of a model that ran last, at the highest level that is more than a list of parts.

    An Ultralytics head, a classifier's last linear layer.

    Args:
        model: The model.
        entered: Names of its modules in the order in which their forward began.
    """
    name = ""
    while name == "" or name not in entered or isinstance(model.get_submodule(name), nn.Sequential):
        inside = [other for other in entered if other.startswith(f"{name}." if name else "") and other != name]
        if not inside:
            break
        start = len(name) + 1 if name else 0
        name = name + ("." if name else "") + inside[-1][start:].partition(".")[0]
    return name
