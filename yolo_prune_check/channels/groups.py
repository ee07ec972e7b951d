"""Dependency groups: channels that can only be removed together (DepGraph; Fang et al., CVPR 2023)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from yolo_prune_check.channels.heads import unread_outputs
from yolo_prune_check.channels.program import Program
from yolo_prune_check.channels.provenance import ChannelRange, Ids, Provenance, operator_in


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
        partner: For a grouped convolution, its outputs, row for row: a block may go as a whole with its row.
    """

    operator: str
    blocks: Ids
    partner: Ids | None

    @cached_property
    def groups(self) -> Ids:
        """Groups that occur in it."""
        return np.unique(self.blocks if self.partner is None else np.r_[self.blocks.ravel(), self.partner.ravel()])

    @cached_property
    def apart(self) -> bool:
        """Whether no group occurs twice among the blocks, nor among the partner's."""
        return all(_unique(blocks) for blocks in (self.blocks, self.partner) if blocks is not None)


def _unique(blocks: Ids) -> bool:
    known = blocks[blocks >= 0]
    return len(np.unique(known)) == len(known)


def find_partition(program: Program, provenance: Provenance) -> Partition:
    """Which channels can only be removed together, and which not at all."""
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
    for group in np.unique(label[unread_outputs(program, provenance)]).tolist():
        frozen.setdefault(group, "the model's output")
    levels = tuple(
        Levels(
            operator_in(item.op),
            _numbered(item.blocks, label),
            None if item.partner is None else _numbered(item.partner, label),
        )
        for item in provenance.balances
    )
    return Partition(label, frozen, levels)


def _numbered(channels: Ids, label: Ids) -> Ids:
    return np.where(channels < 0, -1, label[channels])


def find_groups(partition: Partition, provenance: Provenance) -> tuple[Group, ...]:
    """The groups, neighbours with the same layers bundled."""
    return tuple(_bundles(partition, provenance))


def _bundles(partition: Partition, provenance: Provenance) -> Iterator[Group]:
    order = np.argsort(partition.label, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(partition.label[order])) + 1) if len(order) else []
    starts = set(provenance.channels.starts.tolist())
    run: list[Ids] = []
    why: str | None = None
    for number, group in enumerate(members):
        reason = partition.frozen.get(number)
        if run and not (reason == why and _next(group, run[-1], starts)):
            yield _group(run, why, provenance)
            run = []
        run.append(group)
        why = reason
    if run:
        yield _group(run, why, provenance)


def _next(group: Ids, before: Ids, starts: set[int]) -> bool:
    if len(group) != len(before):
        return False
    return all(a == b + 1 and a not in starts for a, b in zip(group.tolist(), before.tolist(), strict=True))


def _group(run: list[Ids], why: str | None, provenance: Provenance) -> Group:
    firsts = [provenance.channels.layer_of(channel) for channel in run[0].tolist()]
    ranges = tuple(ChannelRange(layer, start, start + len(run)) for layer, start in firsts)
    return Group(ranges, len(run), None if why is None else f"flows into {why}")
