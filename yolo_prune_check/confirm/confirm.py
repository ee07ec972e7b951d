"""Carry a plan out and check a prediction against it."""

from __future__ import annotations

from torch import nn

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.network import network_in
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.prediction import Prediction
from yolo_prune_check.confirm.compare import Confirmation, compare
from yolo_prune_check.confirm.observe import observe
from yolo_prune_check.errors import UserError
from yolo_prune_check.prune.apply import carry_out, meant_by


def confirm(model: nn.Module, plan: Plan, prediction: Prediction, *, graph: ChannelGraph | None = None) -> Confirmation:
    """Prune, run, observe, and only then compare with the prediction.

    Args:
        model: The untouched model, any that takes an image; it stays so. An Ultralytics ``YOLO`` stands for its
            network.
        plan: The plan that was predicted.
        prediction: What was predicted for it. Before the comparison only its image size is read.
        graph: Graph of this model, to check that the plan names what is there; traced if left out.

    Raises:
        UserError: It is no model or no prediction, or the plan does not fit the model.
    """
    network = network_in(model, caller="confirm")
    if not isinstance(prediction, Prediction):
        raise UserError(
            f"confirm takes a Prediction: got {type(prediction).__name__}",
            hint="Give what ypc.predict(graph, plan) returns.",
        )
    graph = graph or ChannelGraph.trace(network, imgsz=prediction.imgsz)
    pruned = carry_out(network, plan, graph)
    observation = observe(meant_by(network, plan, graph), pruned, prediction.imgsz)
    return compare(prediction, observation)
