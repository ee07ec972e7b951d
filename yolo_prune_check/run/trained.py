"""The graph by which a scenario's next steps are predicted: fine-tuning changes numbers on which predictions depend."""

from __future__ import annotations

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.prune.widened import unmasked, widened
from yolo_prune_check.run.state import State


def trained_graph(state: State) -> ChannelGraph:
    """The untouched model's graph, with the numbers that training gave to what is left of it.

    A batch norm's shift decides whether a silent input makes a silent channel. What is gone, and would be silent
    whatever its numbers, keeps the untouched ones.
    """
    baseline, scenario = state.baseline, state.scenario
    if scenario.execution == "group":
        wide = widened(baseline.model, state.cuts, state.model)
    else:
        # Where weights alone are zeroed, the batch norms of removed channels live on and are trained.
        live = scenario.execution == "mask" and scenario.mask == "weights"
        plan = Plan() if live else state.plan()
        norms = {layer: baseline.graph.layers[layer].norm for layer in plan.kept()}  # as the graph has it: nothing runs
        wide = unmasked(baseline.model, plan, state.model, norms)
    return ChannelGraph.trace(wide, imgsz=baseline.graph.imgsz)
