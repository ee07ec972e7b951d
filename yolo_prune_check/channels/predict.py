"""Predict a plan: what it does, and for an unsafe plan what would make it safe."""

from __future__ import annotations

from functools import partial

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.judge import judge
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.prediction import Prediction
from yolo_prune_check.channels.repair import find_repair
from yolo_prune_check.errors import UserError


def predict(graph: ChannelGraph, plan: Plan) -> Prediction:
    """Say what a plan will do, without running the model.

    Args:
        graph: The traced model.
        plan: Steps that name layers of the graph.

    Returns:
        Verdict, first failure, hazards, channels at every layer and junction, parameters and MACs, all at the traced
        image size.

    Raises:
        UserError: It is no graph, or the plan names a layer or channel that does not exist.

    >>> from yolo_prune_check import ChannelGraph, Plan, Step, load_model, predict
    >>> graph = ChannelGraph.trace(load_model("yolov8n.yaml"), imgsz=64)
    >>> print(predict(graph, Plan([Step("model.1.conv", range(16))], execution="local")).failure.message)
    Given groups=1, weight of size [32, 32, 1, 1], expected input[1, 16, 16, 16] to have 32 channels, but got 16 channels instead
    """  # noqa: E501  # PyTorch's message is one line
    if not isinstance(graph, ChannelGraph):
        raise UserError(
            f"predict takes a ChannelGraph: got {type(graph).__name__}",
            hint="Give what ypc.ChannelGraph.trace(model) returns.",
        )
    verdict, failing = graph.verdicts.of(plan)
    return Prediction(plan, graph.imgsz, verdict, failing, partial(judge, graph), partial(find_repair, graph))
