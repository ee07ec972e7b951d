"""Which layers' channels a value holds, and in which order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolo_prune_check.channels.layers import GraphLayer
from yolo_prune_check.channels.program import Op, Program
from yolo_prune_check.channels.sizes import Attribute, AttributeKey

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class ChannelRange:
    """Channels ``start`` to ``stop`` (exclusive) of a layer."""

    layer: str
    start: int
    stop: int

    def __str__(self) -> str:
        return f"{self.layer}[{self.start}:{self.stop}]"


_LISTED = 3


def listed(ranges: Sequence[ChannelRange]) -> str:
    """Ranges in words; of many the first ones.

    >>> listed([ChannelRange("conv", start, start + 1) for start in (0, 2, 4, 6)])
    'conv[0:1], conv[2:3], conv[4:5] and 1 more range'
    """
    more = len(ranges) - _LISTED
    rest = f" and {more} more range{'' if more == 1 else 's'}" if more > 0 else ""
    return ", ".join(map(str, ranges[:_LISTED])) + rest


@dataclass(frozen=True)
class Segment:
    """Neighbouring entries of a value.

    More than one source where an operator tied them, none where no layer made them.
    """

    length: int
    sources: tuple[tuple[str, int], ...]

    @property
    def ranges(self) -> tuple[ChannelRange, ...]:
        """The sources as ranges."""
        return tuple(ChannelRange(layer, first, first + self.length) for layer, first in self.sources)


Segments = tuple[Segment, ...]


class Channels:
    """Numbers for the output channels of all layers, 0 to ``total - 1`` in the layers' order."""

    def __init__(self, layers: Mapping[str, GraphLayer]) -> None:
        self.names = list(layers)
        widths = [layer.out_channels for layer in layers.values()]
        self.starts = np.concatenate([[0], np.cumsum(widths)]).astype(np.int64)
        self.total = int(self.starts[-1])
        self._first = dict(zip(self.names, self.starts.tolist(), strict=False))
        self._width = dict(zip(self.names, widths, strict=True))

    def of(self, layer: str) -> Ids:
        """Numbers of a layer's channels."""
        first = self._first[layer]
        return np.arange(first, first + self._width[layer])

    def span(self, layer: str) -> slice:
        """Numbers of a layer's channels, as a slice."""
        first = self._first[layer]
        return slice(first, first + self._width[layer])

    def layer_of(self, channel: int) -> tuple[str, int]:
        """Layer and index in it of a channel number."""
        position = int(np.searchsorted(self.starts, channel, side="right")) - 1
        return self.names[position], channel - int(self.starts[position])

    def ranges(self, channels: Ids) -> tuple[ChannelRange, ...]:
        """Channel numbers, in this order, as ranges."""
        return tuple(
            ChannelRange(layer, first, first + stop - start)
            for start, stop in self.runs(channels)
            for layer, first in [self.layer_of(int(channels[start]))]
        )

    def runs(self, channels: Ids) -> Iterator[tuple[int, int]]:
        """Where consecutive channels of one layer start and stop."""
        if not len(channels):
            return
        layer = np.searchsorted(self.starts, channels, side="right")
        cuts = np.flatnonzero((np.diff(channels) != 1) | (np.diff(layer) != 0)) + 1
        yield from zip([0, *cuts.tolist()], [*cuts.tolist(), len(channels)], strict=True)


class Origins:
    """Numbers for sets of channels: a channel is a set of its own, and a union of two sets is a new one."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._left = np.zeros(64, dtype=np.int64)
        self._right = np.zeros(64, dtype=np.int64)
        self._channel = np.arange(total + 64)
        self._size = total
        self.ties: list[tuple[Ids, Ids]] = []

    def channel(self, ids: Ids) -> Ids:
        """One channel of each set; -1 stays."""
        return np.where(ids < 0, -1, self._channel[ids])

    def tie(self, first: Ids, second: Ids) -> None:
        """Note that entries of equal position can only be removed together; -1 ties nothing."""
        both = (first >= 0) & (second >= 0) & (first != second)
        if both.any():
            self.ties.append((self._channel[first[both]], self._channel[second[both]]))

    def union(self, first: Ids, second: Ids) -> Ids:
        """Entry by entry, the set that holds both; their channels are tied."""
        first, second = np.broadcast_arrays(first, second)
        result = np.where(first < 0, second, first)
        both = (first >= 0) & (second >= 0) & (first != second)
        if not both.any():
            return result
        left, right = first[both], second[both]
        pairs, back = np.unique(np.stack([left, right]), axis=1, return_inverse=True)
        result[both] = self._add(pairs[0], pairs[1])[back.reshape(-1)]
        self.tie(pairs[0], pairs[1])
        return result

    def _add(self, left: Ids, right: Ids) -> Ids:
        new = np.arange(self._size, self._size + len(left))
        while self._size + len(left) > len(self._channel):
            self._channel = np.concatenate([self._channel, np.zeros_like(self._channel)])
        while self._size + len(left) - self.total > len(self._left):
            self._left = np.concatenate([self._left, np.zeros_like(self._left)])
            self._right = np.concatenate([self._right, np.zeros_like(self._right)])
        self._left[new - self.total], self._right[new - self.total] = left, right
        self._channel[new] = self._channel[left]
        self._size += len(left)
        return new

    def parents(self, union: Ids) -> tuple[Ids, Ids]:
        """The two sets that each union was made of."""
        return self._left[union - self.total], self._right[union - self.total]


@dataclass(frozen=True)
class Frozen:
    """Channels that flow into an operator that does not run, or means something else, with fewer of them."""

    op: Op
    channels: Ids

    @property
    def operator(self) -> str:
        """The operator, in words."""
        return operator_in(self.op)


_ON_SIZES = {
    "assert": "a comparison of sizes",
    "branch": "an `if` on sizes",
    "size_as_number": "arithmetic on sizes",
}


def operator_in(op: Op) -> str:
    """``view in model.22``; in words what Python code does with sizes, which is no operator of PyTorch."""
    module = op.module or "model"
    if op.target not in _ON_SIZES:
        return f"{op.target} in {module}"
    at = f" at {op.args[2]}" if op.target == "size_as_number" else ""
    return f"{_ON_SIZES[op.target]} in the code of {module}{at}"


@dataclass(frozen=True)
class Balance:
    """Blocks of channels of which equally many must stay.

    Attributes:
        op: The operator that cuts or joins them by count.
        blocks: One row of channel numbers for each block; -1 for what always stays.
        units: For each block, the channels of the conv group or attention head to which it belongs, or None: a block of
            a unit of which nothing stays is gone, and only the others must keep equally many.
    """

    op: Op
    blocks: Ids
    units: Ids | None = None


@dataclass(frozen=True)
class Consumer:
    """A weight that reads channels.

    Attributes:
        weight: Name of the parameter.
        op: Its operator.
        axis: The weight's axis that runs over them.
        channels: For each entry of the operand, the channel it stems from; -1 for none.
    """

    weight: str
    op: Op
    axis: int
    channels: Ids


@dataclass(frozen=True)
class Scale:
    """A parameter with a number for each channel, such as a layer scale or the slopes of a PReLU.

    Attributes:
        axis: The parameter's axis that runs over them.
        channels: For each entry of that axis, the channel that it belongs to; -1 for none.
    """

    axis: int
    channels: Ids


@dataclass(frozen=True)
class Width:
    """A module attribute that must hold how many of some channels stay.

    Attributes:
        attribute: The attribute.
        blocks: Rows of channels, -1 for what always stays; all rows of which anything stays keep equally many.
        counts_blocks: Whether it holds how many of the rows keep anything, and not how many channels a row keeps.
    """

    attribute: Attribute
    blocks: Ids
    counts_blocks: bool = False


@dataclass(frozen=True)
class Provenance:
    """Origin of every value's entries, and what follows for their removal.

    Attributes:
        channels: Numbers of all layers' channels.
        origins: Sets of channels that an entry can stem from.
        entries: By value, with as many axes as the value, each of size 1 or the value's; -1 stems from no layer. A
            value that is missing holds no layer's channels.
        frozen: Where channels are lost from sight.
        balances: Blocks that must keep equally many channels.
        consumers: Weights that read channels, in execution order.
        norms: By name of a batch norm, the channel of each of its entries.
        scales: Parameters with a number for each channel, by name.
        widths: Module attributes that a removal changes.
    """

    program: Program
    channels: Channels
    origins: Origins
    entries: dict[int, Ids] = field(default_factory=dict)
    frozen: list[Frozen] = field(default_factory=list)
    balances: list[Balance] = field(default_factory=list)
    consumers: list[Consumer] = field(default_factory=list)
    norms: dict[str, Ids] = field(default_factory=dict)
    scales: dict[str, Scale] = field(default_factory=dict)
    widths: dict[AttributeKey, Width] = field(default_factory=dict)

    @cached_property
    def segments(self) -> Mapping[int, Segments]:
        """By value, its entries in order, neighbours of equal origin together."""
        return _Lazy(self)

    def line(self, value: int) -> Ids:
        """The entries of a value along the axis along which they differ; of several such axes, all in memory order."""
        found = self.entries.get(value)
        if found is None:
            return np.empty(0, dtype=np.int64)
        return found.reshape(-1)

    def producers(self, value: int) -> tuple[str, ...]:
        """Layers whose channels a value holds."""
        return tuple(dict.fromkeys(layer for segment in self.segments[value] for layer, _ in segment.sources))

    def layers_of(self, channels: Ids) -> list[str]:
        """Layers of channel numbers, in the layers' order."""
        known = channels[channels >= 0]
        positions = np.unique(np.searchsorted(self.channels.starts, known, side="right") - 1)
        return [self.channels.names[int(position)] for position in positions]

    def cut(self, ids: Ids) -> Segments:
        """Entries of a line as segments."""
        return tuple(
            Segment(stop - start, tuple(dict.fromkeys(self.channels.layer_of(channel) for channel in sources)))
            for start, stop, sources in self._runs(ids)
        )

    def _runs(self, ids: Ids) -> list[tuple[int, int, tuple[int, ...]]]:
        """Runs of a line: start, stop and the first channel of each source."""
        if not len(ids):
            return []
        layer = np.searchsorted(self.channels.starts, ids, side="right")
        breaks = np.diff(layer) != 0
        breaks |= np.where(ids[1:] < 0, ids[:-1] >= 0, np.diff(ids) != 1)
        cuts = (np.flatnonzero(breaks) + 1).tolist()
        runs: list[tuple[int, int, tuple[int, ...]]] = []
        for start, stop in zip([0, *cuts], [*cuts, len(ids)], strict=True):
            first = int(ids[start])
            if first < 0:
                runs.append((start, stop, ()))
            elif first < self.origins.total:
                runs.append((start, stop, (first,)))
            else:
                left, right = self.origins.parents(ids[start:stop])
                runs += [(start + a, start + b, both) for a, b, both in _merge(self._runs(left), self._runs(right))]
        return runs


def _merge(
    left: Sequence[tuple[int, int, tuple[int, ...]]], right: Sequence[tuple[int, int, tuple[int, ...]]]
) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    """Runs cut at both sides' borders, with both sides' sources."""
    i = j = start = 0
    while i < len(left) and j < len(right):
        stop = min(left[i][1], right[j][1])
        sources = [channel + start - left[i][0] for channel in left[i][2]]
        sources += [channel + start - right[j][0] for channel in right[j][2]]
        yield start, stop, tuple(dict.fromkeys(sources))
        i, j, start = i + (left[i][1] == stop), j + (right[j][1] == stop), stop


class _Lazy(Mapping[int, Segments]):
    """Segments of each value, made when asked for."""

    def __init__(self, provenance: Provenance) -> None:
        self._provenance = provenance
        self._known: dict[int, Segments] = {}
        self._lines: dict[bytes, Segments] = {}

    def __getitem__(self, value: int) -> Segments:
        found = self._known.get(value)
        if found is None:
            line = self._provenance.line(value)
            line = line[np.r_[True, (np.diff(line) != 0) | (line[1:] < 0)]] if len(line) else line
            key = line.tobytes()
            found = self._lines.get(key)
            if found is None:
                found = self._lines[key] = self._provenance.cut(line)
            self._known[value] = found
        return found

    def __contains__(self, value: Any) -> bool:
        return value in self._provenance.entries

    def __iter__(self) -> Iterator[int]:
        return iter(self._provenance.entries)

    def __len__(self) -> int:
        return len(self._provenance.entries)
