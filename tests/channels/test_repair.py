"""Repairs: no fewer drops and no fewer channels would do, and the message names the very steps and channels."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations
from time import process_time
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, cat, nn
from torchvision.models import shufflenet_v2_x1_0

from tests.examples import at_least
from tests.models import graph_of
from yolo_prune_check.channels.completion import complete
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Execution, Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.channels.prediction import Repair
from yolo_prune_check.channels.removal import find_removal, named_by
from yolo_prune_check.channels.repair import find_repair
from yolo_prune_check.strategies import plans


@lru_cache
def two() -> ChannelGraph:
    """Two layers, of which the second makes the model's output."""
    return ChannelGraph.trace(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 1)), imgsz=8)


class Halves(nn.Module):
    """Halves of what a convolution makes; one of them goes through another, which is added to it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.inner = nn.Conv2d(3, 6, 1, bias=False), nn.Conv2d(3, 3, 1, bias=False)
        self.last = nn.Conv2d(6, 2, 1)

    def forward(self, image: Tensor) -> Tensor:
        left, right = self.first(image).chunk(2, 1)
        joined: Tensor = self.last(cat([left, right + self.inner(right)], 1))
        return joined


@lru_cache
def halves() -> ChannelGraph:
    return ChannelGraph.trace(Halves(), imgsz=8)


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


CHUNKED, INNER, HEADS, STREAM = (
    "model.2.cv1.conv",
    "model.2.m.0.cv2.conv",
    "model.10.m.0.attn.qkv.conv",
    "model.10.cv1.conv",
)
TO_GROUP = "Carry the plan out with execution `group`, which removes whole dependency groups. "


def repaired(model: str, steps: list[Step], execution: Execution) -> Repair:
    """The repair of a plan, which following it makes safe and carries out in full."""
    graph = graph_of(model)
    found = predict(graph, Plan(steps, execution)).repair
    assert found is not None
    after = predict(graph, found.plan)
    assert (after.verdict, after.returned) == ("safe", ())
    return found


@pytest.mark.parametrize(("execution", "words"), [("group", ""), ("local", TO_GROUP)])
def test_the_partner_in_the_other_half_goes_as_well(execution: Execution, words: str) -> None:
    repair = repaired("yolov8n.yaml", [Step(CHUNKED, range(1, 32))], execution)
    assert repair.plan == Plan([Step(CHUNKED, (*range(1, 16), *range(17, 32)))], "group")
    assert [str(part) for part in repair.extra] == [f"{CHUNKED}[16:17]", f"{INNER}[0:1]"]
    assert repair.drop == ()
    assert repair.message == (
        f"{words}Remove {CHUNKED}[16:17] as well, so that equally many go where equally many must stay. "
        f"With these go {INNER}[0:1]."
    )


@pytest.mark.parametrize("execution", ["group", "local"])
def test_a_half_that_goes_as_a_whole_is_masked(execution: Execution) -> None:
    """As many from the other half would be all of it."""
    repair = repaired("yolov8n.yaml", [Step(CHUNKED, range(16))], execution)
    assert (repair.plan.execution, repair.extra) == ("mask", ())


def test_only_as_many_partners_go_as_are_missing() -> None:
    """Two queries of the first head, one of the second: this loses one more, and each other head two."""
    keep = [number for number in range(512) if number not in (0, 1, 129)]
    repair = repaired("yolo11m.yaml", [Step(HEADS, keep)], "group")
    more = {128, 256, 257, 384, 385}
    assert repair.plan == Plan([Step(HEADS, sorted({*keep} - more))], "group")
    keys = [f"{HEADS}[{first}:{last}]" for first, last in ((32, 34), (128, 129), (160, 162), (256, 258), (288, 290))]
    assert [str(part) for part in repair.extra] == [*keys, f"{HEADS}[384:386]", f"{HEADS}[416:418]"]


def test_a_head_goes_with_as_much_of_the_stream() -> None:
    graph, steps = graph_of("yolo11m.yaml"), [Step(HEADS, range(128, 512))]
    repair = repaired("yolo11m.yaml", steps, "group")
    assert repair.plan == Plan([*steps, Step(STREAM, (*range(64, 256), *range(320, 512)))], "group")
    assert [str(part) for part in repair.extra if part.layer == STREAM] == [f"{STREAM}[0:64]", f"{STREAM}[256:320]"]
    assert graph.costs.params({}) - predict(graph, repair.plan).params == 284_096


def test_a_head_that_loses_what_it_makes_goes_as_a_whole() -> None:
    """Else all heads would lose all that they make."""
    repair = repaired("yolo11m.yaml", [Step(HEADS, (*range(64), *range(128, 512)))], "group")
    assert predict(graph_of("yolo11m.yaml"), repair.plan).layers[HEADS].out_channels == 384
    assert [str(part) for part in repair.extra if part.layer == HEADS] == [f"{HEADS}[0:64]"]


def test_a_step_is_dropped_and_the_other_completed() -> None:
    steps = [Step(CHUNKED, range(1, 32)), Step("model.22.cv3.0.2", range(40))]
    repair = repaired("yolov8n.yaml", steps, "group")
    assert (repair.steps, repair.drop) == ((1,), ("model.22.cv3.0.2",))
    assert str(repair.extra[0]) == f"{CHUNKED}[16:17]"
    assert repair.message.endswith("Drop the step on model.22.cv3.0.2.")


def test_a_plan_that_nothing_completes_is_given_up_soon() -> None:
    """Every step takes half of a chunk, and no part of the plan can be completed."""
    graph = graph_of("yolov8n.yaml")
    chunked = [f"model.{number}.cv1.conv" for number in (2, 4, 6, 8, 12, 15, 18, 21)]
    steps = [Step(layer, range(graph.layers[layer].out_channels // 2)) for layer in chunked]
    begun = process_time()
    repair = predict(graph, Plan(steps * 5, "group")).repair
    assert process_time() - begun < 2
    assert repair is not None
    assert repair.plan.execution == "mask"


def test_a_plan_on_a_net_whose_balances_share_groups_is_repaired_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Channel shuffles tie all balances of a stage together, 45 in all: completing one part changes most of them."""
    graph = ChannelGraph.trace(shufflenet_v2_x1_0(weights=None).eval(), imgsz=64)
    last = [layer for layer in graph.layers if layer.endswith(("branch1.2", "branch2.5"))]
    steps = [Step(layer, range(number % 3 + 2, graph.layers[layer].out_channels)) for number, layer in enumerate(last)]
    asked = Mock(wraps=graph.verdicts.of)
    completed = Mock(wraps=complete)
    monkeypatch.setattr(graph.verdicts, "of", asked)
    monkeypatch.setattr("yolo_prune_check.channels.repair.complete", completed)
    begun = process_time()
    found = find_repair(graph, Plan(steps[:9], "group"))
    assert process_time() - begun < 2
    assert found is not None
    assert found.extra
    assert 10 < completed.call_count <= 100
    assert asked.call_count < 600


@st.composite
def one_sided(draw: st.DrawFn) -> tuple[ChannelGraph, Plan]:
    """Small plans by ``group`` on small models with blocks that must keep equally many."""
    graph, layers = draw(st.sampled_from([(paired(), ("0", "2")), (halves(), ("first", "inner"))]))
    steps = []
    for _ in range(draw(st.integers(1, 2))):
        layer = draw(st.sampled_from(layers))
        width = graph.layers[layer].out_channels
        goes = draw(st.sets(st.integers(0, width - 1), max_size=2))
        steps.append(Step(layer, set(range(width)) - goes))
    return graph, Plan(steps, "group")


@at_least(100)
@given(drawn=one_sided())
def test_what_partners_can_complete_is_completed_by_the_fewest(drawn: tuple[ChannelGraph, Plan]) -> None:
    graph, plan = drawn
    prediction, fewest = predict(graph, plan), _fewest_extra(graph, plan)
    nothing = {hazard.code for hazard in prediction.hazards if hazard.severity == "error"} == {"no-op"}
    if prediction.verdict == "safe" or not nothing or not prediction.returned:
        return
    repair = prediction.repair
    completed = repair is not None and repair.plan.execution == "group" and not repair.steps
    assert completed == (fewest is not None)
    if repair is not None and completed:
        assert all(
            set(after.keep) <= set(before.keep) for before, after in zip(plan.steps, repair.plan.steps, strict=False)
        )
        assert sum(part.stop - part.start for part in repair.extra) == fewest


def _fewest_extra(graph: ChannelGraph, plan: Plan) -> int | None:
    """The fewest channels beyond those of a plan with which nothing of it is given back, found by trying all."""
    label, asked = graph.partition.label, named_by(graph, plan)
    wanted = set(np.unique(label[asked]).tolist())
    others = sorted(set(range(graph.partition.count)) - wanted - set(graph.partition.frozen))
    found = []
    for count in range(len(others) + 1):
        for more in combinations(others, count):
            goes = np.isin(label, [*wanted, *more])
            steps = [
                Step(name, np.flatnonzero(~goes[graph.provenance.channels.span(name)]).tolist())
                for name in graph.layers
            ]
            removal = find_removal(graph, Plan(steps, "group"))
            if not removal.returned and not removal.hazards:
                found.append(int((goes & ~asked).sum()))
    return min(found, default=None)


@at_least(60)
@given(data=st.data())
def test_following_the_repair_of_a_group_makes_it_safe(data: st.DataObject) -> None:
    graph = graph_of(data.draw(st.sampled_from(["yolov8n.yaml", "yolo11n.yaml"])))
    drawn = data.draw(plans(graph))
    execution: Execution = data.draw(st.sampled_from(["group", "local"]))
    repair = predict(graph, Plan(drawn.steps, execution)).repair
    if repair is None:
        return
    assert predict(graph, repair.plan).verdict == "safe"
    assert repair == find_repair(graph, Plan(drawn.steps, execution))
    rest = Plan([step for number, step in enumerate(drawn.steps) if number not in repair.steps], "group")
    goes = {(part.layer, number) for part in repair.extra for number in range(part.start, part.stop)}
    if repair.plan.execution == "group":
        removal = find_removal(graph, repair.plan)
        gone = np.flatnonzero(~removal.stays & ~named_by(graph, rest))
        assert goes == {graph.provenance.channels.layer_of(channel) for channel in gone.tolist()}
    else:
        assert not goes


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
        return
    assert predict(graph, repair.plan).verdict == "safe"
    fewest = _fewest(graph, plan, repair.plan.execution)
    rest = [step for number, step in enumerate(plan.steps) if number not in repair.steps]
    if list(repair.plan.steps) == rest:
        assert len(repair.steps) == fewest
    else:  # with further channels, for which none of the rest could have been safe
        assert repair.plan.execution == "group"
        assert repair.extra
        assert fewest is None or len(repair.steps) < fewest


def _fewest(graph: ChannelGraph, plan: Plan, execution: str) -> int | None:
    """The fewest steps without which the others are safe, found by trying all."""
    count = len(plan.steps)
    for drops in range(count):
        for steps in combinations(plan.steps, count - drops):
            if predict(graph, Plan(steps, execution)).verdict == "safe":  # type: ignore[arg-type]  # one of the four
                return drops
    return None
