"""The drawing: finite, repeatable, whatever the input."""

from __future__ import annotations

import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from yolo_prune_check.select.embedding import embed


def features(points: int, width: int = 45) -> Any:
    return np.random.default_rng(0).random((points, width))


# A few seconds of t-SNE: not for the default number of examples.
@settings(max_examples=25, deadline=None)
@given(
    hnp.arrays(float, st.tuples(st.integers(0, 9), st.integers(1, 4)), elements=st.floats(0, 2, width=16)),
    st.floats(0.1, 100),
)
def test_finite_for_any_input(points: Any, perplexity: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = embed(points, perplexity=perplexity, seed=0)
    assert drawn.shape == (len(points), 2)
    assert np.isfinite(drawn).all()


def test_the_same_on_every_run() -> None:
    np.testing.assert_array_equal(
        embed(features(40), perplexity=10, seed=3), embed(features(40), perplexity=10, seed=3)
    )


def test_the_same_whatever_the_number_of_threads() -> None:
    code = (
        "import numpy as np; from yolo_prune_check.select.embedding import embed\n"
        "print(embed(np.random.default_rng(0).random((60, 45)), perplexity=10, seed=0).tobytes().hex())"
    )
    drawn = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"OMP_NUM_THREADS": threads, "PYTHONPATH": "."},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "4")
    }
    assert len(drawn) == 1


def test_like_stays_with_like() -> None:
    random = np.random.default_rng(1)
    groups = np.repeat(np.arange(3), 12)
    centres = random.random((3, 45)) * 5
    drawn = embed(centres[groups] + random.normal(0, 0.05, (36, 45)), perplexity=5, seed=0)
    distances = np.linalg.norm(drawn[:, None] - drawn[None], axis=-1)
    np.fill_diagonal(distances, np.inf)
    assert (groups[distances.argmin(axis=1)] == groups).all()


def test_equal_points_lie_at_the_origin() -> None:
    assert not embed(np.ones((20, 5)), perplexity=10, seed=0).any()


def test_three_points_are_drawn_as_they_are() -> None:
    points = np.array([[0.0, 0, 0], [3, 0, 0], [0, 4, 0]])
    drawn = embed(points, perplexity=30, seed=0)
    assert np.linalg.norm(drawn[1] - drawn[2]) == pytest.approx(5)
    assert np.linalg.norm(drawn[0] - drawn[1]) == pytest.approx(3)
