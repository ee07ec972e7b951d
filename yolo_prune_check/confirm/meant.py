"""Is the pruned model the one that was meant: the model before, with the removed channels' outputs set to zero."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from math import inf, isfinite
from typing import Any

import torch
from torch import nn

from yolo_prune_check.confirm.probe import probe_images, tensors_of
from yolo_prune_check.confirm.structure import Structure, structure_of
from yolo_prune_check.prune.borrowed import borrowed
from yolo_prune_check.prune.oplog import Call, Execution, OpLog
from yolo_prune_check.prune.reference import Inputs, Reference
from yolo_prune_check.prune.running import watch

Images = Callable[[nn.Module], torch.Tensor]
"""Gives the images for a model, on its device and in its type."""

WRONG = 1e-9
"""Relative error in float64 above which a model that runs is not the one that was meant."""


@dataclass(frozen=True)
class Difference:
    """How far a pruned model is from the one that was meant.

    Attributes:
        absolute: Largest absolute difference of the last block's inputs and of all outputs; None if one of them has
            another shape.
        relative: Largest difference of these or of any convolution's input, each divided by the largest magnitude that
            was meant there; None if an output has another shape. Infinite, as ``absolute``, where a number is none.
        first: The first module, in execution order, whose input is not what was meant; ``outputs`` if that is only true
            of the model's outputs. None if all is as it was meant.
    """

    absolute: float | None
    relative: float | None
    first: str | None = None


def difference(reference: Reference, pruned: nn.Module, imgsz: int, images: Images | None = None) -> Difference:
    """Compare what was meant with what a pruned model computes, in float64.

    Decoded boxes alone hide errors, so the inputs of the last block are compared as well. Even there, dozens of layers
    of random weights may have let an error decay to nothing, so the relative error is looked for at every convolution.
    Of one that takes fewer channels these are compared.

    Where a detector picks its queries by their scores, equal scores are picked in the same order, as a masked model
    computes the same numbers to the last bit, zeros included.

    Args:
        reference: What was meant.
        pruned: The model after the plan, which runs. Neither is changed.
        imgsz: Image size in pixels.
        images: What they are run on; a random image by default.
    """
    structure = structure_of(reference.model, imgsz)
    wanted = _Meant(reference.inputs)
    images = images or partial(probe_images, imgsz=imgsz)
    _run(reference.model, structure.last, images, wanted, _Silence(structure, reference.silenced))
    got = _Compared(wanted.tensors, wanted.unsilenced, reference.inputs)
    _run(pruned, structure.last, images, got)
    if got.other_outputs or wanted.count(_OUTPUTS) != got.count(_OUTPUTS):
        return Difference(None, None, got.first or _OUTPUTS_NAME)
    return Difference(None if got.other_shapes else got.absolute, got.relative, got.first)


_OUTPUTS_NAME = "outputs"
_OUTPUTS = "->"

_Place = tuple[str, int]
"""A module and the how-manieth tensor that it took; the model's outputs have a name of their own."""


class _Meant:
    """Keeps what the untouched model computes.

    Attributes:
        tensors: What it computes, by place.
        unsilenced: Places inside a pruned layer, before it emits, and outputs that are only handed on: nothing is
            meant there.
    """

    def __init__(self, inputs: Mapping[str, Inputs]) -> None:
        self.tensors: dict[_Place, torch.Tensor] = {}
        self.unsilenced: set[_Place] = set()
        self.handed: list[torch.Tensor] = []  # what the last block was given
        self._seen: Counter[str] = Counter()
        self._inputs = inputs

    def note(
        self, name: str, tensors: Iterable[torch.Tensor], *, final: bool, silence: _Silence | None, log: OpLog
    ) -> None:
        """Take note of a module's inputs; ``final`` ones are those of the last block and the outputs."""
        for tensor in tensors:
            place = name, self._seen[name]
            self._seen[name] += 1
            if name != _OUTPUTS and final:
                self.handed.append(tensor)
            elif self._inputs and any(tensor is given for given in self.handed):
                self.unsilenced.add(place)  # a head returns it for the loss, and it may have become narrower
                continue
            if silence is not None and silence.is_ahead(log.value_of(tensor)):
                self.unsilenced.add(place)
            else:
                self.take(place, tensor, final=final)

    def take(self, place: _Place, tensor: torch.Tensor, *, final: bool) -> None:
        """Keep a copy, as an in-place operator may follow; of what fewer channels are taken of, these."""
        kept = self._inputs.get(place[0])
        self.tensors[place] = (
            tensor.clone() if kept is None else tensor.index_select(kept.axis, kept.kept.to(tensor.device))
        )

    @property
    def watched(self) -> Set[str]:
        """Modules of which fewer channels are taken."""
        return self._inputs.keys()

    def count(self, name: str) -> int:
        """How many tensors were seen there."""
        return self._seen[name]


class _Compared(_Meant):
    """Compares with it what a pruned model computes."""

    def __init__(
        self,
        wanted: Mapping[_Place, torch.Tensor],
        skipped: Set[_Place],
        inputs: Mapping[str, Inputs],
    ) -> None:
        super().__init__(inputs)
        self.absolute = self.relative = 0.0
        self.first: str | None = None
        self.other_shapes = self.other_outputs = False
        self._wanted = wanted
        self._skipped = skipped

    def take(self, place: _Place, tensor: torch.Tensor, *, final: bool) -> None:
        """Compare; an input of other shape than was meant is no error in itself, unless it is final."""
        if place in self._skipped:
            return
        wanted = self._wanted.get(place)
        if wanted is None or wanted.shape != tensor.shape:
            self._other_shape(place, final=final)
            return
        error, scale = distance(wanted, tensor)
        if error:
            self._differs(place, error / scale if scale else 1.0)
            if final:
                self.absolute = max(self.absolute, error)

    def _other_shape(self, place: _Place, *, final: bool) -> None:
        if place[0] == _OUTPUTS:
            self.other_outputs = True
        elif self._inputs:  # channels were taken out: what a layer reads of them is compared, not what a block is given
            if place[0] in self._inputs:
                self._differs(place, inf)
            return
        self.other_shapes = self.other_shapes or final

    def _differs(self, place: _Place, relative: float) -> None:
        self.relative = max(self.relative, relative)
        if relative > WRONG and self.first is None:
            self.first = _OUTPUTS_NAME if place[0] == _OUTPUTS else place[0]


def distance(wanted: torch.Tensor, got: torch.Tensor) -> tuple[float, float]:
    """Largest difference, infinite where only one of two numbers is finite, and the largest finite number meant."""
    if torch.equal(wanted, got):
        return 0.0, 0.0
    same = (wanted == got) | (wanted.isnan() & got.isnan())  # infinite scores of what is masked out are meant
    error = float((wanted - got).abs().masked_fill(same, 0).max())
    scale = float(wanted.abs().masked_fill(~wanted.isfinite(), 0).max())
    return error if isfinite(error) else inf, scale


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

    def is_ahead(self, value: int | None) -> bool:
        """Whether a value lies between a pruned layer's convolution and its emission."""
        return value in self._ahead

    def _arriving(self, call: Call) -> Iterator[tuple[str, int]]:
        if call.name == "convolution":
            yield from ((layer, next(self._lengths[layer])) for layer in call.owners if layer in self._removed)
        elif call.reads and call.reads[0] in self._ahead:
            layer, length = self._ahead[call.reads[0]]
            yield layer, length - 1


@contextmanager
def silencing(reference: Reference, model: nn.Module, imgsz: int) -> Iterator[None]:
    """Let a copy of the reference's model emit zeros where the reference says so, in whichever mode the copy is.

    To mask its weights is not enough where an activation makes something else of zero, as a hard sigmoid does.
    """
    if not reference.silenced:
        yield
        return
    silence = _Silence(structure_of(reference.model, imgsz), reference.silenced)
    with watch(model) as running, OpLog(model, running, silence):
        yield


def _run(model: nn.Module, last: str, images: Images, notes: _Meant, silence: _Silence | None = None) -> None:
    with borrowed(model, torch.float64), watch(model) as running, torch.no_grad():
        batch = images(model)
        log = OpLog(model, running, silence)
        note = partial(notes.note, silence=silence, log=log)
        with _inputs(model, last, notes.watched, note, log), nullcontext() if silence is None else log:
            output = model(batch)
    note(_OUTPUTS, _floating(output), final=True)


@contextmanager
def _inputs(model: nn.Module, last: str, others: Set[str], note: Callable[..., None], log: OpLog) -> Iterator[None]:
    def noting(name: str) -> Any:
        def hook(module: nn.Module, args: Any, kwargs: Any) -> None:
            with log.pause():
                note(name, _floating((args, kwargs)), final=name == last)

        return hook

    handles = [
        module.register_forward_pre_hook(noting(name), with_kwargs=True)
        for name, module in model.named_modules()
        if name == last or name in others or isinstance(module, nn.Conv2d)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _floating(tree: object) -> list[torch.Tensor]:
    return [tensor for tensor in tensors_of(tree) if tensor.is_floating_point()]
