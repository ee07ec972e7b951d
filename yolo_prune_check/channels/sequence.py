"""Predict an ``nn.Sequential`` over modules of a traced model, as the field notes' ``sliced_block`` builds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.planned import carry_out
from yolo_prune_check.channels.prediction import Mismatch
from yolo_prune_check.channels.program import ModuleCall
from yolo_prune_check.channels.tensors import varying
from yolo_prune_check.errors import UserError


def predict_sequence(graph: ChannelGraph, modules: Sequence[str], plan: Plan | None = None) -> Mismatch | None:
    """Feed the image through the modules one after the other, abstractly.

    Each module's own operators are taken from the trace of the whole model and run on what the module before it
    gives, whatever fed it in the model.

    Args:
        graph: Graph of the whole model.
        modules: Qualified names, in the order of the sequence. Each must take and return one tensor.
        plan: A plan that was carried out on the model before.

    Returns:
        Where the sequence breaks, or None when it runs. Module names are those in the model.

    Raises:
        UserError: A module did not run in the trace, or does not take and return exactly one tensor.
    """
    parameters = graph.parameters if plan is None else graph.parameters | carry_out(graph, plan).parameters
    calls = {call.name: call for call in graph.program.calls}
    tensor = varying(graph.program.values[graph.program.image].shape)
    for name in modules:
        call = _single(calls.get(name), name)
        source, output = call.inputs[0], call.output
        ops = graph.program.ops[call.first : call.stop]
        result = graph.interpreter.run(parameters, ops=ops, given={source: tensor}, unruled=graph.baseline.unruled)
        if result.failure is not None:
            return result.failure
        if output is None or output not in result.tensors:
            raise UserError("the module's output cannot be followed", where=name)
        tensor = replace(result.tensors[output])
    return None


def _single(call: ModuleCall | None, name: str) -> ModuleCall:
    if call is None:
        raise UserError("the module did not run in the trace", where=name, hint="Name a module that the model calls.")
    if len(call.inputs) != 1 or call.output is None:
        raise UserError("the module does not take and return one tensor", where=name)
    return call
