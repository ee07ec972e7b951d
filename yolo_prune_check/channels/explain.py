"""How a break comes about: the operators from a pruned layer to the one that does not fit."""

from __future__ import annotations

from collections.abc import Mapping

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.interpretation import Interpretation
from yolo_prune_check.channels.program import Op
from yolo_prune_check.channels.rules import ACTIVATIONS, NORMS, SPLITS

_WORDS = {"cat": "concat", "split_with_sizes": "split", "max_pool2d_with_indices": "max_pool2d", "_softmax": "softmax"}
_SILENT = ACTIVATIONS | NORMS


def explain(graph: ChannelGraph, result: Interpretation) -> tuple[str, ...]:
    """The path by which a pruned layer's channels reach the operator at which a run stopped.

    Norms and activations are left out; a chunk or concat is followed by the number of its piece or operand, as in
    ``("model.4.cv1.conv", "chunk[1]", "model.4.m.0 add")``.
    """
    if result.stopped is None:
        return ()
    ops, made_by, names = graph.program.ops, result.made_by, graph.made_in
    op = ops[result.stopped]
    path = [_words(op, names)]
    while True:
        value = next((value for value in op.inputs if value in result.tensors and value in made_by), None)
        if value is None:
            break
        if op.target == "cat":
            path[-1] = f"{path[-1]}[{op.inputs.index(value)}]"
        if value in graph.emitted_by:
            path.append(graph.emitted_by[value])
            break
        op = ops[made_by[value]]
        if op.target not in _SILENT:
            path.append(_words(op, names, result.piece(op, value)))
        if op.index in names:
            break
    return tuple(reversed(path))


def _words(op: Op, layers: Mapping[int, str], piece: int | None = None) -> str:
    if op.index in layers:
        return layers[op.index]
    word = _WORDS.get(op.target, op.target)
    if piece is not None and op.target in SPLITS:
        return f"{word}[{piece}]"
    return f"{op.module} {word}".lstrip()
