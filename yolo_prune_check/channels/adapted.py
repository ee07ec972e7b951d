"""Where an adapter puts a layer's channels back to their places: behind the last module that only passes them on."""

from __future__ import annotations

from dataclasses import dataclass

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.layers import GraphLayer


@dataclass(frozen=True)
class Adapted:
    """The place for one layer.

    Attributes:
        values: Values that are widened, one for each call of the layer.
        emits: Whether these are what the layer emits. Else an activation comes behind them, which no module applies.
    """

    values: tuple[int, ...]
    emits: bool


def adapted(graph: ChannelGraph, layer: GraphLayer) -> Adapted:
    """Find the last leaf module that returns what the layer makes, at each of its calls and at no other."""
    chains = [_chain(graph, layer, emission) for emission in layer.emissions]
    returned: dict[str, list[int]] = {}
    for call in graph.program.calls:
        if call.is_leaf and call.output is not None:
            returned.setdefault(call.name, []).append(call.output)
    alone = {tuple(sorted(values)) for values in returned.values()}
    for position in reversed(range(min(map(len, chains)))):
        values = tuple(chain[position] for chain in chains)
        if tuple(sorted(values)) in alone:
            return Adapted(values, values == layer.emissions)
    first = tuple(chain[0] for chain in chains)
    return Adapted(first, first == layer.emissions)


def _chain(graph: ChannelGraph, layer: GraphLayer, emission: int) -> tuple[int, ...]:
    """Values from the convolution's output to the emission."""
    ops, made_by = graph.program.ops, graph.interpreter.made_by
    weight = f"{layer.name}.weight"
    values = [emission]
    while weight not in {graph.program.values[value].parameter for value in ops[made_by[values[-1]]].inputs}:
        values.append(ops[made_by[values[-1]]].inputs[0])
    return tuple(values[::-1])
