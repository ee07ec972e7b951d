"""Makes a program of a recorded tape, with the parameters and constants that it reads."""

from __future__ import annotations

from typing import Any

from yolo_prune_check.channels.program import Program
from yolo_prune_check.channels.recorder import Recorder
from yolo_prune_check.channels.rules import CONVOLUTIONS
from yolo_prune_check.channels.trees import tensors_in
from yolo_prune_check.channels.weights import filter_of, numbers_of, vectors_of
from yolo_prune_check.channels.written_memory import SMALL


def program_of(recorder: Recorder, output: Any) -> Program:
    """Everything that was recorded.

    Args:
        recorder: After the pass.
        output: What the model returned.
    """
    tape, held = recorder.tape, recorder.memory.held
    vectors, filters, constants = {}, {}, {}
    filtering = {op.inputs[1] for op in tape.ops if op.target in CONVOLUTIONS or op.target == "linear"}
    for value in tape.values:
        if value.derived:
            continue
        tensor = tape.alive[value.id]
        if value.parameter is not None and tensor.ndim == 1:
            vectors[value.parameter] = tensor
        elif value.parameter is not None and value.id in filtering:
            filters[value.parameter] = filter_of(tensor)
        elif value.id in held:
            constants[value.id] = held[value.id]
        elif tensor.numel() <= SMALL:
            constants[value.id] = numbers_of(tensor)
    outputs = tuple(tape.ids[id(t)] for t in tensors_in(output) if tape.is_derived(t))
    return Program(
        tuple(tape.values),
        tuple(tape.ops),
        tuple(recorder.modules.calls),
        tape.image,
        outputs,
        vectors_of(vectors),
        filters,
        constants,
        tape.sizes,
        frozenset(recorder.computed),
        {name: names[0] for names in tape.tied.values() for name in names},
        _unvisited(recorder),
        frozenset(tape.elsewhere),
    )


def _unvisited(recorder: Recorder) -> tuple[str, ...]:
    """Modules of whose parameters the pass read none."""
    tape = recorder.tape
    read = {tape.values[value].parameter for op in tape.ops for value in op.inputs} | tape.visited
    ran = {call.name for call in recorder.modules.calls}
    tied = {name: names for names in tape.tied.values() for name in names}
    unvisited = []
    for module, owner in tape.names.items():
        if owner in ran:
            continue
        held = [name for name, parameter in module._parameters.items() if parameter is not None]
        names = [f"{owner}.{name}" if owner else name for name in held]
        if names and read.isdisjoint(other for name in names for other in tied.get(name, [name])):
            unvisited.append(owner)
    return tuple(unvisited)
