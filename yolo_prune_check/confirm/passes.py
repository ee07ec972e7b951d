"""One watched forward pass: does it raise, and which channels are not silent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from yolo_prune_check.channels.prediction import Mismatch
from yolo_prune_check.confirm.clipping import clipped, clips, leak
from yolo_prune_check.confirm.errors import read_error
from yolo_prune_check.confirm.junctions import JunctionWatch, SeenPort, active_channels
from yolo_prune_check.confirm.probe import probe_images
from yolo_prune_check.confirm.sizes import Sizes
from yolo_prune_check.confirm.structure import Lengths, lengths_of
from yolo_prune_check.prune.borrowed import borrowed
from yolo_prune_check.prune.oplog import Call, Execution, OpLog, name_of
from yolo_prune_check.prune.running import watch

Emitted = Mapping[tuple[str, int], torch.Tensor]
"""Which channels are active, ``(C,)``, by layer and number of its call; of the calls that emitted."""


@dataclass(frozen=True)
class Pass:
    """What a watched pass showed.

    Attributes:
        failure: What it raised, or None; read of a plain pass only.
        clipped: Whether an activation was met that clips to zero.
        log: What it did.
        masks: Active channels of what each call made, by the call's number, wherever a layer may emit.
        ports: The junctions that were passed.
        sizes: What torchinfo says.
    """

    failure: Mismatch | None
    clipped: bool
    log: OpLog
    masks: Mapping[int, torch.Tensor]
    ports: dict[tuple[str, str], SeenPort]
    sizes: Sizes

    @property
    def lengths(self) -> Lengths:
        """Where layers emit, read off this pass: but one that broke off does not show all the readers of a value."""
        return lengths_of(self.log)

    def emitted(self, lengths: Lengths) -> Emitted:
        """Active channels of each call of each layer; ``lengths`` says where layers emit."""
        found = {}
        for layer, calls in self.log.convolutions().items():
            for number, (index, length) in enumerate(zip(calls, lengths.get(layer, ()), strict=False)):
                chain = self.log.emission(index, length)
                if chain is not None and chain[-1] in self.masks:
                    found[layer, number] = self.masks[chain[-1]]
        return found


def plain_pass(model: nn.Module, imgsz: int) -> Pass:
    """Run one image through a model, which is left as it was."""
    return _run(model, probe_images(model, imgsz), _Activity(), read=True)


def leaking_pass(model: nn.Module, imgsz: int) -> Pass:
    """Run another image with activations that do not clip what varies; see ``clipping``.

    In float64: layer by layer, what varies may have grown small beside what does not, and must not be rounded away.
    Its words are not read: they may be about that.

    Args:
        model: The model; it is left as it was.
        imgsz: Image size in pixels.
    """
    with borrowed(model, torch.float64):
        given = _given(model, probe_images(model, imgsz))
        return _run(model, probe_images(model, imgsz, seed=1), _Leaking(given), read=False)


class _Activity(Execution):
    """Looks which channels are active, wherever a layer may emit."""

    def __init__(self) -> None:
        self.active: dict[int, torch.Tensor] = {}  # by call
        self.clipped = False
        self._emitted: set[int] = set()  # values on their way out of a layer

    def wrote(self, index: int, call: Call, outputs: list[torch.Tensor]) -> None:
        self.clipped = self.clipped or clipped(call.name, outputs)
        convolution = call.name == "convolution" and call.owners
        carries_on = call.is_activation or call.is_batch_norm
        emitted = bool(call.reads) and call.reads[0] in self._emitted
        if convolution or (carries_on and emitted):
            self.active[index] = active_channels(outputs[0])
        if convolution or ((carries_on or call.scatters) and emitted):
            self._emitted.update((call.writes or ())[:1])


class _Leaking(_Activity):
    def __init__(self, given: dict[int, torch.Tensor]) -> None:
        super().__init__()
        self._given = given

    def run(self, index: int, func: Any, args: Any, kwargs: Any) -> Any:
        if not clips(name_of(func)):
            return func(*args, **kwargs)
        return leak(func, args, kwargs, self._given.pop(index, None))


class _Given(_Activity):
    """Keeps what clipping operators are given, by the number of their call; looks at nothing.

    It is watched as the leaking pass is, because PyTorch's modules may go another way if they are not: attention takes
    a single operator then, and the numbers of all calls behind it would be others.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tensors: dict[int, torch.Tensor] = {}

    def run(self, index: int, func: Any, args: Any, kwargs: Any) -> Any:
        if clips(name_of(func)):
            self.tensors[index] = args[0].clone()
        return func(*args, **kwargs)

    def wrote(self, index: int, call: Call, outputs: list[torch.Tensor]) -> None:
        pass


def _given(model: nn.Module, images: torch.Tensor) -> dict[int, torch.Tensor]:
    given = _Given()
    _run(model, images, given, read=False)
    return given.tensors


def _run(model: nn.Module, images: torch.Tensor, activity: _Activity, *, read: bool) -> Pass:
    failure: Mismatch | None = None
    sizes = Sizes()
    with borrowed(model), watch(model, sizes.left) as running, torch.no_grad():
        log = OpLog(model, running, activity)
        junctions = JunctionWatch(running, log)
        try:
            with log, junctions:
                model(images)
        except Exception as error:  # noqa: BLE001  # whatever a forward pass raises is what happened
            if read:
                failure = _read(error, running.innermost)
    return Pass(failure, activity.clipped, log, activity.active, junctions.ports, sizes)


def _read(error: Exception, module: str) -> Mismatch:
    try:
        return read_error(error, module)
    except type(error):
        return Mismatch(module, "unread", "", "", " ".join(str(error).splitlines()[:1]))
