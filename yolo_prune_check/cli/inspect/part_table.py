"""Tables of blocks (or top-level modules) and of layers."""

from __future__ import annotations

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.ties import GroupIndex
from yolo_prune_check.cli.inspect.counts import many
from yolo_prune_check.cli.inspect.parts import Part, PartLayer, Parts
from yolo_prune_check.cli.inspect.section import section
from yolo_prune_check.cli.output import table
from yolo_prune_check.model.blocks import IMAGE


def part_part(parts: Parts) -> str:
    """Blocks or top-level modules: what feeds what."""
    noun = "block" if parts.blocks else "module"
    rows = [_row(part, parts) for part in parts.all]
    convolutions = sum(len(part.layers) for part in parts.all)
    return section(
        "Blocks" if parts.blocks else "Top-level modules (this model has no list of blocks)",
        f"in and out count channels (– where there is no feature map); from and feeds name {noun}s; a + b are two "
        "inputs, in that order.",
        table([noun, *([] if parts.blocks else ["name"]), "type", "in", "out", "Conv2d", "from", "feeds"], rows),
        f"{many(len(rows), noun)}, {many(convolutions, 'layer')} (Conv2d)",
    )


def _row(part: Part, parts: Parts) -> list[str | int]:
    return [
        part.index,
        *([] if parts.blocks else [part.name]),
        part.type,
        " + ".join(_width(width) for width in part.in_channels),
        _width(part.out_channels),
        len(part.layers),
        ", ".join("image" if source == IMAGE else str(source) for source in part.from_),
        ", ".join(map(str, part.feeds)) or "output",
    ]


def _width(width: int | None) -> str:
    return "–" if width is None else str(width)


def layer_part(graph: ChannelGraph, parts: Parts, index: GroupIndex) -> str:
    """Every layer by its address, with the groups that its channels are in."""
    layers = [layer for part in parts.all for layer in part.layers]
    addressed = "Specs and --step name a layer by its address, block.index, or by its name. " if parts.blocks else ""
    rows = [_layer_row(layer, graph, index) for layer in layers]
    total = sum(layer.out_channels for layer in layers)
    return section(
        "Layers",
        f"{addressed}out are its channels, what pruning removes; groups are numbers in the table of groups below.",
        table([*(["address"] if parts.blocks else []), "layer", "in", "out", "kernel", "groups"], rows),
        f"{many(len(layers), 'layer')}, {many(total, 'channel')}",
    )


def _layer_row(layer: PartLayer, graph: ChannelGraph, index: GroupIndex) -> list[str | int]:
    return [
        *([layer.address] if layer.address is not None else []),
        layer.name,
        layer.in_channels,
        layer.out_channels,
        kernel(graph, layer.name),
        _ranges([number + 1 for number in index.of_layer(layer.name)]),
    ]


def kernel(graph: ChannelGraph, name: str) -> str:
    """How a layer's filters look: ``3×3``, ``3×3 depthwise``, ``not run``."""
    known = graph.layers.get(name)
    if known is None:
        return "not run"
    size = "×".join(map(str, known.kernel))
    if known.groups == 1:
        return size
    return f"{size} depthwise" if known.depthwise else f"{size} in {known.groups} groups"


def _ranges(numbers: list[int]) -> str:
    """Ascending numbers, neighbours as ranges: ``3, 5–7``."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in runs)
