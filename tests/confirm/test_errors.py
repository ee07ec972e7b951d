"""Reading PyTorch's complaints; anything else is not swallowed."""

from __future__ import annotations

import pytest
import torch

from yolo_prune_check.confirm.errors import read_error


def caught(run: object) -> Exception:
    with pytest.raises(RuntimeError) as info:
        run()  # type: ignore[operator]  # a lambda
    return info.value


@pytest.mark.parametrize(
    ("run", "kind", "expected", "got"),
    [
        (lambda: torch.conv2d(torch.zeros(1, 3, 4, 4), torch.zeros(2, 5, 1, 1)), "direct", "5", "3"),
        (lambda: torch.conv2d(torch.zeros(1, 4, 4, 4), torch.zeros(8, 1, 1, 1), groups=8), "depthwise", "8", "4"),
        (lambda: torch.conv2d(torch.zeros(1, 8, 4, 4), torch.zeros(4, 1, 1, 1), groups=8), "depthwise", "8", "4"),
        (
            lambda: torch.conv2d(torch.zeros(1, 8, 4, 4), torch.zeros(12, 1, 1, 1), groups=8),
            "depthwise",
            "a multiple of 8",
            "12",
        ),
        (lambda: torch.zeros(1, 16, 2, 2) + torch.zeros(1, 8, 2, 2), "residual", "16", "8"),
        (lambda: torch.zeros(1, 2, 84) + torch.zeros(1, 2, 42), "elementwise", "84", "42"),
        (lambda: torch.cat([torch.zeros(1, 4, 2), torch.zeros(1, 3, 2)], 2), "concat", "4", "3"),
        (lambda: torch.zeros(1, 7, 2).split((4, 4), 1), "split", "8", "7"),
        (lambda: torch.zeros(1, 7, 4).view(1, 80, -1), "view", "[1, 80, -1]", "28"),
        (
            lambda: torch.batch_norm(torch.zeros(1, 8, 2, 2), *[torch.ones(4)] * 4, False, 0.1, 1e-3, False),
            "norm",
            "4",
            "8",
        ),
    ],
)
def test_each_complaint(run: object, kind: str, expected: str, got: str) -> None:
    mismatch = read_error(caught(run), "somewhere")
    assert (mismatch.module, mismatch.kind, mismatch.expected, mismatch.got) == ("somewhere", kind, expected, got)


def test_another_error_is_raised_on() -> None:
    with pytest.raises(RuntimeError, match="out of memory"):
        read_error(RuntimeError("out of memory"), "somewhere")
