"""One watched forward pass: does it raise, and which channels are not silent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from yolo_prune_check.channels.prediction import Mismatch
from yolo_prune_check.confirm.clipping import clips, leak
from yolo_prune_check.confirm.errors import COMPLAINTS, read_error
from yolo_prune_check.confirm.junctions import JunctionWatch, SeenPort, active_channels
from yolo_prune_check.confirm.probe import probe_images
from yolo_prune_check.confirm.sizes import Sizes
from yolo_prune_check.prune.borrowed import borrowed
from yolo_prune_check.prune.oplog import Call, Execution, OpLog
from yolo_prune_check.prune.running import watch

Lengths = Mapping[str, tuple[int, ...]]
"""For each layer and each of its calls the number of operators from the convolution to the emission."""


@dataclass(frozen=True)
class Pass:
    """What a watched pass showed.

    Attributes:
        failure: What it raised, or None.
        completed: Number of ATen calls that returned, conversions of type not counted.
        clipped: Whether an activation was met that clips to zero.
        active: Active channels by layer, of the layers that emitted.
        ports: The junctions that were passed.
        sizes: What torchinfo says.
    """

    failure: Mismatch | None
    completed: int
    clipped: bool
    active: dict[str, int]
    ports: dict[tuple[str, str], SeenPort]
    sizes: Sizes


def plain_pass(model: nn.Module, imgsz: int, lengths: Lengths | None = None) -> Pass:
    """Run one image through a model.

    Args:
        model: The model; it is left as it was.
        imgsz: Image size in pixels.
        lengths: Where layers emit, if known; otherwise it is read off this pass. One that breaks off does not show
            all the readers of a value.
    """
    return _run(model, imgsz, 1, None, _Activity(), lengths)


def leaking_pass(model: nn.Module, imgsz: int, like: Pass, lengths: Lengths | None = None) -> Pass:
    """Run two images at once with activations that do not clip what varies; see ``clipping``.

    In float64: image by image, what varies may have grown small beside what does not, and must not be rounded away.

    Args:
        model: The model; it is left as it was.
        imgsz: Image size in pixels.
        like: The plain pass. If it broke off, this one stops at the same call.
        lengths: As in ``plain_pass``.
    """
    until = None if like.failure is None else like.completed
    return _run(model, imgsz, 2, torch.float64, _Leaking(until), lengths)


def emission_lengths(model: nn.Module, imgsz: int) -> Lengths:
    """How many operators lie between each layer's convolution and its emission, on a model that runs."""
    images = probe_images(model, imgsz)
    with borrowed(model), watch(model) as running, torch.no_grad():
        log = OpLog(model, running, images)
        with log:
            model(images)
    return {
        layer: tuple(len(log.emission(index)) - 1 for index in calls) for layer, calls in log.convolutions().items()
    }


class _Stopped(Exception):
    """The pass came to where the plain one broke off."""


class _Activity(Execution):
    """Looks which channels are active, wherever a layer may emit."""

    def __init__(self) -> None:
        self.active: dict[int, torch.Tensor] = {}  # by call
        self.clipped = False
        self.completed = 0
        self._emitted: set[int] = set()  # values on their way out of a layer

    def wrote(self, index: int, call: Call, outputs: list[torch.Tensor]) -> None:
        self.completed += call.name != "_to_copy"
        self.clipped = self.clipped or clips(call.name)
        convolution = call.name == "convolution" and call.owners
        if convolution or (call.carries_on and call.reads[0] in self._emitted):
            self.active[index] = active_channels(outputs[0])
            self._emitted.update((call.writes or ())[:1])


class _Leaking(_Activity):
    def __init__(self, until: int | None) -> None:
        super().__init__()
        self._until = until

    def run(self, index: int, func: Any, args: Any, kwargs: Any, varies: bool) -> Any:
        if self._until is not None and self.completed >= self._until:
            raise _Stopped
        name = func._schema.name.partition("::")[2].removesuffix("_")
        return leak(func, args, kwargs) if varies and clips(name) else super().run(index, func, args, kwargs, varies)


def _run(
    model: nn.Module,
    imgsz: int,
    count: int,
    dtype: torch.dtype | None,
    activity: _Activity,
    lengths: Lengths | None,
) -> Pass:
    failure: Mismatch | None = None
    sizes = Sizes()
    with borrowed(model, dtype), watch(model, sizes.left) as running, torch.no_grad():
        images = probe_images(model, imgsz, count=count)
        log = OpLog(model, running, images, activity)
        junctions = JunctionWatch(running, log)
        try:
            with log, junctions:
                model(images)
        except _Stopped:
            pass
        except COMPLAINTS as error:
            failure = read_error(error, running.innermost)
    active = _active(log, activity.active, lengths)
    return Pass(failure, activity.completed, activity.clipped, active, junctions.ports, sizes)


def _active(log: OpLog, masks: Mapping[int, torch.Tensor], lengths: Lengths | None) -> dict[str, int]:
    active = {}
    for layer, calls in log.convolutions().items():
        known = (lengths or {}).get(layer, ())
        seen = []
        for number, index in enumerate(calls):
            chain = log.emission(index, known[number] if number < len(known) else None)
            if chain is not None and chain[-1] in masks:
                seen.append(masks[chain[-1]])
        if seen:
            active[layer] = int(torch.stack(seen).any(0).sum())
    return active
