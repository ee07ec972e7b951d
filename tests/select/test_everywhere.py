"""A plan for a whole model."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from torch import nn

from tests.models import graph_of, stock
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.layers import Layer
from yolo_prune_check.select import clustered
from yolo_prune_check.select.activations import Activations, collect
from yolo_prune_check.select.everywhere import Scope, plan_everywhere
from yolo_prune_check.select.evidence import Evidence
from yolo_prune_check.select.ranked import ranked, uniform
from yolo_prune_check.select.survivors import Grouping
from yolo_prune_check.select.worth import group_worth, groups_of

MODELS = ("yolov8n.yaml", "yolov9t.yaml", "yolo11n.yaml", "yolov8n-cls.yaml")


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("criterion", "ratio"), [("l1", 0.5), ("gamma", 0.3), ("random", 0.95)])
def test_it_is_safe_and_takes_what_it_says(name: str, criterion: str, ratio: float) -> None:
    graph = graph_of(name)
    plan = plan_everywhere(Evidence(stock(name), seed=1), graph, criterion, scope="group", ratio=ratio)
    prediction = predict(graph, plan)
    assert prediction.verdict == "safe"
    assert prediction.added == ()  # whole groups are named
    removed = sum(graph.layers[step.layer].out_channels - len(step.keep) for step in plan.steps)
    free = sum(group.size * len(group.members) for group in graph.groups if group.frozen is None)
    assert abs(removed / free - ratio) < 0.1


@pytest.mark.parametrize(
    ("name", "scope", "round_to"),
    [
        ("yolov8n.yaml", "group", None),
        ("yolov8n.yaml", "global", 8),
        ("yolo11n.yaml", "global", None),
        ("yolov8n-cls.yaml", "group", 8),
    ],
)
def test_a_share_of_the_macs_is_saved_and_hardly_more(name: str, scope: Scope, round_to: int | None) -> None:
    graph = graph_of(name)
    whole = graph.predict_many([Plan()])[0].macs
    plan = plan_everywhere(Evidence(stock(name)), graph, "fpgm", scope=scope, macs_cut=0.4, round_to=round_to)
    prediction = predict(graph, plan)
    assert prediction.verdict == "safe"
    assert whole is not None
    assert prediction.macs is not None
    saved = 1 - prediction.macs / whole
    assert 0.4 <= saved < (0.45 if round_to is None else 0.6)


def test_more_than_can_go_is_refused_and_what_can_is_said() -> None:
    with pytest.raises(UserError, match=r"so much cannot be saved: got '99.*At most \d+\.\d% can go"):
        plan_everywhere(Evidence(stock()), graph_of(), "l1", scope="global", macs_cut=0.999)


@pytest.mark.parametrize("floor", [0.0, 0.1, 0.5])
def test_a_ranking_leaves_every_layer_its_floor(floor: float) -> None:
    """Channels of one layer are worth nothing at all: no more of them go than the floor lets."""
    graph = graph_of()
    worth = np.random.default_rng(0).random(graph.partition.count) + 1
    worth[groups_of(graph, "model.3.conv")] = 0
    gone = ranked(graph, worth, floor)(Decimal(1))
    for name, layer in graph.layers.items():
        left = layer.out_channels - np.isin(groups_of(graph, name), gone).sum()
        assert left >= max(1, floor * layer.out_channels)
    share = Decimal(np.isin(groups_of(graph, "model.3.conv"), gone).sum() / 64)
    assert float(share) == pytest.approx(min(1 - floor, 63 / 64), abs=1 / 64)


def test_rankings_are_nested() -> None:
    graph = graph_of()
    worth = np.random.default_rng(0).random(graph.partition.count)
    for ranking in (ranked(graph, worth, 0.1), uniform(graph, worth)):
        gone = [set(ranking(Decimal(share) / 10).tolist()) for share in range(11)]
        assert all(fewer <= more for fewer, more in pairwise(gone))
        assert gone[0] == set()


def test_the_least_goes_first_wherever_it_is() -> None:
    graph = graph_of()
    worth = np.arange(graph.partition.count, 0, -1.0)
    gone = ranked(graph, worth, 0.1)(Decimal("0.02"))
    free = [number for number in range(graph.partition.count) if number not in graph.partition.frozen]
    assert len(gone) == int(0.02 * len(free))
    assert max(worth[gone]) < 0.1 * len(worth)


def test_the_least_goes_first() -> None:
    """Channel 3 of block 1 is worth nothing; nothing is tied to it."""
    graph, model = graph_of(), copy.deepcopy(stock())
    model.get_submodule("model.1.conv").weight.data[3] = 0  # type: ignore[union-attr]
    plan = plan_everywhere(Evidence(model), graph, "l1", scope="group", ratio=1 / 32)
    step = next(step for step in plan.steps if step.layer == "model.1.conv")
    assert set(range(32)) - set(step.keep) == {3}


def test_a_share_is_the_decimal_that_was_written() -> None:
    plan = plan_everywhere(Evidence(stock()), graph_of(), "l1", scope="group", ratio=0.7265625)  # 93 / 128
    kept = {step.layer: len(step.keep) for step in plan.steps}
    assert kept["model.5.conv"] == 128 - 93


def test_a_group_is_worth_the_sum_of_its_members() -> None:
    """Channels of both layers of a residual add count; each layer's scores are shares of its largest."""
    graph = graph_of()
    left, right = "model.2.cv1.conv", "model.2.m.0.cv2.conv"
    worth = group_worth(graph, {left: np.arange(32.0), right: np.arange(16.0) * 10}, "l1")
    tied = groups_of(graph, right)
    assert np.isin(tied, groups_of(graph, left)).all()
    np.testing.assert_allclose(worth[tied], np.arange(16, 32) / 31 + np.arange(16) / 15)
    raw = group_worth(graph, {left: np.arange(32.0), right: np.arange(16.0) * 10}, "taylor")
    np.testing.assert_allclose(raw[tied], np.arange(16.0, 32) + 10 * np.arange(16))


def test_what_is_not_scored_stays() -> None:
    """Layers that a criterion does not apply to are no worse than others for that."""
    graph = graph_of()
    scores = {name: np.ones(layer.out_channels) for name, layer in graph.layers.items() if name != "model.3.conv"}
    worth = group_worth(graph, scores, "l1")
    for ranking in (ranked(graph, worth, 0.1), uniform(graph, worth)):
        gone = ranking(Decimal("0.9"))
        assert len(gone) > 100
        assert not np.isin(groups_of(graph, "model.3.conv"), gone).any()


def test_what_has_no_activations_is_not_clustered_and_stays(
    detector: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, passes = ChannelGraph.trace(detector, imgsz=64), list[int]()

    def but_one(evidence: Evidence, layers: Sequence[Layer], *, every: bool) -> Activations:
        passes.append(len(layers))
        found = collect(evidence, layers, every=every)
        return replace(found, values={name: own for name, own in found.values.items() if name != "model.1.conv"})

    monkeypatch.setattr(clustered, "collect", but_one)
    evidence = Evidence(detector, "digits", 64, max_images=8, objects="all")
    grouping = Grouping(embedding="none")
    plan = plan_everywhere(evidence, graph, "separability", scope="group", ratio=0.5, grouping=grouping)
    assert len(passes) == 1
    assert {"model.1.conv", "model.3.conv"} - {step.layer for step in plan.steps} == {"model.1.conv"}


def test_a_criterion_that_says_nothing_is_refused() -> None:
    model = copy.deepcopy(stock())
    model.fuse(verbose=False)  # type: ignore[operator]
    with pytest.raises(UserError, match="gamma applies to no layer"):
        plan_everywhere(Evidence(model), graph_of(), "gamma", scope="group", ratio=0.5)


@pytest.mark.parametrize(
    ("criterion", "scope"),
    [
        ("taylor", "group"),
        ("taylor", "global"),
        ("mean-activation", "group"),
        ("apoz", "global"),
        ("separability", "global"),
        pytest.param("separability", "group", marks=pytest.mark.stress),  # t-SNE of every bundle
    ],
)
def test_criteria_that_look_at_images(detector: nn.Module, criterion: str, scope: Scope) -> None:
    graph = ChannelGraph.trace(detector, imgsz=64)
    evidence = Evidence(detector, "digits", 64, max_images=12, objects="all")
    plan = plan_everywhere(evidence, graph, criterion, scope=scope, ratio=0.5)
    assert predict(graph, plan).verdict == "safe"
    assert plan == plan_everywhere(evidence, graph, criterion, scope=scope, ratio=0.5)
    removed = sum(graph.layers[step.layer].out_channels - len(step.keep) for step in plan.steps)
    free = sum(group.size * len(group.members) for group in graph.groups if group.frozen is None)
    assert 0.3 < removed / free < 0.6
