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

from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.confirm.probe import probe_images, tensors_of
from yolo_prune_check.confirm.structure import Structure, structure_of
from yolo_prune_check.prune.borrowed import borrowed
from yolo_prune_check.prune.oplog import Call, Execution, OpLog
from yolo_prune_check.prune.running import watch


@dataclass(frozen=True)
class Difference:
    """How far a pruned model is from the one that was meant.

    Attributes:
        absolute: Largest absolute difference of the last block's inputs and of all outputs; None if one of them has
            another shape.
        relative: Largest difference of these or of any convolution's input, each divided by the largest magnitude that
            was meant there; None if an output has another shape. Infinite, as ``absolute``, where a number is none.
    """

    absolute: float | None
    relative: float | None


def difference(model: nn.Module, pruned: nn.Module, plan: Plan, imgsz: int) -> Difference:
    """Compare what was meant with what a pruned model computes, in float64.

    Decoded boxes alone hide errors, so the inputs of the last block are compared as well. Even there, dozens of layers
    of random weights may have let an error decay to nothing, so the relative error is looked for at every convolution.

    Where a detector picks its queries by their scores, equal scores are picked in the same order, as a masked model
    computes the same numbers to the last bit, zeros included.

    Args:
        model: The model before the plan; a removed channel is silenced where its layer emits it.
        pruned: The model after the plan, which runs. Neither is changed.
        plan: The plan.
        imgsz: Image size in pixels.
    """
    structure = structure_of(model, imgsz)
    wanted = _Meant()
    _run(model, structure.last, imgsz, wanted, _Silence(structure, _removed(model, plan)))
    got = _Compared(wanted.tensors, wanted.unsilenced)
    _run(pruned, structure.last, imgsz, got)
    if got.other_outputs or wanted.count(_OUTPUTS) != got.count(_OUTPUTS):
        return Difference(None, None)
    return Difference(None if got.other_shapes else got.absolute, got.relative)


_OUTPUTS = "->"

_Place = tuple[str, int]
"""A module and the how-manieth tensor that it took; the model's outputs have a name of their own."""


class _Meant:
    """Keeps what the untouched model computes.

    Attributes:
        tensors: What it computes, by place.
        unsilenced: Places inside a pruned layer, before it emits: nothing is meant there.
    """

    def __init__(self) -> None:
        self.tensors: dict[_Place, torch.Tensor] = {}
        self.unsilenced: set[_Place] = set()
        self._seen: Counter[str] = Counter()

    def note(
        self, name: str, tensors: Iterable[torch.Tensor], *, final: bool, silence: _Silence | None, log: OpLog
    ) -> None:
        """Take note of a module's inputs; ``final`` ones are those of the last block and the outputs."""
        for tensor in tensors:
            place = name, self._seen[name]
            self._seen[name] += 1
            if silence is not None and silence.is_ahead(log.value_of(tensor)):
                self.unsilenced.add(place)
            else:
                self.take(place, tensor, final=final)

    def take(self, place: _Place, tensor: torch.Tensor, *, final: bool) -> None:
        """Keep a copy, as an in-place operator may follow."""
        self.tensors[place] = tensor.clone()

    def count(self, name: str) -> int:
        """How many tensors were seen there."""
        return self._seen[name]


class _Compared(_Meant):
    """Compares with it what a pruned model computes."""

    def __init__(self, wanted: Mapping[_Place, torch.Tensor], skipped: Set[_Place]) -> None:
        super().__init__()
        self.absolute = self.relative = 0.0
        self.other_shapes = self.other_outputs = False
        self._wanted = wanted
        self._skipped = skipped

    def take(self, place: _Place, tensor: torch.Tensor, *, final: bool) -> None:
        """Compare; an input of other shape than was meant is no error in itself, unless it is final."""
        if place in self._skipped:
            return
        wanted = self._wanted.get(place)
        if wanted is None or wanted.shape != tensor.shape:
            self.other_shapes = self.other_shapes or final
            self.other_outputs = self.other_outputs or place[0] == _OUTPUTS
            return
        error, scale = _distance(wanted, tensor)
        if error:
            self.relative = max(self.relative, error / scale if scale else 1.0)
            if final:
                self.absolute = max(self.absolute, error)


def _distance(wanted: torch.Tensor, got: torch.Tensor) -> tuple[float, float]:
    """Largest difference, infinite where only one of two numbers is finite, and the largest finite number meant."""
    if torch.equal(wanted, got):
        return 0.0, 0.0
    same = (wanted == got) | (wanted.isnan() & got.isnan())  # infinite scores of what is masked out are meant
    error = float((wanted - got).abs().masked_fill(same, 0).max())
    scale = float(wanted.abs().masked_fill(~wanted.isfinite(), 0).max())
    return error if isfinite(error) else inf, scale


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

    def is_ahead(self, value: int | None) -> bool:
        """Whether a value lies between a pruned layer's convolution and its emission."""
        return value in self._ahead

    def _arriving(self, call: Call) -> Iterator[tuple[str, int]]:
        if call.name == "convolution":
            yield from ((layer, next(self._lengths[layer])) for layer in call.owners if layer in self._removed)
        elif call.reads and call.reads[0] in self._ahead:
            layer, length = self._ahead[call.reads[0]]
            yield layer, length - 1


def _run(model: nn.Module, last: str, imgsz: int, notes: _Meant, silence: _Silence | None = None) -> None:
    with borrowed(model, torch.float64), watch(model) as running, torch.no_grad():
        images = probe_images(model, imgsz)
        log = OpLog(model, running, silence)
        note = partial(notes.note, silence=silence, log=log)
        with _inputs(model, last, note, log), nullcontext() if silence is None else log:
            output = model(images)
    note(_OUTPUTS, _floating(output), final=True)


@contextmanager
def _inputs(model: nn.Module, last: str, note: Callable[..., None], log: OpLog) -> Iterator[None]:
    def noting(name: str) -> Any:
        def hook(module: nn.Module, args: Any, kwargs: Any) -> None:
            with log.pause():
                note(name, _floating((args, kwargs)), final=name == last)

        return hook

    handles = [
        module.register_forward_pre_hook(noting(name), with_kwargs=True)
        for name, module in model.named_modules()
        if name == last or isinstance(module, nn.Conv2d)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _floating(tree: object) -> list[torch.Tensor]:
    return [tensor for tensor in tensors_of(tree) if tensor.is_floating_point()]
