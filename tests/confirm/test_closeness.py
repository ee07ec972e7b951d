"""Errors are relative to what a channel holds."""

from __future__ import annotations

from math import inf, nan

import pytest
import torch

from yolo_prune_check.confirm.closeness import compared, relative_error


def boxes_and_scores(box: float, score: float) -> torch.Tensor:
    return torch.tensor([[[64.0, box], [1e-3, score]]], dtype=torch.float64)


def test_a_wrong_score_does_not_hide_behind_a_box() -> None:
    assert relative_error(boxes_and_scores(1.0, 0.5), boxes_and_scores(1.0, 0.5)) == 0
    assert relative_error(boxes_and_scores(1.0, 0.5), boxes_and_scores(1.0, 0.6)) == pytest.approx(0.2)
    assert relative_error(boxes_and_scores(1.0, 0.5), boxes_and_scores(1.64, 0.5)) == pytest.approx(0.01)


def test_where_nothing_is_wanted_the_whole_tensor_is_the_measure() -> None:
    wanted = torch.tensor([[[2.0], [0.0]]])
    assert relative_error(wanted, torch.tensor([[[2.0], [0.2]]])) == pytest.approx(0.1)
    assert relative_error(torch.zeros(1, 2, 1), torch.ones(1, 2, 1)) == inf
    assert relative_error(torch.zeros(1, 2, 1), torch.zeros(1, 2, 1)) == 0


def test_a_floor_is_the_least_that_an_error_is_relative_to() -> None:
    wanted, got = torch.tensor([[[1e-6]]]), torch.tensor([[[2e-6]]])
    assert relative_error(wanted, got) == pytest.approx(1.0)
    assert relative_error(wanted, got, floor=0.01) == pytest.approx(1e-4)


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_what_is_not_finite_is_never_close(value: float) -> None:
    assert relative_error(torch.ones(1, 2, 1), torch.tensor([[[1.0], [value]]])) == inf
    assert relative_error(torch.tensor([[[1.0], [value]]]), torch.ones(1, 2, 1)) == inf


def test_a_check_names_where_the_error_is_largest() -> None:
    wanted = {"a": torch.ones(1, 2, 1), "b": torch.ones(1, 2, 1)}
    check = compared("x", wanted, {"a": torch.ones(1, 2, 1), "b": torch.full((1, 2, 1), 1.5)}, 1e-6, "float32")
    assert (check.passed, check.error) == (False, 0.5)
    assert check.detail == "float32, tolerance 1e-06; largest at b"
    other = compared("x", wanted, {"a": torch.ones(1, 2, 1), "b": torch.ones(1, 3, 1)}, 1e-6, "float32")
    assert (other.passed, other.error, other.detail) == (False, None, "b is 1×3×1, expected 1×2×1")
    fewer = compared("x", wanted, {"a": wanted["a"]}, 1e-6, "float32")
    assert (fewer.passed, fewer.detail) == (False, "1 tensors came out, 2 were expected")
