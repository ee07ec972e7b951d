"""Greedy one-to-one matching."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from yolo_prune_check.select.matching import found_objects, intersection_over_union

BOX = [10.0, 10.0, 20.0, 20.0]


def found(boxes: Any, classes: Any, predicted: Any) -> list[bool]:
    return found_objects(
        np.array(boxes).reshape(-1, 4), np.array(classes, int), np.array(predicted).reshape(-1, 6)
    ).tolist()


def test_same_class_and_enough_overlap() -> None:
    assert found([BOX], [3], [[*BOX, 0.9, 3]]) == [True]
    assert found([BOX], [3], [[*BOX, 0.9, 4]]) == [False]
    assert found([BOX], [3], [[15, 10, 25, 20, 0.9, 3]]) == [False]  # IoU 1/3
    assert found([BOX], [3], [[10, 10, 20, 15, 0.9, 3]]) == [True]  # IoU 1/2


def test_one_prediction_finds_one_object() -> None:
    assert found([BOX, BOX], [3, 3], [[*BOX, 0.9, 3]]) == [True, False]
    assert found([BOX, BOX], [3, 3], [[*BOX, 0.9, 3], [*BOX, 0.8, 3]]) == [True, True]


def test_the_most_confident_chooses_first() -> None:
    near, far = [10, 10, 20, 20], [10, 10, 20, 16]
    # The better one takes `near`, which the worse one would also need: `far` is too small for it.
    assert found([near, far], [0, 0], [[10, 10, 20, 20, 0.5, 0], [10, 10, 20, 18, 0.9, 0]]) == [True, True]
    assert found([near], [0], [[*near, 0.5, 0], [10, 10, 20, 19, 0.9, 0]]) == [True]


def test_nothing_to_match() -> None:
    assert found([], [], []) == []
    assert found([BOX], [0], []) == [False]
    assert found([], [], [[*BOX, 0.9, 0]]) == []


coordinates = st.integers(0, 20).map(float)
boxes = hnp.arrays(float, st.tuples(st.integers(0, 6), st.just(4)), elements=coordinates)


@given(boxes, boxes)
def test_overlap_is_symmetric_and_bounded(first: Any, second: Any) -> None:
    overlaps = intersection_over_union(first, second)
    assert overlaps.shape == (len(first), len(second))
    assert ((overlaps >= 0) & (overlaps <= 1)).all()
    np.testing.assert_allclose(overlaps, intersection_over_union(second, first).T)


@given(boxes, boxes, st.data())
def test_never_more_found_than_predicted_nor_across_classes(objects: Any, predicted: Any, data: st.DataObject) -> None:
    classes = np.array(data.draw(st.lists(st.integers(0, 2), min_size=len(objects), max_size=len(objects))), int)
    guesses = data.draw(st.lists(st.integers(0, 2), min_size=len(predicted), max_size=len(predicted)))
    scores = np.linspace(0.3, 0.9, len(predicted))
    rows = np.column_stack([predicted, scores, np.array(guesses, float)])
    hit = found_objects(objects, classes, rows)
    for label in range(3):
        assert hit[classes == label].sum() <= guesses.count(label)
    overlaps = intersection_over_union(objects, predicted)
    for number in np.flatnonzero(hit):
        assert any(
            overlaps[number, other] >= 0.5 and guesses[other] == classes[number] for other in range(len(predicted))
        )
