"""Is the pruned model the one that was meant: the model before, with the removed channels' outputs set to zero."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import nn

from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.confirm.probe import probe_images, tensors_of
from yolo_prune_check.confirm.structure import Structure, structure_of
from yolo_prune_check.prune.borrowed import borrowed
from yolo_prune_check.prune.oplog import Call, Execution, OpLog
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
    structure = structure_of(model, imgsz)
    wanted = _features(model, structure.last, imgsz, _Silence(structure, _removed(model, plan)))
    got = _features(pruned, structure.last, imgsz)
    if [tensor.shape for tensor in wanted] != [tensor.shape for tensor in got]:
        return None, None
    pairs = [(a, b) for a, b in zip(wanted, got, strict=True) if a.numel()]
    error = max((float((a - b).abs().max()) for a, b in pairs), default=0.0)
    scale = max((float(a.abs().max()) for a, _ in pairs), default=0.0)
    return error, error / scale if scale else error


def _removed(model: nn.Module, plan: Plan) -> dict[str, torch.Tensor]:
    found = {}
    for layer, keep in plan.kept().items():
        conv = model.get_submodule(layer)
        if not isinstance(conv, nn.Conv2d):
            raise TypeError(f"{layer} is a {type(conv).__name__}, not a Conv2d")
        gone = sorted(set(range(conv.out_channels)) - set(keep))
        if gone:
            found[layer] = torch.tensor(gone, dtype=torch.long, device=conv.weight.device)
    return found


class _Silence(Execution):
    """Sets removed channels to zero where their layer emits them."""

    def __init__(self, structure: Structure, removed: Mapping[str, torch.Tensor]) -> None:
        self._lengths = {layer: iter(structure.lengths.get(layer, ())) for layer in removed}
        self._removed = removed
        self._ahead: dict[int, tuple[str, int]] = {}  # by value: whose channels, and calls until they are emitted

    def wrote(self, index: int, call: Call, outputs: list[torch.Tensor]) -> None:
        for layer, length in self._arriving(call):
            if length:
                self._ahead[(call.writes or ())[0]] = layer, length
            else:
                outputs[0].index_fill_(1, self._removed[layer], 0)

    def _arriving(self, call: Call) -> Iterator[tuple[str, int]]:
        if call.name == "convolution":
            yield from ((layer, next(self._lengths[layer])) for layer in call.owners if layer in self._removed)
        elif call.reads and call.reads[0] in self._ahead:
            layer, length = self._ahead[call.reads[0]]
            yield layer, length - 1


def _features(model: nn.Module, last: str, imgsz: int, silence: _Silence | None = None) -> Sequence[torch.Tensor]:
    with borrowed(model, torch.float64), watch(model) as running, torch.no_grad():
        images = probe_images(model, imgsz)
        log = OpLog(model, running, images, silence)
        with _inputs(model.get_submodule(last), log) as found, nullcontext() if silence is None else log:
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
