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
        module: Module in which the last of those ran.
    """

    start: int
    length: int
    position: int | None
    path: tuple[str, ...]
    module: str

    def holds(self, channel: int, position: int) -> bool:
        """Whether this is how a channel came to a position of the operand."""
        offset = channel - self.start
        return 0 <= offset < self.length and self.position in (None, position - offset)


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
    module = short_name(graph, name)
    start = program.ops[layer.op].outputs[0]
    held: dict[int, tuple[Route, ...]] = {start: (Route(0, layer.out_channels, 0, (module,), module),)}
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


def short_name(graph: ChannelGraph, name: str) -> str:
    """The module around a layer if it holds no other layer (``model.4.cv1``), else the layer itself."""
    around = name.rpartition(".")[0]
    others = any(layer.startswith(f"{around}.") and layer != name for layer in graph.layers)
    return name if not around or others else around


def label(op: Op, port: int, piece: int, module: str) -> str:
    """An operator on a path: ``chunk[1]``, ``model.4.m.0 add``, ``model.11 cat in1``.

    The module is left out where it is the one that the path is in already, or one around it.
    """
    if op.target in PIECES:
        words = f"chunk[{piece}]" if op.target == "chunk" else f"split[{piece}]"
    elif op.target == "cat":
        words = f"cat in{port}"
    else:
        words = "pool" if op.target in POOLS else "upsample" if op.target in UPSAMPLES else op.target.strip("_")
    inside = not op.module or f"{module}.".startswith(f"{op.module}.")
    return words if inside else f"{op.module} {words}"


def _through(op: Op, port: int, piece: int, routes: Sequence[Route], program: Program) -> Iterator[Route]:
    """The routes on the other side of an operator, in one of its outputs."""
    shape = program.values[op.outputs[piece]].shape
    plain = len(shape) == 4 and op.target in RULES
    for route in routes:
        if op.target in _NAMED:
            text = label(op, port, piece, route.module)
            passed = replace(route, path=(*route.path, text), module=op.module or route.module)
        else:
            passed = route
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
