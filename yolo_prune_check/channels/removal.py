"""What really goes when a plan is carried out by execution ``group``: whole dependency groups, halves kept equal.

What is left computes what the model of full width does whose every parameter that goes is zero: the filters and biases
of the removed channels, and their entries of all batch norms, layer scales and PReLUs on the way. For a batch norm that
belongs to a layer this is what execution ``mask`` zeroes. One behind a concat belongs to none: ``mask`` leaves it, and
it gives a silent channel a constant, which goes here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.leveling import level, round_widths, turn_of
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.prediction import HAZARDS, Hazard
from yolo_prune_check.channels.program import BoolArray
from yolo_prune_check.channels.provenance import ChannelRange, Consumer, Ids, Width, listed
from yolo_prune_check.channels.sizes import AttributeKey


@dataclass(frozen=True)
class Cut:
    """What stays of one convolution.

    Attributes:
        outputs: Output channels that stay.
        inputs: Input channels that stay, in the numbering of the untouched layer.
        groups: Its groups afterwards.
    """

    outputs: Ids
    inputs: Ids
    groups: int


@dataclass(frozen=True)
class Columns:
    """What stays of a parameter that reads channels, or scales them, and makes none that can be removed.

    Attributes:
        axis: The axis that is cut; of a weight 1, or 0 for a transposed convolution.
        kept: Entries of that axis that stay.
    """

    axis: int
    kept: Ids


@dataclass(frozen=True)
class Removal:
    """What a plan removes under execution ``group``.

    Attributes:
        graph: The model's graph.
        stays: For each channel number, whether it stays.
        added: What goes beyond the channels that the plan names.
        returned: Channels that the plan names, and those tied to them, that stay after all, so that the pieces of a
            split, or the groups of a convolution, keep equally many: kept for symmetry.
        hazards: Why the plan is not what was meant; ``stays`` then leaves out what cannot be removed.
    """

    graph: ChannelGraph
    stays: BoolArray
    added: tuple[ChannelRange, ...]
    returned: tuple[ChannelRange, ...]
    hazards: tuple[Hazard, ...]

    @cached_property
    def layers(self) -> dict[str, Cut]:
        """What stays of every convolution that loses something."""
        channels = self.graph.provenance.channels
        read = {consumer.weight: consumer for consumer in self.graph.provenance.consumers}
        cuts = {}
        for name, layer in self.graph.layers.items():
            outputs, inputs = self.stays[channels.span(name)], self._kept(read[f"{name}.weight"].channels)
            if outputs.all() and inputs.all():
                continue
            groups = layer.groups
            if groups > 1:
                stay = inputs.reshape(groups, -1).any(1) & outputs.reshape(groups, -1).any(1)
                groups = max(1, int(stay.sum()))  # an emptied layer is a hazard; it breaks as one group
            cuts[name] = Cut(np.flatnonzero(outputs), np.flatnonzero(inputs), groups)
        return cuts

    @property
    def kept(self) -> dict[str, list[int]]:
        """Output channels that stay of every layer that loses some: a plan that names these removes the very same."""
        cuts = self.layers.items()
        return {
            name: cut.outputs.tolist() for name, cut in cuts if len(cut.outputs) < self.graph.layers[name].out_channels
        }

    @cached_property
    def norms(self) -> dict[str, Ids]:
        """Entries that stay of every batch norm that loses some."""
        kept = {name: self._kept(line) for name, line in self.graph.provenance.norms.items()}
        return {name: np.flatnonzero(stays) for name, stays in kept.items() if not stays.all()}

    @cached_property
    def columns(self) -> dict[str, Columns]:
        """Entries that stay of every linear layer's, or transposed convolution's, weight that loses some."""
        found = {}
        for consumer in self._others():
            stays = self._kept(consumer.channels)
            if not stays.all():
                found[consumer.weight] = Columns(consumer.axis, np.flatnonzero(stays))
        return found

    @cached_property
    def scales(self) -> dict[str, Columns]:
        """Entries that stay of every other parameter with a number for each channel that loses some."""
        kept = {name: (scale.axis, self._kept(scale.channels)) for name, scale in self.graph.provenance.scales.items()}
        return {name: Columns(axis, np.flatnonzero(stays)) for name, (axis, stays) in kept.items() if not stays.all()}

    @cached_property
    def numbers(self) -> dict[AttributeKey, int]:
        """Numbers in module attributes that change, by module, attribute and position in a list."""
        widths = self.graph.provenance.widths.items()
        now = {key: self._number(width) for key, width in widths}
        return {key: now[key] for key, width in widths if now[key] != int(width.attribute)}

    @cached_property
    def attributes(self) -> dict[tuple[str, str], int | list[int]]:
        """Module attributes that change, and what they hold afterwards, by module and attribute."""
        found: dict[tuple[str, str], int | list[int]] = {}
        for (module, name, index), number in self.numbers.items():
            if index is None:
                found[module, name] = number
            else:
                whole = list(self.graph.provenance.widths[module, name, index].attribute.whole)
                held = found.setdefault((module, name), whole)
                assert isinstance(held, list)
                held[index] = number
        return found

    def _number(self, width: Width) -> int:
        kept = self._kept(width.blocks)
        return int(kept.any(1).sum() if width.counts_blocks else kept.sum(1).max())

    def _others(self) -> Iterator[Consumer]:
        layers = {f"{name}.weight" for name in self.graph.layers}
        return (consumer for consumer in self.graph.provenance.consumers if consumer.weight not in layers)

    def _kept(self, line: Ids) -> BoolArray:
        return np.where(line < 0, True, self.stays[line])


def find_removal(graph: ChannelGraph, plan: Plan) -> Removal:
    """Extend a plan to whole dependency groups, and give back what would leave pieces uneven, or widths unrounded.

    Channels are given back best first, as far as the plan's steps have scores, else in ascending order.

    Raises:
        UserError: The plan names a layer or channel that does not exist.
    """
    graph.check(plan)
    channels, partition = graph.provenance.channels, graph.partition
    hazards: list[Hazard] = []
    gone = np.zeros(partition.count, dtype=np.bool_)
    for step in plan.steps:
        own = channels.of(step.layer)
        wanted = np.unique(partition.label[np.delete(own, list(step.keep))])
        stuck = [group for group in wanted.tolist() if group in partition.frozen]
        if stuck:
            hazards.append(_stuck(graph, step.layer, len(stuck), len(own), partition.frozen[stuck[0]]))
        free = np.setdiff1d(wanted, stuck)
        gone[free] = True
    stays, turn = ~gone, turn_of(graph, plan)
    level(stays, partition.levels, turn)
    if plan.round_to is not None:
        round_widths(graph, stays, plan.round_to, turn)
    returned = np.flatnonzero((stays & gone)[partition.label])
    there = stays[partition.label]
    added = np.flatnonzero(~there & ~named_by(graph, plan))
    if len(added) and not plan.extend:
        hazards.append(_partial(channels.ranges(added), plan))
    removal = Removal(graph, there, channels.ranges(added), channels.ranges(returned), ())
    return replace(removal, hazards=(*dict.fromkeys(hazards), *_empty(removal)))


def named_by(graph: ChannelGraph, plan: Plan) -> BoolArray:
    """For each channel number, whether a step asks to remove it."""
    channels = graph.provenance.channels
    named = np.zeros(channels.total, dtype=np.bool_)
    for step in plan.steps:
        named[np.delete(channels.of(step.layer), list(step.keep))] = True
    return named


def _partial(added: tuple[ChannelRange, ...], plan: Plan) -> Hazard:
    words = f"the plan does not name {listed(added)}, which can only stay if what it names does"
    return Hazard("partial-group", HAZARDS["partial-group"].severity, plan.steps[0].layer, words)


def _stuck(graph: ChannelGraph, layer: str, count: int, total: int, operator: str) -> Hazard:
    if layer in graph.head_layers:
        words = f"{count} of {total} channels would be gone from what the head decodes ({graph.head_layers[layer]})"
        return Hazard("head-output-changed", HAZARDS["head-output-changed"].severity, layer, words)
    words = f"{count} of {total} channels cannot be removed: {operator} needs them"
    return Hazard("frozen-channel", HAZARDS["frozen-channel"].severity, layer, words)


def _empty(removal: Removal) -> Iterator[Hazard]:
    severity = HAZARDS["empty-layer"].severity
    for name, cut in removal.layers.items():
        if not len(cut.outputs):
            yield Hazard("empty-layer", severity, name, "0 channels are kept")
        elif not len(cut.inputs):
            yield Hazard("empty-layer", severity, name, "0 of the channels that it reads are kept")
    for weight, columns in removal.columns.items():
        if not len(columns.kept):
            yield Hazard("empty-layer", severity, weight.removesuffix(".weight"), "0 of what it reads is kept")
