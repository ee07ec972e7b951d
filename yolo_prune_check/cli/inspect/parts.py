"""What a model is put together from: the blocks of an Ultralytics model, the top-level modules of any other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import nn

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.blocks import IMAGE, Block, blocks_of


@dataclass(frozen=True)
class PartLayer:
    """One ``Conv2d`` of a part; ``address`` is None where there are no blocks to count by."""

    name: str
    address: str | None
    in_channels: int
    out_channels: int


@dataclass(frozen=True)
class Part:
    """A block, or a top-level module.

    Attributes:
        index: Its position, from 0.
        name: Qualified name of its module.
        type: Its class.
        from_: Indices of the parts it takes its inputs from; ``IMAGE`` (-1) is the image.
        feeds: Indices of the parts that take its output; empty for those that only make the model's output.
        in_channels: Channels of each of ``from_``; None where that is no feature map.
        out_channels: Channels it puts out; None where that is no single feature map.
        layers: Its ``Conv2d``, in module order.
    """

    index: int
    name: str
    type: str
    from_: tuple[int, ...]
    feeds: tuple[int, ...]
    in_channels: tuple[int | None, ...]
    out_channels: int | None
    layers: tuple[PartLayer, ...]


@dataclass(frozen=True)
class Parts:
    """All parts; ``blocks`` says whether they are the blocks of an Ultralytics model."""

    all: tuple[Part, ...]
    blocks: bool

    def of_module(self, name: str) -> Part | None:
        """The part in which a module or layer lies."""
        owners = [part for part in self.all if f"{name}.".startswith(f"{part.name}.")]
        return max(owners, key=lambda part: len(part.name), default=None)


def parts_of(model: nn.Module, graph: ChannelGraph) -> Parts:
    """The blocks of an Ultralytics model, or the top-level modules of another."""
    try:
        blocks = blocks_of(model)
    except UserError:
        return Parts(_modules(model, graph), blocks=False)
    return Parts(_blocks(blocks, graph), blocks=True)


def _blocks(blocks: tuple[Block, ...], graph: ChannelGraph) -> tuple[Part, ...]:
    widths = {block.index: _width(graph, f"model.{block.index}") for block in blocks}
    widths[IMAGE] = _image(graph)
    return tuple(
        Part(
            index=block.index,
            name=f"model.{block.index}",
            type=block.type,
            from_=block.from_,
            feeds=block.feeds,
            in_channels=tuple(widths[source] for source in block.from_),
            out_channels=widths[block.index],
            layers=tuple(
                PartLayer(layer.name, layer.address, layer.in_channels, layer.out_channels) for layer in block.layers
            ),
        )
        for block in blocks
    )


def _modules(model: nn.Module, graph: ChannelGraph) -> tuple[Part, ...]:
    """Top-level modules that ran; a plain container is replaced by what is in it."""
    ran = {call.name for call in graph.program.calls}
    found = [(name, module) for name, module in _unpacked(model) if name in ran]
    sources = _sources([name for name, _ in found], graph)
    widths = {index: _width(graph, name) for index, (name, _) in enumerate(found)}
    widths[IMAGE] = _image(graph)
    return tuple(
        Part(
            index=index,
            name=name,
            type=type(module).__name__,
            from_=sources[index],
            feeds=tuple(other for other in sorted(sources) if index in sources[other]),
            in_channels=tuple(widths[source] for source in sources[index]),
            out_channels=widths[index],
            layers=tuple(
                PartLayer(f"{name}.{inner}".rstrip("."), None, conv.in_channels, conv.out_channels)
                for inner, conv in module.named_modules()
                if isinstance(conv, nn.Conv2d)
            ),
        )
        for index, (name, module) in enumerate(found)
    )


def _unpacked(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for name, module in model.named_children():
        if type(module) in (nn.Sequential, nn.ModuleList):
            yield from ((f"{name}.{inner}", child) for inner, child in module.named_children())
        else:
            yield name, module


def _sources(names: list[str], graph: ChannelGraph) -> dict[int, tuple[int, ...]]:
    """For each part, from which parts data flows in directly; operators between parts are looked through."""
    program = graph.program
    owner: dict[int, int] = {}
    for call in program.calls:
        if call.name in names:
            owner.update(dict.fromkeys(range(call.first, call.stop), names.index(call.name)))
    origins: dict[int, tuple[int, ...]] = {program.image: (IMAGE,)}
    sources: dict[int, dict[int, None]] = {index: {} for index, _ in enumerate(names)}
    for op in program.ops:
        part = owner.get(op.index)
        arriving = dict.fromkeys(source for value in op.inputs for source in origins.get(value, ()))
        if part is not None:
            sources[part].update({source: None for source in arriving if source != part})
        made = tuple(arriving) if part is None else (part,)
        origins.update(dict.fromkeys(op.outputs, made))
    return {index: tuple(found) for index, found in sources.items()}


def _image(graph: ChannelGraph) -> int:
    return graph.program.values[graph.program.image].shape[1]


def _width(graph: ChannelGraph, module: str) -> int | None:
    outputs: Mapping[str, int | None] = {call.name: call.output for call in graph.program.calls}
    value = outputs.get(module)
    shape = graph.program.values[value].shape if value is not None else ()
    return shape[1] if len(shape) == 4 else None
