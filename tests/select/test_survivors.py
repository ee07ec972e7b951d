"""Choosing by separability: what it is for, and every degenerate input."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from yolo_prune_check.errors import UserError
from yolo_prune_check.select.survivors import Grouping, Survivors, find_survivors, profile, side_by_side

LABELS = np.repeat(np.arange(5), 20)


def choose(values: Any, labels: Any = LABELS, **options: Any) -> Survivors:
    kinds = {key: options.pop(key) for key in ("silent", "distance") if key in options}
    described = profile(np.asarray(values, np.float32), labels, **kinds)
    how = {key: options.pop(key) for key in ("embedding", "perplexity") if key in options}
    found = find_survivors(described, **{"ratio": None, "grouping": Grouping(**how), "seed": 0, **options})
    json.dumps(found.details, allow_nan=False)
    assert list(found.keep) == sorted(set(found.keep))
    assert found.details["k"] == len(found.keep)
    assert len(found.scores) == np.shape(values)[1]
    assert np.isfinite(found.scores).all()
    return found


def experts(each: int) -> Any:
    """Channels that each answer to one of the five classes, `each` of them for every class."""
    random = np.random.default_rng(0)
    specialty = np.repeat(np.arange(5), each)
    return 4.0 * (LABELS[:, None] == specialty[None]) + random.normal(0, 1, (len(LABELS), len(specialty)))


def test_one_channel_of_each_kind_survives() -> None:
    found = choose(experts(6))
    assert {channel // 6 for channel in found.keep} == {0, 1, 2, 3, 4}
    assert len(found.keep) < 15
    assert found.details["fallback"] is None
    assert found.details["knee"] == len(found.keep)


def test_the_number_asked_for_is_kept() -> None:
    found = choose(experts(6), ratio=0.9)
    assert len(found.keep) == 3
    assert len({channel // 6 for channel in found.keep}) == 3
    assert len(choose(experts(6), ratio=0.5).keep) == 15


def test_repeatable() -> None:
    assert choose(experts(4), seed=5).keep == choose(experts(4), seed=5).keep


def test_the_score_is_the_mean_distance() -> None:
    values = experts(2)
    values[:, 3] = np.random.default_rng(1).normal(0, 1, len(LABELS))  # says nothing about classes
    found = choose(values)
    assert found.scores.argmin() == 3
    assert ((found.scores >= 0) & (found.scores <= 2)).all()


@pytest.mark.parametrize("ratio", [None, 0.5])
def test_dead_and_constant_channels_come_last(ratio: float | None) -> None:
    values = experts(4)
    values[:, :8] = 0
    values[:, 8:10] = 0.37
    found = choose(values, ratio=ratio)
    assert min(found.keep) >= 10
    assert (found.details["silent"], found.details["constant"], found.details["informative"]) == (8, 2, 10)


def test_they_fill_up_what_was_asked_for_constant_ones_first() -> None:
    values = experts(2)
    values[:, [0, 4, 7]] = 0
    values[:, [2, 5]] = -1.5
    found = choose(values, ratio=0.2)
    assert found.keep == (0, 1, 2, 3, 5, 6, 8, 9)
    assert found.details["fallback"] == "only 5 channels vary: others fill up the number asked for"


def test_channels_known_to_be_silent_are_not_chosen() -> None:
    """A masked channel may still show something where its residual partner is read."""
    silent = np.zeros(20, dtype=bool)
    silent[:12] = True
    assert min(choose(experts(4), silent=silent).keep) >= 12


@pytest.mark.parametrize("value", [0, 2.5])
def test_all_channels_constant(value: float) -> None:
    found = choose(np.full((100, 8), value))
    assert found.keep == (0,)
    assert found.details["fallback"] == "no channel varies: the lowest indices are kept"
    assert choose(np.full((100, 8), value), ratio=0.5).keep == (0, 1, 2, 3)


@pytest.mark.parametrize(("channels", "kept"), [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2)])
def test_a_layer_of_few_channels(channels: int, kept: int) -> None:
    found = choose(experts(1)[:, :channels])
    assert len(found.keep) == kept
    assert found.details["knee"] is None
    assert found.details["fallback"] == f"no knee: half of the {channels} channels that vary are kept"


def test_fewer_objects_than_channels() -> None:
    found = choose(experts(30)[[0, 1, 20, 21, 40, 41]], LABELS[[0, 1, 20, 21, 40, 41]])
    assert 1 <= len(found.keep) < 150
    assert found.details["classes"] == [0, 1, 2]


def test_two_classes_make_one_pair() -> None:
    found = choose(experts(8)[:40], LABELS[:40])
    assert found.details["classes"] == [0, 1]
    assert 1 <= len(found.keep) < 40


def test_a_class_with_one_object_is_dropped_and_reported() -> None:
    found = choose(experts(3)[:41], LABELS[:41])
    assert found.details["dropped_classes"] == [2]


def test_one_class_is_not_enough() -> None:
    with pytest.raises(UserError, match=r"at least two classes .*got \{0: 20\}.*l1"):
        choose(experts(3)[:20], LABELS[:20])


@pytest.mark.parametrize(("asked", "used"), [(5.0, 5.0), (10.0, 29 / 3), (0.5, 1.0)])
def test_the_perplexity_on_record_is_the_one_used(asked: float, used: float) -> None:
    assert choose(experts(6), ratio=0.5, perplexity=asked).details["perplexity"] == used


def test_nothing_drawn_by_t_sne_has_no_perplexity() -> None:
    assert choose(experts(1)[:, :3], ratio=0.5).details["perplexity"] is None


@pytest.mark.parametrize("embedding", ["tsne", "pca", "none"])
@pytest.mark.parametrize("distance", ["jeffries-matusita", "fisher", "wasserstein"])
def test_every_embedding_and_distance_finds_the_kinds(embedding: str, distance: str) -> None:
    found = choose(experts(6), ratio=5 / 6, embedding=embedding, distance=distance)
    assert {channel // 6 for channel in found.keep} == {0, 1, 2, 3, 4}
    assert ("perplexity" in found.details) is (embedding == "tsne")


def test_the_preferred_channel_of_each_cluster_stays() -> None:
    """The third of each kind is preferred; without a preference it is the medoid."""
    worth = np.tile([0.0, 0, 9, 0, 0, 0], 5)
    found = choose(experts(6), ratio=5 / 6, preference=worth)
    assert found.keep == (2, 8, 14, 20, 26)
    assert choose(experts(6), ratio=5 / 6).keep != found.keep
    assert choose(experts(6), ratio=5 / 6, preference=-worth).keep != found.keep


def test_of_equally_preferred_channels_the_first_stays() -> None:
    assert choose(experts(6), ratio=5 / 6, preference=np.ones(30)).keep == (0, 6, 12, 18, 24)


def test_channels_that_go_together_are_described_by_all_that_they_tell() -> None:
    """Two layers of which each has a dead channel: together none is dead, and one is constant."""
    one, other = experts(1), experts(1)
    one[:, 0], other[:, 1] = 0, 0
    one[:, 4], other[:, 4] = 0, 0.5
    joined = side_by_side([profile(one, LABELS), profile(other, LABELS)])
    assert joined.features.shape == (5, 20)
    assert not joined.zero.any()
    assert joined.constant.tolist() == [False, False, False, False, True]


@settings(max_examples=20, deadline=None)
@given(
    hnp.arrays(np.float32, st.tuples(st.just(12), st.integers(1, 10)), elements=st.integers(-3, 3).map(float)),
    st.none() | st.floats(0.05, 0.95),
)
def test_whatever_the_activations(values: Any, ratio: float | None) -> None:
    labels = np.repeat([0, 1, 2], 4)
    found = choose(values, labels, ratio=ratio)
    channels = values.shape[1]
    assert 1 <= len(found.keep) <= channels
    alive = set(np.flatnonzero(values.any(axis=0)))
    if not set(found.keep) <= alive:
        assert alive <= set(found.keep)
