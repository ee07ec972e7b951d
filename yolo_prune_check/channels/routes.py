"""The routes that a layer's channels take: operator by operator, to every operand in which they arrive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.program import Op, Program
from yolo_prune_check.channels.rules import ACTIVATIONS, CONVOLUTIONS, NORMS, POOLS, RULES, UPSAMPLES

PIECES = frozenset({"chunk", "split", "split_with_sizes"})
_ALIKE = frozenset({"detach", "alias", "clone", "contiguous", "_to_copy"})
_ARITHMETIC = frozenset({"add", "sub", "mul", "div"})
_KEEPING = ACTIVATIONS | NORMS | POOLS | UPSAMPLES | _ALIKE | _ARITHMETIC
_NAMED = POOLS | UPSAMPLES | PIECES | _ARITHMETIC | {"cat", "matmul", "bmm", "softmax", "_softmax"}
_ENDS = CONVOLUTIONS | {"linear", "addmm"}


@dataclass(frozen=True)
class Route:
    """Neighbouring channels of a layer inside a value, and how they came there.

    Attributes:
        start: First channel, in the layer's own numbering.
        length: Number of channels.
        position: Where they begin along axis 1 of the value; None once an operator has rearranged them.
        path: The layer and the operators passed on the way; batch norms, activations and views are left out.
    """

    start: int
    length: int
    position: int | None
    path: tuple[str, ...]

    def shared(self, start: int, stop: int, position: int) -> range:
        """Which of the channels ``start`` to ``stop`` came this way, where they begin at a position of the operand."""
        if self.position is not None and self.position - self.start != position - start:
            return range(0)
        return range(max(start, self.start), min(stop, self.start + self.length))


Arrivals = dict[tuple[int, int], tuple[Route, ...]]


def routes_of(graph: ChannelGraph, name: str) -> Arrivals:
    """Follow a layer's channels until a convolution or linear layer takes them in.

    Args:
        graph: The traced model.
        name: Qualified name of the layer.

    Returns:
        For each operand ``(index of the operator, position among its tensor operands)`` that holds channels of the
        layer, the routes by which they came, the shortest of equals.

    Raises:
        UserError: The model has no such layer.
    """
    layer, program = graph.layer(name), graph.program
    start = program.ops[layer.op].outputs[0]
    held: dict[int, tuple[Route, ...]] = {start: (Route(0, layer.out_channels, 0, (name,)),)}
    arrivals: Arrivals = {}
    for op in program.ops[layer.op + 1 :]:
        found = [(port, value) for port, value in enumerate(op.inputs) if value in held]
        for port, value in found:
            arrivals[op.index, port] = held[value]
        if not found or op.target in _ENDS:
            continue
        for piece, output in enumerate(op.outputs):
            routes = [route for port, value in found for route in _through(op, port, piece, held[value], program)]
            if routes:
                held[output] = _shortest(routes)
    return arrivals


def label(op: Op, port: int, piece: int) -> str:
    """An operator on a path, as in ``Mismatch.path``: ``chunk[1]``, ``model.4.m.0 add``, ``model.11 concat[1]``."""
    if op.target in PIECES:
        return f"{'chunk' if op.target == 'chunk' else 'split'}[{piece}]"
    if op.target == "cat":
        return f"{op.module} concat[{port}]".lstrip()
    word = "pool" if op.target in POOLS else "upsample" if op.target in UPSAMPLES else op.target.strip("_")
    return f"{op.module} {word}".lstrip()


def _through(op: Op, port: int, piece: int, routes: Sequence[Route], program: Program) -> Iterator[Route]:
    """The routes on the other side of an operator, in one of its outputs."""
    shape = program.values[op.outputs[piece]].shape
    plain = len(shape) == 4 and op.target in RULES
    for route in routes:
        named = (*route.path, label(op, port, piece)) if op.target in _NAMED else route.path
        passed = replace(route, path=named)
        if route.position is None or not plain:
            yield replace(passed, position=None)
        elif op.target == "cat" and _axis(op, 1) == 1:
            before = sum(program.values[value].shape[1] for value in op.inputs[:port])
            yield replace(passed, position=route.position + before)
        elif op.target in PIECES and _axis(op, 2) == 1:
            before = sum(program.values[value].shape[1] for value in op.outputs[:piece])
            yield from _cut(passed, route.position, before, shape[1])
        elif op.target in _KEEPING and program.values[op.inputs[port]].shape[1:2] == shape[1:2]:
            yield passed
        else:
            yield replace(passed, position=None)


def _axis(op: Op, argument: int) -> int:
    axis = op.args[argument] if len(op.args) > argument else op.kwargs.get("dim", 0)
    return int(axis) % 4


def _cut(route: Route, position: int, start: int, length: int) -> Iterator[Route]:
    """The part of a route that lies in ``length`` channels from ``start``."""
    first, stop = max(position, start), min(position + route.length, start + length)
    if first < stop:
        yield replace(route, start=route.start + first - position, length=stop - first, position=first - start)


def _shortest(routes: Sequence[Route]) -> tuple[Route, ...]:
    """One route for the same channels at the same position: an add may be reached from both sides."""
    best: dict[tuple[int, int, int | None], Route] = {}
    for route in routes:
        key = (route.start, route.length, route.position)
        if key not in best or len(route.path) < len(best[key].path):
            best[key] = route
    return tuple(best.values())
