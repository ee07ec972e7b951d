"""The fast paths say what the slow one says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tests.models import graph_of
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.judge import judge
from yolo_prune_check.channels.parameters import untouched
from yolo_prune_check.channels.plan import EXECUTIONS, Plan, Step
from yolo_prune_check.channels.planned import carry_out
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.errors import UserError
from yolo_prune_check.strategies import plans

MODELS = ("yolov8n.yaml", "yolov5n.yaml", "yolov8n-ghost.yaml", "yolo11n.yaml")


@pytest.mark.parametrize("model", MODELS)
@given(data=st.data())
def test_a_verdict_is_that_of_the_whole_interpretation(data: st.DataObject, model: str) -> None:
    graph = graph_of(model)
    plan = data.draw(plans(graph, executions=EXECUTIONS))
    prediction, judgement = predict(graph, plan), judge(graph, plan)
    assert prediction.verdict == judgement.verdict
    assert prediction.failure == judgement.failure
    if prediction.failure is not None and judgement.failure is not None:
        assert prediction.failure.path == judgement.failure.path


@pytest.mark.parametrize("model", MODELS)
@given(data=st.data())
def test_running_again_gives_what_a_whole_run_gives(data: st.DataObject, model: str) -> None:
    graph = graph_of(model)
    plan = data.draw(plans(graph, executions=("local", "mask")))
    changed = carry_out(graph, plan).parameters
    whole = graph.interpreter.run(untouched(graph.program) | changed)
    again = graph.interpreter.rerun(graph.baseline, changed)
    assert again.failure == whole.failure
    assert again.stopped == whole.stopped
    assert again.absent == whole.absent
    assert [op.index for op in again.broadcasts] == [op.index for op in whole.broadcasts]
    for op in graph.program.ops:
        assert again.ran(op) == whole.ran(op)
        for value in op.outputs:
            one, other = again.get(value), whole.get(value)
            assert (one is None) == (other is None)
            if one is not None and other is not None:
                assert one.shape == other.shape
                assert one.emits.tolist() == other.emits.tolist()


@pytest.mark.parametrize("model", MODELS)
@given(data=st.data())
def test_many_at_once_are_predicted_as_one_by_one(data: st.DataObject, model: str) -> None:
    graph = graph_of(model)
    drawn = data.draw(st.lists(plans(graph, executions=EXECUTIONS), max_size=12))
    drawn += [Plan(execution=execution) for execution in EXECUTIONS]
    many = graph.predict_many(drawn)
    assert len(many) == len(drawn)
    assert many.unsafe.tolist() == [predict(graph, plan).verdict == "unsafe" for plan in drawn]
    for one, plan in zip(many, drawn, strict=True):
        alone = predict(graph, plan)
        assert one.failure == alone.failure
        assert one.verdict == alone.verdict


def test_many_random_plans_are_predicted_as_one_by_one() -> None:
    """Thousands, so that pairs of steps that meet in an operator are among them."""
    import random

    graph = graph_of("yolov8n.yaml")
    draw = random.Random(0)
    names = list(graph.layers)
    drawn = []
    for _ in range(1500):
        steps = []
        for name in draw.sample(names, draw.randint(1, 12)):
            width = graph.layers[name].out_channels
            steps.append(Step(name, draw.sample(range(width), draw.choice([1, width // 2 or 1, width]))))
        drawn.append(Plan(steps, "local"))
    for one, plan in zip(graph.predict_many(drawn), drawn, strict=True):
        judgement = judge(graph, plan)
        assert one.failure == judgement.failure
        assert one.verdict == judgement.verdict


def test_a_plan_that_does_not_fit_is_refused_among_many() -> None:
    graph = graph_of("yolov8n.yaml")
    good = Plan([Step("model.1.conv", range(8))])
    for bad in (Plan([Step("model.1.conv", [999])]), Plan([Step("model.1.conf", [0])], "local")):
        with pytest.raises(UserError):
            graph.predict_many([good, bad])


def test_no_plans() -> None:
    assert list(graph_of("yolov8n.yaml").predict_many([])) == []


def test_slices_and_negative_indices() -> None:
    graph = graph_of("yolov8n.yaml")
    many = graph.predict_many([Plan([Step("model.1.conv", range(n))], "local") for n in (1, 16, 32)])
    assert many[-1].verdict == "unsafe"
    assert [prediction.verdict for prediction in many[:2]] == ["unsafe", "unsafe"]
    with pytest.raises(IndexError):
        many[3]


@pytest.mark.parametrize(
    ("layer", "keep", "path"),
    [
        ("model.1.conv", 16, ("model.1.conv", "model.2.cv1.conv")),
        ("model.4.cv1.conv", 32, ("model.4.cv1.conv", "chunk[1]", "model.4.m.0.cv1.conv")),
        ("model.4.cv1.conv", 1, ("model.4.cv1.conv", "chunk[0]", "model.4.m.0.cv1.conv")),  # y[-1] of one piece
        ("model.4.m.0.cv2.conv", 16, ("model.4.m.0.cv2.conv", "model.4.m.0 add")),
        (
            "model.9.cv2.conv",
            128,
            ("model.9.cv2.conv", "model.10 upsample_nearest2d", "model.11 concat[0]", "model.12.cv1.conv"),
        ),
    ],
)
def test_the_path_to_a_break(layer: str, keep: int, path: tuple[str, ...]) -> None:
    failure = predict(graph_of(), Plan([Step(layer, range(keep))], "local")).failure
    assert failure is not None
    assert failure.path == path


class BothPieces(nn.Module):
    """Each piece of a chunk goes to a convolution of its own; two others run between these."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.one, self.two = nn.Conv2d(3, 16, 1), nn.Conv2d(8, 4, 1), nn.Conv2d(8, 4, 1)
        self.other, self.third = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, second = self.conv(x).chunk(2, 1)
        result: torch.Tensor = self.one(first) + self.third(self.other(x)) + self.two(second)
        return result


Use = Callable[[torch.Tensor, torch.Tensor, Callable[[], torch.Tensor]], torch.Tensor]


class Halves(nn.Module):
    """A function says what becomes of the two halves of a convolution's channels; others run when it calls for them."""

    def __init__(self, width: int, use: Use) -> None:
        super().__init__()
        self.conv, self.use = nn.Conv2d(3, width, 1), use
        self.other = nn.Sequential(nn.Conv2d(3, width // 2, 1), nn.Conv2d(width // 2, width // 2, 1))
        first, second = torch.zeros(2, width).chunk(2, 1)
        self.last = nn.Conv2d(use(first, second, lambda: torch.zeros(2, width // 2)).shape[1], 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, second = self.conv(x).chunk(2, 1)
        result: torch.Tensor = self.last(self.use(first, second, lambda: self.other(x)))
        return result


def add_halves(first: torch.Tensor, second: torch.Tensor, other: Callable[[], torch.Tensor]) -> torch.Tensor:
    """Fits where both halves are equally long."""
    return first + second + other()


def test_every_width_of_a_layer_before_a_chunk() -> None:
    """Of 15 channels the first piece gets 8, as of all 16: it breaks later than of 14, and something else before."""
    graph = ChannelGraph.trace(BothPieces(), 8)
    broken = []
    for width in range(16):
        plan = Plan([Step("conv", range(width)), Step("other", range(5))], "local")
        _same_at_once(graph, plan)
        failure = predict(graph, plan).failure
        broken.append(failure.module if failure else "")
    assert broken[14:] == ["one", "third"]


@pytest.mark.parametrize("width", [8, 14, 16])
@pytest.mark.parametrize(
    "use",
    [
        add_halves,
        lambda first, second, other: first + other(),  # of 15 channels the first half is as long as of 16
        lambda first, second, other: second + other(),
        lambda first, second, other: torch.cat([second, first, other()], 1),
        lambda first, second, other: torch.cat([first.chunk(2, 1)[1], second, other()], 1),
    ],
)
def test_every_width_of_a_layer_whose_channels_are_halved(use: Use, width: int) -> None:
    graph = ChannelGraph.trace(Halves(width, use), 8)
    for kept in range(width + 1):
        for others in (width // 2, 2):
            _same_at_once(graph, Plan([Step("conv", range(kept)), Step("other.0", range(others))], "local"))


def _same_at_once(graph: ChannelGraph, plan: Plan) -> None:
    """The quick verdicts are those of the whole interpretation."""
    judgement = judge(graph, plan)
    for quick in (predict(graph, plan), graph.predict_many([plan])[0]):
        assert quick.verdict == judgement.verdict, plan
        assert quick.failure == judgement.failure, plan


def test_plans_whose_mask_means_nothing_are_predicted_together_with_those_without() -> None:
    graph = graph_of("yolov8n.yaml")
    drawn = [
        Plan([Step("model.1.conv", range(16))], "local", mask="weights"),
        Plan([Step("model.3.conv", range(16))], "local"),
    ]
    for one, plan in zip(graph.predict_many(drawn), drawn, strict=True):
        assert one.failure == predict(graph, plan).failure
        assert one.failure is not None
        assert one.failure.path[0] == plan.steps[0].layer
