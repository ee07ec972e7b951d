"""What is drawn: every pattern, every way, the same for the same seed."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest

from tests.models import graph_of
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.errors import UserError
from yolo_prune_check.fuzz.draw import Generator, random_plans
from yolo_prune_check.fuzz.ground import Ground, Way, ways_of
from yolo_prune_check.fuzz.keep import PATTERNS, Layer, draw_keep, patterns_of

WAYS = ways_of(("mask", "local"))
HALVES = Layer(64, ((0, 32), (32, 64)))


def drawn(seed: int, count: int = 200, max_steps: int = 5) -> list[Plan]:
    return list(islice(random_plans(Ground.of(graph_of()), WAYS, max_steps=max_steps, seed=seed), count))


def test_a_seed_is_a_sequence_of_plans() -> None:
    assert drawn(3) == drawn(3)
    assert drawn(3, 50) == drawn(3)[:50]
    assert drawn(3) != drawn(4)


def test_these_are_the_plans_of_seed_0() -> None:
    """A record made today must be made again by the next version: patterns and generator are part of the format."""
    assert drawn(0, 2) == [
        Plan([Step("model.15.m.0.cv2.conv", [31])], "mask", "weights"),
        Plan(
            [
                Step("model.12.cv1.conv", range(64)),
                Step("model.18.cv1.conv", range(64)),
                Step("model.4.cv2.conv", range(17, 57)),
            ],
            "mask",
            "weights",
        ),
    ]


def test_all_ways_and_lengths_occur_and_few_plans_name_a_layer_twice() -> None:
    plans = drawn(0, 1000)
    assert set(Counter(Way(plan.execution, plan.mask) for plan in plans)) == set(WAYS)
    assert {len(plan.steps) for plan in plans} == {1, 2, 3, 4, 5}
    assert 1 <= sum(len(plan.kept()) < len(plan.steps) for plan in plans) <= 50
    assert {step.layer for plan in plans for step in plan.steps} == set(graph_of().layers)


def test_more_steps_than_layers_are_possible_only_by_repeating() -> None:
    ground = Ground.of(graph_of(), ["model.0.conv"])
    plans = list(islice(random_plans(ground, WAYS, max_steps=5, seed=0), 300))
    assert max(len(plan.steps) for plan in plans) > 1
    assert all(len(plan.kept()) == 1 for plan in plans)


@pytest.mark.parametrize("layer", [HALVES, Layer(1), Layer(9, ((0, 1), (1, 9)))], ids=str)
def test_every_pattern_keeps_channels_that_exist(layer: Layer) -> None:
    for name in patterns_of(layer):
        for seed in range(30):
            kept = list(PATTERNS[name](Generator(seed), layer))
            assert len(set(kept)) == len(kept), name
            assert set(kept) <= set(range(layer.width)), name


def test_a_cut_in_one_slice_leaves_the_others_whole() -> None:
    for seed in range(30):
        kept = set(PATTERNS["cut in one slice"](Generator(seed), HALVES))
        assert kept >= set(range(32)) or kept >= set(range(32, 64))
        eights = list(PATTERNS["a multiple of 8"](Generator(seed), HALVES))
        assert eights == list(range(eights[0], eights[0] + len(eights)))
        assert len(eights) % 8 == 0


def test_patterns_that_need_parts_or_width_are_not_drawn_without() -> None:
    assert not {"one slice", "all but one slice", "cut in one slice", "a multiple of 8"} & set(patterns_of(Layer(7)))
    assert set(patterns_of(HALVES)) == set(PATTERNS)
    assert {draw_keep(Generator(seed), Layer(1)) for seed in range(100)} == {(), (0,)}


def test_a_layer_of_a_c2f_chunk_has_its_halves_as_parts() -> None:
    ground = Ground.of(graph_of())
    assert ground.slices["model.4.cv1.conv"] == ((0, 32), (32, 64))
    assert ground.slices["model.1.conv"] == ()


def test_without_a_layer_there_is_nothing_to_draw() -> None:
    with pytest.raises(UserError, match="there is no layer to prune"):
        Ground.of(graph_of(), [])
