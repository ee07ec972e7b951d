"""What random plans are drawn from: layers, their widths and the parts in which their channels are used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import MASK_KINDS, Execution, MaskKind
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.blocks import blocks_of


@dataclass(frozen=True)
class Way:
    """One way of carrying a plan out."""

    execution: Execution
    mask: MaskKind = "silent"

    def __str__(self) -> str:
        return f"{self.execution}: {self.mask}" if self.mask != "silent" else self.execution


def ways_of(executions: Sequence[Execution]) -> tuple[Way, ...]:
    """The ways of these executions; `mask` has two."""
    return tuple(
        Way(execution, mask)
        for execution in executions
        for mask in (MASK_KINDS if execution == "mask" else MASK_KINDS[:1])
    )


@dataclass(frozen=True)
class Ground:
    """Where plans are drawn.

    Attributes:
        widths: Number of channels, by layer, in execution order.
        slices: Parts ``(start, stop)`` of a layer's channels that go a way of their own, by layer: the halves of a
            C2f chunk, a part that lands in one operand of a concat. Empty for a layer whose channels stay together.
    """

    widths: dict[str, int]
    slices: dict[str, tuple[tuple[int, int], ...]]

    @classmethod
    def of(cls, graph: ChannelGraph, layers: Sequence[str] | None = None) -> Ground:
        """These layers of a graph; all of them by default.

        Raises:
            UserError: There is no layer, or one that the graph does not have.
        """
        names = tuple(graph.layers) if layers is None else tuple(dict.fromkeys(layers))
        if not names:
            raise UserError("no plan can be drawn: there is no layer to prune")
        widths = {name: graph.layer(name).out_channels for name in names}
        parts: dict[str, set[tuple[int, int]]] = {name: set() for name in names}
        for edge in graph.edges:
            source = edge.producer
            if source.layer in parts and 0 < source.stop - source.start < widths[source.layer]:
                parts[source.layer].add((source.start, source.stop))
        return cls(widths, {name: tuple(sorted(found)) for name, found in parts.items()})


def layers_in(model: nn.Module, graph: ChannelGraph, blocks: Sequence[int]) -> tuple[str, ...]:
    """The layers of these blocks that run, in execution order.

    Raises:
        UserError: A block does not exist, or none of them has a layer.
    """
    known = {block.index: block for block in blocks_of(model)}
    for index in blocks:
        if index not in known:
            raise UserError("unknown block", value=index, hint=f"The model has blocks 0 to {max(known)}.")
    wanted = {layer.name for index in blocks for layer in known[index].layers}
    names = tuple(name for name in graph.layers if name in wanted)
    if not names:
        raise UserError(
            "these blocks have no Conv2d to prune",
            value=list(blocks),
            hint="`yolo-prune-check inspect MODEL` lists the blocks that have one.",
        )
    return names
