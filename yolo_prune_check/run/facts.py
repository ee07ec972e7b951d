"""Structural measurements of an untouched model; the claims about its blocks are decided by them."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import nn

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.confirm.sequence import observe_sequence
from yolo_prune_check.model.blocks import Block, blocks_of
from yolo_prune_check.model.sequence import sliced_names
from yolo_prune_check.prune.local import narrow_filters
from yolo_prune_check.run.record import BlockFacts, ModelFacts


def facts_of(model: nn.Module, graph: ChannelGraph) -> ModelFacts:
    """Measure the blocks of a model: what feeds what, which convolutions, and whether they run in sequence."""
    blocks = blocks_of(model)
    sources = {block.index: set(block.from_) for block in blocks}
    depends = {block.index: _closure(block.index, sources) for block in blocks}
    facts = tuple(
        BlockFacts(
            index=block.index,
            type=block.type,
            from_=tuple(block.from_),
            feeds=tuple(block.feeds),
            depends_on=tuple(sorted(depends[block.index])),
            reaches=tuple(sorted(other for other, needs in depends.items() if block.index in needs)),
            in_channels=_channels(graph, f"model.{block.from_[0]}") if len(block.from_) == 1 else None,
            out_channels=_channels(graph, f"model.{block.index}"),
            convs=tuple(_conv(graph, layer.name) for layer in block.layers if layer.name in graph.layers),
            sequential_failure=_sequential_failure(model, block, sources, graph.imgsz),
        )
        for block in blocks
    )
    return ModelFacts(facts, _sequential_is_mutable(), _conv_is_resizable())


def _closure(index: int, sources: dict[int, set[int]]) -> set[int]:
    found: set[int] = set()
    todo = list(sources[index])
    while todo:
        block = todo.pop()
        if block in found or block not in sources:
            continue
        found.add(block)
        todo += sources[block]
    return found


def _channels(graph: ChannelGraph, module: str) -> int | None:
    if module == "model.-1":
        return graph.program.values[graph.program.image].shape[1]
    outputs = [call.output for call in graph.program.calls if call.name == module and call.output is not None]
    shape = graph.program.values[outputs[0]].shape if outputs else ()
    return shape[1] if len(shape) == 4 else None


def _conv(graph: ChannelGraph, name: str) -> tuple[int, int, int]:
    layer = graph.layers[name]
    return layer.out_channels, layer.in_channels, layer.kernel[0]


def _sequential_failure(model: nn.Module, block: Block, sources: dict[int, set[int]], imgsz: int) -> str | None:
    """What an ``nn.Sequential`` over the blocks before and this block's convolutions says on the untouched model."""
    if not block.layers:
        return None
    for before in range(block.index + 1):
        if len(sources[before]) > 1:
            return f"not sequential: block {before} takes {len(sources[before])} inputs"
    failure = observe_sequence(model, sliced_names(model, block.layers[-1]), imgsz)
    return failure.message if failure else None


def _sequential_is_mutable() -> bool:
    """Replace a layer of an ``nn.Sequential`` after it was built, and see whether the new one runs."""
    sequence = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU())
    sequence[0] = nn.Conv2d(3, 4, 1)
    with torch.no_grad():
        return bool(sequence(torch.zeros(1, 3, 2, 2)).shape[1] == 4)


def _conv_is_resizable() -> bool:
    """Take filters out of a convolution that has already run, and see whether it runs with the rest."""
    conv = nn.Conv2d(3, 8, 1)
    image = torch.ones(1, 3, 2, 2)
    with torch.no_grad():
        before = conv(image)
        resized = deepcopy(conv)
        narrow_filters(resized, torch.tensor([1, 6]))
        return torch.allclose(resized(image), before[:, [1, 6]])
