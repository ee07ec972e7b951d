"""Dependency groups: channels that can only be removed together (DepGraph; Fang et al., CVPR 2023)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from yolo_prune_check.channels.heads import fixed_outputs
from yolo_prune_check.channels.program import BoolArray, Program
from yolo_prune_check.channels.provenance import ChannelRange, Ids, Provenance, operator_in
from yolo_prune_check.channels.training import TrainingReader


@dataclass(frozen=True)
class Group:
    """A bundle of alike dependency groups.

    Attributes:
        members: Ranges of equal length; the i-th channels of all of them go together.
        size: Their length: the number of dependency groups in the bundle.
        frozen: Why none of these channels can be removed, or None.
    """

    members: tuple[ChannelRange, ...]
    size: int
    frozen: str | None


@dataclass(frozen=True)
class Partition:
    """All channels in dependency groups.

    Attributes:
        label: For each channel number, its group's number; groups are numbered by their first channel.
        frozen: By number of a group that cannot be removed, the operator that needs it.
        levels: Blocks of which equally many must stay.
    """

    label: Ids
    frozen: dict[int, str]
    levels: tuple[Levels, ...]

    @property
    def count(self) -> int:
        """Number of groups."""
        return int(self.label.max()) + 1 if len(self.label) else 0


@dataclass(frozen=True)
class Levels:
    """A balance in terms of groups.

    Attributes:
        operator: The operator that needs it, in words.
        blocks: One row of group numbers for each block, of which equally many must stay; -1 for what always stays.
        units: For each block, the groups of the conv group or attention head that may go as a whole, and the block with
            it, or None.
    """

    operator: str
    blocks: Ids
    units: Ids | None

    @cached_property
    def groups(self) -> Ids:
        """Groups that occur in it."""
        return np.unique(self.blocks if self.units is None else np.r_[self.blocks.ravel(), self.units.ravel()])

    @cached_property
    def apart(self) -> bool:
        """Whether no group occurs twice among the blocks."""
        known = self.blocks[self.blocks >= 0]
        return len(np.unique(known)) == len(known)

    @cached_property
    def only_whole(self) -> bool:
        """Whether nothing less than a unit can go, since every block keeps as much as one that always stays: all."""
        return self.units is not None and bool((self.blocks < 0).all(1).any())


def find_partition(program: Program, provenance: Provenance, training: tuple[TrainingReader, ...] = ()) -> Partition:
    """Which channels can only be removed together, and which not at all.

    Args:
        program: The traced pass.
        provenance: Which channels its values hold.
        training: What else needs channels as they are.
    """
    total = provenance.channels.total
    ties = provenance.origins.ties
    left = np.concatenate([np.empty(0, dtype=np.int64), *(first for first, _ in ties)])
    right = np.concatenate([np.empty(0, dtype=np.int64), *(second for _, second in ties)])
    ones = np.ones(len(left), dtype=np.int8)
    _, label = connected_components(coo_array((ones, (left, right)), shape=(total, total)), directed=False)
    _, first = np.unique(label, return_index=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    label = rank[label]
    frozen: dict[int, str] = {}
    for item in provenance.frozen:
        for group in np.unique(label[item.channels]).tolist():
            frozen.setdefault(group, item.operator)
    for group in np.unique(label[fixed_outputs(program, provenance)]).tolist():
        frozen.setdefault(group, "the model's output")
    for reader in training:
        for part in reader.channels:
            for group in label[provenance.channels.of(part.layer)[part.start : part.stop]].tolist():
                frozen.setdefault(group, reader.operator)
    levels = tuple(
        Levels(
            operator_in(item.op),
            _numbered(item.blocks, label),
            None if item.units is None else _numbered(item.units, label),
        )
        for item in provenance.balances
    )
    return Partition(label, frozen, levels)


def _numbered(channels: Ids, label: Ids) -> Ids:
    return np.where(channels < 0, -1, label[channels])


@dataclass(frozen=True)
class Symmetry:
    """Blocks of channels of which equally many must stay.

    Attributes:
        operator: The operator that cuts or joins them by count, in words.
        blocks: The channels of each block, in order.
    """

    operator: str
    blocks: tuple[tuple[ChannelRange, ...], ...]


def find_symmetries(provenance: Provenance) -> tuple[Symmetry, ...]:
    """What splits, heads and conv groups ask beyond the groups, in execution order.

    A conv group may also go as a whole, with all that it reads and makes, and so may an attention head.
    """
    return tuple(
        Symmetry(
            operator_in(item.op),
            tuple(provenance.channels.ranges(row[row >= 0]) for row in item.blocks if (row >= 0).any()),
        )
        for item in provenance.balances
    )


def find_groups(partition: Partition, provenance: Provenance) -> tuple[Group, ...]:
    """The groups, neighbours with the same layers bundled."""
    return tuple(_bundles(partition, provenance))


def _bundles(partition: Partition, provenance: Provenance) -> Iterator[Group]:
    count, members = partition.count, np.argsort(partition.label, kind="stable")
    first = np.searchsorted(partition.label[members], np.arange(count + 1))
    follows = _follows(members, first, provenance).tolist()
    reasons = [partition.frozen.get(number) for number in range(count)]
    start = 0
    for number in range(1, count + 1):
        if number < count and follows[number] and reasons[number] == reasons[start]:
            continue
        size, why = number - start, reasons[start]
        firsts = map(provenance.channels.layer_of, members[first[start] : first[start + 1]].tolist())
        ranges = tuple(ChannelRange(layer, channel, channel + size) for layer, channel in firsts)
        yield Group(ranges, size, None if why is None else f"flows into {why}")
        start = number


def _follows(members: Ids, first: Ids, provenance: Provenance) -> BoolArray:
    """For each group, whether its channels are those of the group before it, each one further in its layer.

    Args:
        members: Channels of group 0, of group 1, and so on.
        first: Where each group begins in them, and where the last one ends.
        provenance: The layers' channels.
    """
    sizes = np.diff(first)
    before = np.r_[0, sizes[:-1]]
    group = np.repeat(np.arange(len(sizes)), sizes)
    place = np.maximum(np.arange(len(members)) - before[group], 0)
    begins = np.isin(members, provenance.channels.starts)
    step = (members == members[place] + 1) & ~begins
    broken = np.zeros(len(sizes), dtype=np.bool_)
    broken[group[~step]] = True
    alike: BoolArray = ~broken & (sizes == before)
    return alike
