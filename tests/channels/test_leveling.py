"""Which channels are given back: the best that steps know of, and as many as widths are to be multiples of."""

from __future__ import annotations

import random
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.equality_plans import group_plans
from tests.models import graph_of, stock
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.channels.removal import find_removal
from yolo_prune_check.confirm.meant import difference
from yolo_prune_check.errors import UserError
from yolo_prune_check.prune.apply import carry_out, meant_by

MODELS = st.sampled_from(["yolov8n.yaml", "yolo11n.yaml"])
C2F = "model.4.cv1.conv"  # two halves of 32


def kept(plan: Plan) -> list[int]:
    cut = find_removal(graph_of(), plan).layers.get(C2F)
    return list(range(64)) if cut is None else cut.outputs.tolist()


def half(scores: list[float] | None = None) -> Step:
    """Remove 8 of the first half and 4 of the second."""
    return Step(C2F, [*range(8, 32), *range(36, 64)], scores)


def test_the_best_scored_are_given_back() -> None:
    scores = [float(channel) for channel in range(64)]
    assert kept(Plan([half()], "group")) == [*range(4), *range(8, 32), *range(36, 64)]
    assert kept(Plan([half(scores)], "group")) == [*range(4, 32), *range(36, 64)]
    assert kept(Plan([half([-score for score in scores])], "group")) == [*range(4), *range(8, 32), *range(36, 64)]
    mixed = [*(1.0, 5.0, 2.0, 9.0, 7.0, 0.0, 8.0, 3.0), *[0.0] * 56]
    assert kept(Plan([half(mixed)], "group")) == [1, 3, 4, 6, *range(8, 32), *range(36, 64)]


def test_minus_infinity_is_given_back_last() -> None:
    scores = [inf, -inf, -5.0, -inf, -inf, -inf, 0.0, -1.0, *[0.0] * 56]
    assert kept(Plan([half(scores)], "group")) == [0, 2, 6, 7, *range(8, 32), *range(36, 64)]
    wider = Step(C2F, [*range(8, 32), *range(34, 64)], scores)  # two more have to come back, and do
    assert len(kept(Plan([wider], "group"))) == 60


def test_layers_count_alike_whatever_their_scores_are_worth() -> None:
    """Bottleneck and C2f disagree on tied channels; a hundred times larger scores decide nothing."""
    falling, rising = [float(-n) for n in range(64)], [100.0 * n for n in range(32)]
    tied = Step("model.4.m.0.cv2.conv", range(32), rising)  # added to the second half of the C2f's
    step = Step(C2F, [*range(4, 32), *range(40, 64)], falling)
    given_back = {channel - 32 for channel in kept(Plan([step, tied], "group")) if 32 <= channel < 40}
    assert len(given_back) == 4
    assert given_back == {4, 5, 6, 7}  # rising by a share of 1/31, falling by 1/63
    times = Step("model.4.m.0.cv2.conv", range(32), [score * 1e6 for score in rising])
    assert kept(Plan([step, times], "group")) == kept(Plan([step, tied], "group"))


def test_rounding_gives_the_best_back() -> None:
    layer, scores = "model.1.conv", [float(channel % 7) for channel in range(32)]
    plan = Plan([Step(layer, range(11, 32), scores)], "group", round_to=8)
    found = find_removal(graph_of(), plan).layers[layer].outputs.tolist()
    assert found == [4, 5, 6, *range(11, 32)]


def test_a_narrow_layer_is_whole_again() -> None:
    assert find_removal(graph_of(), Plan([Step("model.0.conv", range(1, 16))], "group", round_to=16)).stays.all()


@settings(max_examples=25)
@given(name=MODELS, draw=st.randoms(use_true_random=False), multiple=st.sampled_from([2, 8, 16]))
def test_every_width_is_a_multiple_or_what_it_was(name: str, draw: random.Random, multiple: int) -> None:
    graph = graph_of(name)
    plan = rounded(graph, draw, multiple)
    removal = find_removal(graph, plan)
    plain = find_removal(graph, Plan(plan.steps, "group"))
    assert not (plain.stays & ~removal.stays).any()  # rounding only gives back
    for layer, cut in removal.layers.items():
        width = len(cut.outputs)
        assert width % multiple == 0 or width == graph.layers[layer].out_channels, layer
    stays = np.empty(graph.partition.count, dtype=np.bool_)
    stays[graph.partition.label] = removal.stays
    for item in graph.partition.levels:
        counts = np.where(item.blocks < 0, True, stays[item.blocks]).sum(1)
        if item.units is None:
            assert len(set(counts.tolist())) == 1
        if item.blocks.shape[1] >= multiple:
            assert all(count % multiple == 0 or count == item.blocks.shape[1] for count in counts.tolist())


def rounded(graph: ChannelGraph, draw: random.Random, multiple: int) -> Plan:
    """One plan of few layers, or one of many."""
    plans = group_plans(graph, str(draw.random()))
    for _ in range(draw.choice([1, 2])):
        plan = next(plans)
    return Plan(plan.steps, "group", round_to=multiple)


@settings(max_examples=4)
@given(draw=st.randoms(use_true_random=False))
def test_a_rounded_model_is_the_masked_one(draw: random.Random) -> None:
    model, graph = stock(), graph_of()
    plan = rounded(graph, draw, 8)
    if find_removal(graph, plan).hazards:
        return
    found = difference(meant_by(model, plan, graph), carry_out(model, plan, graph), 64)
    assert found.first is None


def test_there_is_one_score_for_each_channel() -> None:
    plan = Plan([Step("model.1.conv", range(8), [1.0] * 8)], "group")
    with pytest.raises(UserError, match=r"one score for each channel: got 8\. The layer has 32 channels"):
        predict(graph_of(), plan)
