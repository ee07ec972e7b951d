"""Repairs: no fewer drops would do, and the message names the very steps."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tests.examples import at_least
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.channels.repair import find_repair


@lru_cache
def two() -> ChannelGraph:
    """Two layers, of which the second makes the model's output."""
    return ChannelGraph.trace(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 1)), imgsz=8)


@lru_cache
def paired() -> ChannelGraph:
    """A convolution in two groups, which lose equally many, between others."""
    layers = nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 4, 1, groups=2), nn.ReLU(), nn.Conv2d(4, 2, 1)
    return ChannelGraph.trace(nn.Sequential(*layers), imgsz=8)


def test_the_one_step_that_empties_the_layer_is_dropped() -> None:
    plan = Plan([Step("0", (0,)), Step("0", range(1, 8)), Step("0", (1, 2, 3))], "group")
    repair = predict(two(), plan).repair
    assert repair is not None
    assert (repair.drop, repair.steps) == (("0",), (0,))
    assert repair.message == "Drop the step on 0 (step 1)."
    assert repair.plan == Plan(plan.steps[1:], "group")


def test_a_step_that_is_there_twice_is_dropped_once() -> None:
    plan = Plan([Step("0", range(4)), Step("2", (0,)), Step("0", range(4))], "group")
    repair = predict(two(), plan).repair
    assert repair is not None
    assert (repair.drop, repair.steps, repair.message) == (("2",), (1,), "Drop the step on 2.")
    assert repair.plan.steps == (Step("0", range(4)), Step("0", range(4)))


def test_steps_that_are_nothing_alone_are_kept_together() -> None:
    """Either of the first two is given back for symmetry without the other."""
    plan = Plan([Step("2", (1, 2, 3)), Step("2", (0, 1, 3)), Step("4", (0,))], "group")
    repair = predict(paired(), plan).repair
    assert repair is not None
    assert (repair.plan.execution, repair.steps) == ("group", (2,))


def test_a_long_plan_loses_what_cannot_stay_and_no_more() -> None:
    """Longer than every part of it could be tried."""
    steps = [step for number in range(40) for step in (Step("0", range(number % 4 + 4)), Step("2", (number % 4,)))]
    repair = predict(two(), Plan(steps, "group")).repair
    assert repair is not None
    assert repair.steps == tuple(range(1, 80, 2))
    assert repair.drop == ("2",)


@st.composite
def repeated(draw: st.DrawFn) -> tuple[ChannelGraph, Plan]:
    """Plans whose steps often name the same layer."""
    graph = draw(st.sampled_from([two, paired]))()
    steps = []
    for _ in range(draw(st.integers(1, 6))):
        layer = draw(st.sampled_from(sorted(graph.layers)))
        steps.append(Step(layer, draw(st.sets(st.integers(0, graph.layers[layer].out_channels - 1)))))
    return graph, Plan(steps, draw(st.sampled_from(["mask", "group", "adapter", "local"])))


@at_least(200)
@given(drawn=repeated())
def test_no_fewer_drops_would_do(drawn: tuple[ChannelGraph, Plan]) -> None:
    graph, plan = drawn
    repair = find_repair(graph, plan)
    executions = {plan.execution, "mask"} | ({"group"} if plan.execution == "local" else set())
    if repair is None:
        assert all(_fewest(graph, plan, execution) is None for execution in executions)
    else:
        assert predict(graph, repair.plan).verdict == "safe"
        assert (
            len(repair.steps) == len(plan.steps) - len(repair.plan.steps) == _fewest(graph, plan, repair.plan.execution)
        )


def _fewest(graph: ChannelGraph, plan: Plan, execution: str) -> int | None:
    """The fewest steps without which the others are safe, found by trying all."""
    count = len(plan.steps)
    for drops in range(count):
        for steps in combinations(plan.steps, count - drops):
            if predict(graph, Plan(steps, execution)).verdict == "safe":  # type: ignore[arg-type]  # one of the four
                return drops
    return None
