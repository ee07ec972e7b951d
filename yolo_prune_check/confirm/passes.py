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
from yolo_prune_check.confirm.junctions import JunctionWatch, SeenPort, Stopped, active_channels
from yolo_prune_check.confirm.probe import probe_images
from yolo_prune_check.confirm.sizes import Sizes
from yolo_prune_check.confirm.structure import Lengths
from yolo_prune_check.prune.borrowed import borrowed
from yolo_prune_check.prune.oplog import Call, Execution, OpLog
from yolo_prune_check.prune.running import watch


@dataclass(frozen=True)
class Pass:
    """What a watched pass showed.

    Attributes:
        failure: What it raised, or None.
        returned: Number of calls by Python that returned.
        clipped: Whether an activation was met that clips to zero.
        log: What it did.
        masks: Active channels of what each call made, by the call's number, wherever a layer may emit.
        ports: The junctions that were passed.
        sizes: What torchinfo says.
    """

    failure: Mismatch | None
    returned: int
    clipped: bool
    log: OpLog
    masks: Mapping[int, torch.Tensor]
    ports: dict[tuple[str, str], SeenPort]
    sizes: Sizes

    def active(self, lengths: Lengths | None = None) -> dict[str, int]:
        """Active channels by layer, of the layers that emitted.

        Args:
            lengths: Where layers emit. If not given, it is read off this pass: but one that broke off does not show
                all the readers of a value.
        """
        counts = {}
        for layer, calls in self.log.convolutions().items():
            known = (lengths or {}).get(layer, ())
            seen = []
            for number, index in enumerate(calls):
                chain = self.log.emission(index, known[number] if number < len(known) else None)
                if chain is not None and chain[-1] in self.masks:
                    seen.append(self.masks[chain[-1]])
            if seen:
                counts[layer] = int(torch.stack(seen).any(0).sum())
        return counts


def plain_pass(model: nn.Module, imgsz: int) -> Pass:
    """Run one image through a model, which is left as it was."""
    return _run(model, probe_images(model, imgsz), None, _Activity())


def leaking_pass(model: nn.Module, imgsz: int, like: Pass) -> Pass:
    """Run two images at once with activations that do not clip what varies; see ``clipping``.

    In float64: layer by layer, what varies may have grown small beside what does not, and must not be rounded away.

    Args:
        model: The model; it is left as it was.
        imgsz: Image size in pixels.
        like: The plain pass. If it broke off, this one does not go on beyond that call.
    """
    images = probe_images(model, imgsz, count=2).double()
    return _run(model, images, torch.float64, _Leaking(), None if like.failure is None else like.returned)


class _Activity(Execution):
    """Looks which channels are active, wherever a layer may emit."""

    def __init__(self) -> None:
        self.active: dict[int, torch.Tensor] = {}  # by call
        self.clipped = False
        self._emitted: set[int] = set()  # values on their way out of a layer

    def wrote(self, index: int, call: Call, outputs: list[torch.Tensor]) -> None:
        self.clipped = self.clipped or clips(call.name)
        convolution = call.name == "convolution" and call.owners
        if convolution or (call.carries_on and call.reads[0] in self._emitted):
            self.active[index] = active_channels(outputs[0])
            self._emitted.update((call.writes or ())[:1])


class _Leaking(_Activity):
    def run(self, index: int, func: Any, args: Any, kwargs: Any, varies: bool) -> Any:
        name = func._schema.name.partition("::")[2].removesuffix("_")
        return leak(func, args, kwargs) if varies and clips(name) else super().run(index, func, args, kwargs, varies)


def _run(
    model: nn.Module, images: torch.Tensor, dtype: torch.dtype | None, activity: _Activity, until: int | None = None
) -> Pass:
    failure: Mismatch | None = None
    sizes = Sizes()
    with borrowed(model, dtype), watch(model, sizes.left) as running, torch.no_grad():
        log = OpLog(model, running, images, activity)
        junctions = JunctionWatch(running, log, until)
        try:
            with log, junctions:
                model(images)
        except Stopped:
            pass
        except COMPLAINTS as error:
            failure = read_error(error, running.innermost)
    return Pass(failure, junctions.returned, activity.clipped, log, activity.active, junctions.ports, sizes)
