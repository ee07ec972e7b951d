"""Random plans for hypothesis: what is drawn, and how it shrinks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from tests.models import graph_of
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.errors import UserError
from yolo_prune_check.strategies import plans

MODELS = ("yolov8n.yaml", "yolov8n-p2.yaml")
FIND = settings(
    max_examples=2000, database=None, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)


def found(predicate: Callable[[Plan], bool], name: str = MODELS[0], **how: object) -> Plan:
    return find(plans(graph_of(name), **how), predicate, settings=FIND)  # type: ignore[arg-type]  # keywords of plans


def codes(name: str, plan: Plan) -> set[str]:
    return {hazard.code for hazard in predict(graph_of(name), plan).hazards}


@pytest.mark.parametrize("name", MODELS)
def test_any_plan_shrinks_to_the_first_channel_of_the_first_layer(name: str) -> None:
    assert found(lambda plan: True, name) == Plan([Step("model.0.conv", [0])], "mask")


@pytest.mark.parametrize("name", MODELS)
def test_a_plan_that_breaks_shrinks_to_one_step(name: str) -> None:
    graph = graph_of(name)
    plan = found(lambda plan: predict(graph, plan).failure is not None, name)
    assert plan == Plan([Step("model.0.conv", [0])], "local")


@pytest.mark.parametrize("name", MODELS)
def test_a_silent_broadcast_shrinks_to_one_step_that_keeps_one_channel(name: str) -> None:
    plan = found(lambda plan: "broadcast-add" in codes(name, plan), name, executions=["local"])
    assert [step.keep for step in plan.steps] == [(0,)]


def test_a_layer_in_the_middle_is_found_alone() -> None:
    plan = found(lambda plan: any(step.layer.startswith("model.12.") for step in plan.steps), executions=["local"])
    assert plan == Plan([Step("model.12.cv1.conv", [0])], "local")


def test_two_layers_that_matter_are_the_only_two_left() -> None:
    wanted = {"model.2.cv1.conv", "model.4.cv1.conv"}
    plan = found(lambda plan: wanted <= plan.kept().keys(), layers=[*wanted, "model.0.conv", "model.1.conv"])
    assert sorted(plan.steps, key=lambda step: step.layer) == [Step(name, [0]) for name in sorted(wanted)]


def test_channels_that_matter_are_kept_and_few_others() -> None:
    plan = found(lambda plan: any(len(step.keep) == 5 for step in plan.steps))
    (step,) = plan.steps
    assert step == Step("model.0.conv", range(5))


def test_uneven_halves_shrink_to_the_chunk_that_is_cut() -> None:
    def uneven(plan: Plan) -> bool:
        kept = plan.kept().get("model.4.cv1.conv", ())
        return sum(index < 32 for index in kept) == 32 != len(kept) - 32 > 0

    plan = found(uneven, executions=["local"])
    (step,) = plan.steps
    assert set(range(32)) < set(step.keep)


@pytest.mark.parametrize(
    "predicate",
    [
        lambda plan: any(step.keep == () for step in plan.steps),
        lambda plan: plan.kept().get("model.1.conv") == tuple(range(16)),
        lambda plan: plan.kept().get("model.1.conv") == tuple(range(32)),
        lambda plan: plan.kept().get("model.2.cv1.conv") == tuple(range(16, 32)),
        lambda plan: any(len(step.keep) == 24 for step in plan.steps),
        lambda plan: (plan.execution, plan.mask) == ("mask", "weights"),
        lambda plan: [step.layer for step in plan.steps[:2]] == ["model.2.cv1.conv", "model.1.conv"],
        lambda plan: len(plan.kept()) < len(plan.steps),
    ],
    ids=["empty", "half", "whole", "chunk-half", "multiple-of-8", "weights", "back-to-front", "twice"],
)
def test_every_kind_of_plan_is_drawn(predicate: Callable[[Plan], bool]) -> None:
    layers = ["model.1.conv", "model.2.cv1.conv", "model.2.cv2.conv"]
    only_found = settings(FIND, phases=[Phase.generate])
    assert predicate(find(plans(graph_of(), layers=layers), predicate, settings=only_found))


@given(data=st.data())
def test_plans_name_channels_that_exist(data: st.DataObject) -> None:
    graph = graph_of()
    plan = data.draw(plans(graph, max_steps=3))
    graph.check(plan)
    assert 1 <= len(plan.steps) <= 3


def test_all_that_can_be_predicted_is_drawn_by_default() -> None:
    assert found(lambda plan: plan.execution == "local").execution == "local"
    assert found(lambda plan: plan.execution == "mask").execution == "mask"


def test_what_cannot_be_drawn_is_refused_at_once() -> None:
    with pytest.raises(UserError, match="no plan can be drawn"):
        plans(graph_of(), max_steps=0)
    with pytest.raises(UserError, match="no plan can be drawn"):
        plans(graph_of(), executions=[])
    with pytest.raises(UserError, match="no plan can be drawn"):
        plans(graph_of(), layers=[])
    with pytest.raises(UserError, match="no such Conv2d"):
        plans(graph_of(), layers=["model.99"])
