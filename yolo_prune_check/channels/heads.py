"""Layers whose channels the model's head decodes: nothing behind them would still mean what it did without one."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile

import numpy as np

from yolo_prune_check.channels.program import Op, Program
from yolo_prune_check.channels.provenance import Ids, Provenance

_HANDING_ON = "ultralytics.nn.modules.head."
"""Heads of these classes, or made of them, return for the loss the feature maps that they were given.

What the model is used for is beside those. Nothing but the class tells them from a neck, whose feature maps, those that
it passes on among them, are all that it is used for.
"""
_COPIES = frozenset({"detach", "alias", "clone"})


def home_of(program: Program) -> str | None:
    """The innermost module in which all of the model's outputs are made that nothing in the model reads."""
    read = {value for op in program.ops for value in op.inputs}
    ends = set(program.outputs) - read
    homes = [op.module.split(".") if op.module else [] for op in program.ops if ends & set(op.outputs)]
    if not homes:
        return None
    shared = list(takewhile(lambda parts: len(set(parts)) == 1, zip(*homes, strict=False)))
    return ".".join(parts[0] for parts in shared)


def is_inside(op: Op, home: str | None) -> bool:
    """Whether an operator runs in that module or a submodule of it; of the whole model, in its own forward."""
    return home is not None and (op.module == home or (bool(home) and op.module.startswith(f"{home}.")))


def find_head_layers(program: Program, provenance: Provenance) -> dict[str, str]:
    """Layers that the head decodes, with the operator that takes their channels.

    A layer is the head's if its channels flow into an operator of the module that makes the model's output which cannot
    do with fewer of them, or reach the model's output without being read by a convolution or linear layer.
    """
    home = home_of(program)
    found: dict[str, str] = {}
    for item in provenance.frozen:
        if is_inside(item.op, home):
            for layer in provenance.layers_of(item.channels):
                found.setdefault(layer, item.operator)
    for layer in provenance.layers_of(unread_outputs(program, provenance)):
        found.setdefault(layer, "the model's output")
    return found


def unread_outputs(program: Program, provenance: Provenance) -> Ids:
    """Channels that reach the model's output and that no weight reads."""
    read = [consumer.channels for consumer in provenance.consumers]
    return np.setdiff1d(_reaching(program.outputs, provenance), np.concatenate(read) if read else [])


def fixed_outputs(program: Program, provenance: Provenance) -> Ids:
    """Channels that must stay for the output's sake: all that reach it, but for what the head hands on.

    Channels of feature maps that an Ultralytics head returns as it was given them, and that it reads, may go.
    """
    declared = [value for value in program.outputs if value not in _handed_on(program)]
    return np.union1d(_reaching(declared, provenance), unread_outputs(program, provenance))


def _handed_on(program: Program) -> set[int]:
    """Values that a head returns without making them, beside all of the model's outputs that nothing reads."""
    ends = set(program.outputs) - {value for op in program.ops for value in op.inputs}
    heads = (call for call in program.calls if any(kind.startswith(_HANDING_ON) for kind in call.family))
    call = next((head for head in heads if ends and ends <= {*head.returned}), None)
    if call is None:
        return set()
    made: set[int] = set()
    for op in program.ops[call.first : call.stop]:
        if op.target not in _COPIES or op.inputs[0] in made:
            made.update(op.outputs)
    return {*call.returned} - made


def _reaching(values: Iterable[int], provenance: Provenance) -> Ids:
    lines = [provenance.entries[value].reshape(-1) for value in values if value in provenance.entries]
    reach = np.unique(provenance.origins.channel(np.concatenate([np.empty(0, dtype=np.int64), *lines])))
    return reach[reach >= 0]
