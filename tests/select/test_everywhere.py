"""A plan for a whole model."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from tests.models import graph_of, stock
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.errors import UserError
from yolo_prune_check.select import everywhere
from yolo_prune_check.select.everywhere import Criterion, plan_everywhere

MODELS = ("yolov8n.yaml", "yolov9t.yaml", "yolo11n.yaml", "yolov8n-cls.yaml")


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("criterion", "ratio"), [("l1", 0.5), ("gamma", 0.3), ("random", 0.95)])
def test_it_is_safe_and_takes_what_it_says(name: str, criterion: Criterion, ratio: float) -> None:
    graph = graph_of(name)
    plan = plan_everywhere(stock(name), graph, criterion, ratio, seed=1, round_to=None)
    prediction = predict(graph, plan)
    assert prediction.verdict == "safe"
    assert prediction.added == ()  # whole groups are named
    removed = sum(graph.layers[step.layer].out_channels - len(step.keep) for step in plan.steps)
    free = sum(group.size * len(group.members) for group in graph.groups if group.frozen is None)
    assert ratio - 0.1 < removed / free <= ratio


def test_the_least_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Channel 3 of block 1 is worth nothing; nothing is tied to it."""
    graph, model = graph_of(), copy.deepcopy(stock())
    model.get_submodule("model.1.conv").weight.data[3] = 0  # type: ignore[union-attr]
    plan = plan_everywhere(model, graph, "l1", 1 / 32, seed=0, round_to=None)
    step = next(step for step in plan.steps if step.layer == "model.1.conv")
    assert set(range(32)) - set(step.keep) == {3}


def test_a_share_is_the_decimal_that_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of()
    name, width = next((name, layer.out_channels) for name, layer in graph.layers.items() if layer.out_channels == 128)
    monkeypatch.setattr(everywhere, "_scores", lambda *_: {name: np.arange(width, dtype=float)})
    plan = plan_everywhere(stock(), graph, "l1", 0.7265625, seed=0, round_to=None)  # 93 / 128
    step = next(step for step in plan.steps if step.layer == name)
    assert len(step.keep) == width - 93


def test_a_criterion_that_says_nothing_is_refused() -> None:
    model = copy.deepcopy(stock())
    model.fuse(verbose=False)  # type: ignore[operator]
    with pytest.raises(UserError, match="gamma applies to no layer"):
        plan_everywhere(model, graph_of(), "gamma", 0.5, seed=0, round_to=None)
