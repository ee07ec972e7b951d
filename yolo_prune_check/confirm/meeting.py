"""Which channels of a running model can only go together, because they meet: none of this asks the channel graph.

Channels are followed by running the untouched model. A channel that is NaN where its convolution writes it makes NaN of
all that it becomes: in norms, activations, pooling, depthwise convolutions, sums. Where channels are mixed, by a
convolution, a linear layer or a product of attention, NaN is noted and taken out. Two channels that are noted at the
same position there, as the two operands of a residual sum are, go together or not at all.

Many are followed at once, each image of a batch having NaN in other channels: channel number c of a layer is NaN in
those images that spell c in binary digits, so that a position tells who arrived there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from yolo_prune_check.confirm.probe import probe_images
from yolo_prune_check.prune.borrowed import borrowed
from yolo_prune_check.prune.oplog import Call, Execution, OpLog, name_of
from yolo_prune_check.prune.running import watch

Channels = Mapping[str, Sequence[int]]
"""Numbers of output channels, by convolution."""
Bools = NDArray[np.bool_]
Mixer = str | int
"""Where channels are mixed: a convolution, or the number of another call."""

BATCH = 64
"""Images in one pass, at most."""
_ALONE = 1
"""The image that alone holds NaN where it is looked whether images stay apart."""
_NORMALISE = frozenset({"native_layer_norm", "native_group_norm"})
"""Operators that mix all channels into each, but are read by position no more than a sum is."""


class NotApartError(RuntimeError):
    """NaN arrives where none was put: images are not told apart, or the model makes NaN of its own."""


def tied_to(model: nn.Module, roots: Channels, others: Channels, imgsz: int, batch: int = BATCH) -> dict[str, set[int]]:
    """Which other channels go if these go.

    An operator that mixes channels otherwise than those named above hands NaN on to all of them, and what lies behind
    one may be taken to be tied and is not. No stock YOLO has one.

    Args:
        model: A model that runs; it is left as it was.
        roots: Channels that go.
        others: The channels in question; none of them a root.
        imgsz: Image size in pixels.
        batch: Images in one pass, at most; two at least.

    Returns:
        By layer, those that meet a root, or a channel that does.

    Raises:
        NotApartError: What arrives does not tell who sent it.
        Exception: Whatever the model raises that takes no such batch.
    """
    names = [name for name in others if len(others[name])]
    if not names:
        return {}
    codes: list[Channels] = list(_codes(roots, {name: others[name] for name in names}))
    batch = min(batch, len(codes))
    # Passes of equal size: a batch of one may make other calls, and some places are known by their numbers.
    codes += [{}] * (-len(codes) % batch)
    alone: list[Channels] = [{}] * batch
    alone[_ALONE] = {name: [*roots.get(name, ()), *others.get(name, ())] for name in (*roots, *others)}
    for place, marks in _noted(model, alone, imgsz).items():
        if np.delete(marks, _ALONE, 0).any():
            raise NotApartError(f"NaN arrives at {place} in images that have none")
    seen = [_noted(model, codes[start : start + batch], imgsz) for start in range(0, len(codes), batch)]
    places = _joined(seen, batch)
    found = _Found(names, others, places)
    found.spread()
    return {name: set(np.asarray(others[name])[tied].tolist()) for name, tied in found.tied.items() if tied.any()}


def _joined(seen: Sequence[Mapping[Mixer, Bools]], batch: int) -> dict[Mixer, Bools]:
    """What arrived, of all passes; nothing where one says nothing."""
    widths = {place: marks.shape[1] for part in seen for place, marks in part.items()}
    return {
        place: np.concatenate([part.get(place, np.zeros((batch, width), np.bool_)) for part in seen])
        for place, width in widths.items()
    }


def _digits(count: int) -> Bools:
    """How numbers below a count are spelled: ``(count, 2, digits)``, whether each digit is 0, and whether it is 1."""
    digits = max(1, (count - 1).bit_length())
    ones = (np.arange(count)[:, None] >> np.arange(digits) & 1).astype(np.bool_)
    return np.stack([~ones, ones], axis=1)


def _codes(roots: Channels, others: Channels) -> Iterator[Channels]:
    """What is NaN in each image: in the first all roots, then, layer by layer, by the digits of its channels."""
    yield roots
    for name, channels in others.items():
        spelled = _digits(len(channels))
        for chosen in spelled.reshape(len(channels), -1).T:
            yield {name: np.asarray(channels)[chosen].tolist()}


class _Followed(Execution):
    """Puts NaN into channels, notes where it arrives, and takes it out there.

    Attributes:
        count: Number of images.
        places: By number of the call that mixes channels, ``(images, positions)``: whether NaN arrived; of those calls
            where any did.
    """

    def __init__(self, model: nn.Module, codes: Sequence[Channels]) -> None:
        self.places: dict[int, Bools] = {}
        self.count = len(codes)
        self._marks: dict[str, torch.Tensor] = {}
        for image, code in enumerate(codes):
            for name, channels in code.items():
                if name not in self._marks:
                    width = len(model.get_submodule(name).weight)  # type: ignore[arg-type]  # a Conv2d's
                    self._marks[name] = torch.zeros(self.count, width, dtype=torch.bool)
                self._marks[name][image, list(channels)] = True

    def run(self, index: int, func: Any, args: Any, kwargs: Any) -> Any:
        name = name_of(func)
        if name == "convolution" and not _is_depthwise(args[0], args[1], args[8]):
            args = (self._note(index, args[0], 1), *args[1:])
        elif name in ("mm", "addmm"):
            place = 1 if name == "addmm" else 0
            args = (*args[:place], self._note(index, args[place], -1), *args[place + 1 :])
        elif name in ("bmm", "baddbmm"):
            place = 1 if name == "baddbmm" else 0
            args = (*args[:place], *self._note_product(index, args[place], args[place + 1]), *args[place + 2 :])
        elif name.startswith("_scaled_dot_product"):
            query, key = self._note_product(index, args[0], args[1].transpose(-1, -2))
            args = (query, key.transpose(-1, -2), *args[2:])
        elif name in _NORMALISE:
            args = (args[0].nan_to_num(0.0), *args[1:])
        return func(*args, **kwargs)

    def wrote(self, index: int, call: Call, outputs: list[torch.Tensor]) -> None:
        if call.name != "convolution":
            return
        for owner in call.owners:
            mark = self._marks.get(owner)
            if mark is not None:
                rows = mark.repeat_interleave(len(outputs[0]) // self.count, 0)  # images may be cut into pieces
                outputs[0].masked_fill_(rows[:, :, None, None].to(outputs[0].device), torch.nan)

    def by_layer(self, calls: Sequence[Call]) -> dict[Mixer, Bools]:
        """What arrived, of all calls of a convolution together, as they read by the same weight."""
        found: dict[Mixer, Bools] = {}
        for index, marks in self.places.items():
            owners = calls[index].owners if calls[index].name == "convolution" else ()
            place = owners[0] if owners else index
            found[place] = marks | found[place] if place in found else marks
        return found

    def _note(self, index: int, tensor: torch.Tensor, axis: int) -> torch.Tensor:
        """What arrives along an axis, in whichever place; and the tensor without it."""
        marked = tensor.isnan()
        if not marked.any():
            return tensor
        self._add(index, marked.movedim(axis, -1).reshape(self.count, -1, tensor.shape[axis]).any(1))
        return tensor.nan_to_num(0.0)

    def _note_product(self, index: int, first: torch.Tensor, second: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The same of the axis over which a product sums; what is NaN along the other axis is handed on by it."""
        columns, rows = first.isnan().all(-2, keepdim=True), second.isnan().all(-1, keepdim=True)
        if not (columns.any() or rows.any()):
            return first, second
        self._add(index, (columns.mT | rows).reshape(self.count, -1))
        return first.masked_fill(columns, 0.0), second.masked_fill(rows, 0.0)

    def _add(self, index: int, marked: torch.Tensor) -> None:
        self.places[index] = marked.cpu().numpy()


def _is_depthwise(given: torch.Tensor, weight: torch.Tensor, groups: int) -> bool:
    return groups > 1 and groups == given.shape[1] and weight.shape[1] == 1


def _noted(model: nn.Module, codes: Sequence[Channels], imgsz: int) -> dict[Mixer, Bools]:
    with borrowed(model), watch(model) as running, torch.no_grad():
        followed = _Followed(model, codes)
        log = OpLog(model, running, followed)
        images = probe_images(model, imgsz).expand(len(codes), -1, -1, -1).contiguous()
        with log:
            model(images)
    return followed.by_layer(log.calls)


class _Found:
    """Channels and positions that are known to go, and what follows.

    Attributes:
        tied: By layer, for each channel in question whether it goes.
    """

    def __init__(
        self,
        names: Sequence[str],
        others: Channels,
        places: Mapping[Mixer, Bools],
    ) -> None:
        self.tied = {name: np.zeros(len(others[name]), dtype=np.bool_) for name in names}
        self._reached = {place: marks[0].copy() for place, marks in places.items()}
        self._at: dict[str, list[tuple[Mixer, NDArray[np.intp], Bools]]] = {name: [] for name in names}
        first = 1
        for name in names:
            spelled = _digits(len(others[name])).reshape(len(others[name]), -1)
            for place, marks in places.items():
                own = marks[first : first + spelled.shape[1]]
                positions = np.flatnonzero(own.any(0))
                if len(positions):
                    # A channel is there if no image that spells it says otherwise. Where two of a layer arrive at one
                    # position, others may seem to: more is then taken to be tied than is, and nothing less.
                    otherwise = spelled.astype(np.int32) @ ~own[:, positions]
                    self._at[name].append((place, positions, otherwise == 0))
            first += spelled.shape[1]

    def spread(self) -> None:
        """From what is known to go to all that goes with it."""
        more = True
        while more:
            more = any([self._spread_over(name) for name in self.tied])  # noqa: C419  # every layer has its turn

    def _spread_over(self, name: str) -> bool:
        before, tied = self.tied[name].sum(), self.tied[name]
        for place, positions, there in self._at[name]:
            tied |= (there & self._reached[place][positions]).any(1)
        for place, positions, there in self._at[name]:
            self._reached[place][positions] |= there[tied].any(0)
        return bool(tied.sum() != before)
