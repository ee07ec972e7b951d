"""What was predicted is what happens: the product. ``make bench`` runs the full sweep, this a sample of it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.plans import HOW, single_layers
from tests.models import graph_of, stock
from yolo_prune_check.channels.plan import EXECUTIONS, Plan
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.confirm.compare import Confirmation, compare
from yolo_prune_check.confirm.confirm import confirm
from yolo_prune_check.strategies import plans


def confirmed(plan: Plan, name: str) -> Confirmation:
    graph = graph_of(name)
    return confirm(stock(name), plan, predict(graph, plan), graph=graph)


def test_every_layer_of_yolov8n_alone_cut_to_half_and_to_one_channel() -> None:
    for steps in single_layers(graph_of()):
        result = confirmed(Plan(steps, "local"), "yolov8n.yaml")
        assert result.agrees, (steps, result.differences)


@pytest.mark.parametrize("name", ["yolov8s.yaml", "yolov8m.yaml"])
def test_a_sample_of_the_layers_of_larger_models(name: str) -> None:
    for number, steps in enumerate(single_layers(graph_of(name))):
        if number % 11 == 0:
            execution, mask = HOW[number // 11 % len(HOW)]
            result = confirmed(Plan(steps, execution, mask), name)
            assert result.agrees, (steps, execution, mask, result.differences)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_random_plans_on_yolov8n(data: st.DataObject) -> None:
    plan = data.draw(plans(graph_of(), executions=EXECUTIONS))
    result = confirmed(plan, "yolov8n.yaml")
    assert result.agrees, result.differences


def test_a_wrong_prediction_is_refuted() -> None:
    """The comparison can fail: each part of a prediction, held against another plan's execution."""
    graph = graph_of()
    steps = next(iter(single_layers(graph)))
    plan = Plan(steps, "mask")
    observation = confirm(stock(), plan, predict(graph, plan), graph=graph).observation
    other = predict(graph, Plan(steps, "local"))
    differences = "\n".join(compare(other, observation).differences)
    assert "predicted that it breaks in model.1.conv" in differences
    assert "params: predicted" in differences
    loud = "\n".join(compare(predict(graph, Plan(steps, "mask", "weights")), observation).differences)
    assert "active channels of model.0.conv: predicted 16, observed 8" in loud
