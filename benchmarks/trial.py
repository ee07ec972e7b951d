"""One plan: predicted, carried out and observed, and only then compared."""

from __future__ import annotations

import time
from typing import Any

from torch import nn

from benchmarks.agreement_store import Result
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.confirm.compare import compare
from yolo_prune_check.confirm.observe import observe
from yolo_prune_check.prune.apply import carry_out, meant_by
from yolo_prune_check.prune.norms import norms_of


class Trial:
    """Tries plans on one model.

    Args:
        model: The untouched model; it stays so.
        graph: Its graph.
    """

    def __init__(self, model: nn.Module, graph: ChannelGraph) -> None:
        self.model = model
        self.graph = graph
        self.norms = norms_of(model, list(graph.layers), imgsz=graph.imgsz)

    def run(self, plan: Plan, result: Result) -> None:
        """Try a plan and add it to a result. An exception of this package's own code refutes it, too."""
        result.tried += 1
        try:
            differences = self._differences(plan, result)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is a defect to be listed with its plan
            differences = (f"raised {type(error).__name__}: {error}",)
        if differences:
            result.disagreements.append(_described(plan, differences))
        else:
            result.agreed += 1

    def _differences(self, plan: Plan, result: Result) -> tuple[str, ...]:
        start = time.perf_counter()
        prediction = predict(self.graph, plan)
        verdict = prediction.verdict
        middle = time.perf_counter()
        pruned = carry_out(self.model, plan, self.graph, self.norms)
        observation = observe(meant_by(self.model, plan, self.graph), pruned, self.graph.imgsz)
        result.predicting += middle - start
        result.executing += time.perf_counter() - middle
        result.broke += observation.failure is not None
        result.wrong += observation.failure is None and verdict == "unsafe"
        result.unknown += prediction.unknown is not None
        return compare(prediction, observation).differences


def _described(plan: Plan, differences: tuple[str, ...]) -> dict[str, Any]:
    steps = {step.layer: list(step.keep) for step in plan.steps}
    return {
        "execution": plan.execution,
        "mask": plan.mask,
        "steps": steps,
        "first": differences[0],
        "differences": len(differences),
    }
