"""Everything that depends on one layer's channels, and the path by which it does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from yolo_prune_check.channels.edges import Edge, operator_names
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.groups import Group
from yolo_prune_check.channels.prediction import EdgeKind
from yolo_prune_check.channels.provenance import ChannelRange
from yolo_prune_check.channels.routes import Route, routes_of
from yolo_prune_check.channels.ties import GroupIndex, Tie, ties_of

_ENDING = frozenset({"direct", "depthwise", "linear", "frozen", "head"})
"""Kinds of edges behind which there are other channels, or none that are told apart."""


@dataclass(frozen=True)
class Dependent:
    """An operand that holds channels of the layer.

    Attributes:
        consumer: The layer that reads them, else ``module:operator``.
        kind: What the consumer does with them.
        channels: Which of the layer's channels.
        port: Position among the consumer's tensor operands.
        position: Where in the operand's channels they begin.
        ends: Whether they end here: a convolution or the head makes something else of them, or, of an attention's
            queries and keys, their product sums over them.
        path: The layer, the operators on the way and the consumer.
    """

    consumer: str
    kind: EdgeKind
    channels: ChannelRange
    port: int
    position: int
    ends: bool
    path: tuple[str, ...]


@dataclass(frozen=True)
class Membership:
    """A group that holds channels of the layer.

    Attributes:
        number: Its position in ``graph.groups``.
        group: The group.
        channels: Which of the layer's channels are in it.
        partners: The members that are other channels.
        ties: The operators that tie the members.
    """

    number: int
    group: Group
    channels: tuple[ChannelRange, ...]
    partners: tuple[ChannelRange, ...]
    ties: tuple[Tie, ...]


@dataclass(frozen=True)
class Dependents:
    """What a change of one layer's channels reaches.

    Attributes:
        layer: Qualified name.
        reached: Every operand that its channels reach, in execution order.
        memberships: The groups that hold its channels.
    """

    layer: str
    reached: tuple[Dependent, ...]
    memberships: tuple[Membership, ...]


def dependents_of(graph: ChannelGraph, layer: str) -> Dependents:
    """Everything that depends on a layer.

    Args:
        graph: The traced model.
        layer: Qualified name of a ``Conv2d``.

    Raises:
        UserError: The model has no such layer.
    """
    graph.layer(layer)
    return Dependents(layer, tuple(_reached(graph, layer)), tuple(_memberships(graph, layer)))


def _reached(graph: ChannelGraph, layer: str) -> Iterator[Dependent]:
    arrivals = routes_of(graph, layer)
    called = {name: index for index, name in operator_names(graph.program, graph.layers, graph.junctions).items()}
    for edge in graph.edges:
        if edge.producer.layer != layer:
            continue
        routes = arrivals.get((called[edge.consumer], edge.port), ())
        yield from _pieces(edge, routes, ends=edge.kind in _ENDING or _is_summed(graph, edge, called[edge.consumer]))


def _is_summed(graph: ChannelGraph, edge: Edge, index: int) -> bool:
    """Whether a product sums over the channels, so that its result holds none of them."""
    if edge.kind != "attention":
        return False
    held = (part for value in graph.program.ops[index].outputs for part in _parts(graph, value))
    mine = edge.producer
    return not any(part.layer == mine.layer and part.start < mine.stop and mine.start < part.stop for part in held)


def _parts(graph: ChannelGraph, value: int) -> Iterator[ChannelRange]:
    """The channels that a value holds, in order."""
    for segment in graph.provenance.segments[value]:
        yield from segment.ranges


def _pieces(edge: Edge, routes: Sequence[Route], *, ends: bool) -> Iterator[Dependent]:
    """The channels of one edge by the routes on which they came: the pieces of a split may meet again in a concat."""
    start, stop = edge.producer.start, edge.producer.stop
    told = [(route.path, part) for route in routes if (part := route.shared(start, stop, edge.position))]
    if not told:  # a convolution that runs more than once: only its first call has routes
        told = [((edge.producer.layer,), range(start, stop))]
    for path, part in told:
        yield Dependent(
            consumer=edge.consumer,
            kind=edge.kind,
            channels=ChannelRange(edge.producer.layer, part.start, part.stop),
            port=edge.port,
            position=edge.position + part.start - start,
            ends=ends,
            path=(*path, _end(edge)),
        )


def _end(edge: Edge) -> str:
    """The consumer, as the last entry of a path."""
    home, colon, operator = edge.consumer.partition("#")[0].partition(":")
    if not colon:
        return edge.consumer
    return f"{home} concat[{edge.port}]" if edge.kind == "concat" else f"{home} {operator}"


def _memberships(graph: ChannelGraph, layer: str) -> Iterator[Membership]:
    index = GroupIndex.of(graph)
    ties = ties_of(graph, index)
    for number in index.of_layer(layer):
        group = graph.groups[number]
        own = tuple(member for member in group.members if member.layer == layer)
        partners = tuple(member for member in group.members if member.layer != layer)
        yield Membership(number, group, own, partners, ties.get(number, ()))
