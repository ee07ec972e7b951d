"""What must hold for all plans, whatever the numbers are."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tests.models import graph_of, stock
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.strategies import plans

MODELS = ("yolov8n.yaml", "yolo11n.yaml", "yolov9t.yaml")


class Renamed(nn.Module):
    """A model under another name: every module in it is called ``inner.…``."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> object:
        return self.inner(x)


@lru_cache
def renamed(name: str) -> ChannelGraph:
    return ChannelGraph.trace(Renamed(stock(name)).eval())


@pytest.mark.parametrize("model", MODELS)
@given(data=st.data())
def test_keeping_all_channels_changes_nothing(data: st.DataObject, model: str) -> None:
    graph = graph_of(model)
    plan = data.draw(plans(graph))
    name = data.draw(st.sampled_from(sorted(set(graph.layers) - {step.layer for step in plan.steps})))
    more = Plan((Step(name, range(graph.layers[name].out_channels)), *plan.steps), plan.execution, plan.mask)
    one, other = predict(graph, more), predict(graph, plan)
    assert one.verdict == other.verdict
    assert replace(one.judgement, hazards=()) == replace(other.judgement, hazards=())
    assert [hazard.code for hazard in one.hazards] == [hazard.code for hazard in other.hazards]


@pytest.mark.parametrize("model", MODELS)
@given(data=st.data())
def test_doing_it_twice_is_doing_it_once(data: st.DataObject, model: str) -> None:
    graph = graph_of(model)
    plan = data.draw(plans(graph))
    twice = Plan((*plan.steps, *plan.steps), plan.execution, plan.mask)
    assert predict(graph, twice).judgement.layers == predict(graph, plan).judgement.layers
    assert predict(graph, twice).failure == predict(graph, plan).failure
    assert predict(graph, twice).verdict == predict(graph, plan).verdict


@pytest.mark.parametrize("model", MODELS)
@given(data=st.data())
def test_the_order_of_steps_changes_nothing(data: st.DataObject, model: str) -> None:
    graph = graph_of(model)
    plan = data.draw(plans(graph))
    shuffled = Plan(data.draw(st.permutations(plan.steps)), plan.execution, plan.mask)
    one, other = predict(graph, plan), predict(graph, shuffled)
    assert (one.verdict, one.failure, one.layers, one.edges) == (
        other.verdict,
        other.failure,
        other.layers,
        other.edges,
    )


@pytest.mark.parametrize("model", MODELS)
@given(data=st.data())
def test_renaming_modules_renames_the_prediction_and_nothing_else(data: st.DataObject, model: str) -> None:
    graph, other = graph_of(model), renamed(model)
    plan = data.draw(plans(graph))
    steps = [Step(f"inner.{step.layer}", step.keep) for step in plan.steps]
    one, two = predict(graph, plan), predict(other, Plan(steps, plan.execution, plan.mask))
    assert two.verdict == one.verdict
    assert {name.removeprefix("inner."): count for name, count in two.layers.items()} == one.layers
    assert (two.params, two.macs) == (one.params, one.macs)
    if one.failure is None or two.failure is None:
        assert one.failure is two.failure is None
    else:
        assert replace(two.failure, module=two.failure.module.removeprefix("inner").removeprefix(".")) == one.failure
    assert [hazard.code for hazard in two.hazards] == [hazard.code for hazard in one.hazards]
    assert [(edge.kind, edge.port, edge.before, edge.after, edge.active_after) for edge in two.edges] == [
        (edge.kind, edge.port, edge.before, edge.after, edge.active_after) for edge in one.edges
    ]


@pytest.mark.parametrize("model", MODELS)
@given(data=st.data())
def test_the_image_size_does_not_change_channels(data: st.DataObject, model: str) -> None:
    small, large = graph_of(model), graph_of(model, 96)
    plan = data.draw(plans(small))
    one, two = predict(small, plan), predict(large, plan)
    assert two.verdict == one.verdict
    assert two.layers == one.layers
    assert two.edges == one.edges
    assert two.params == one.params
    assert (one.failure is None) == (two.failure is None)
    if one.failure is not None and two.failure is not None:
        assert (two.failure.module, two.failure.kind, two.failure.path) == (
            one.failure.module,
            one.failure.kind,
            one.failure.path,
        )
