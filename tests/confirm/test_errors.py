"""Reading PyTorch's complaints; anything else is not swallowed."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.transforms.functional import normalize

from yolo_prune_check.confirm.errors import COMPLAINTS, read_error

MAP = torch.zeros(1, 5, 4, 4)


def unpack(pieces: Iterable[torch.Tensor]) -> None:
    first, second = pieces
    del first, second


def caught(run: object) -> Exception:
    with pytest.raises(COMPLAINTS) as info:
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
        (
            lambda: torch.conv_transpose2d(torch.zeros(1, 3, 4, 4), torch.zeros(5, 2, 2, 2)),
            "direct",
            "5",
            "3",
        ),
        (lambda: torch.zeros(1, 1, 2, 2).add_(torch.zeros(1, 8, 2, 2)), "residual", "1", "8"),
        (lambda: torch.zeros(8, 1).mul_(torch.zeros(1, 8, 4)), "elementwise", "1", "4"),
        (lambda: torch.zeros(2).mul_(torch.zeros(3, 2)), "elementwise", "1", "3"),
        (
            lambda: torch.stack([torch.zeros(1, 8, 2), torch.zeros(1, 4, 2)]),
            "concat",
            "[1, 8, 2]",
            "[1, 4, 2]",
        ),
        (lambda: unpack(torch.zeros(1, 1, 2, 2).chunk(2, 1)), "split", "2", "1"),
        (lambda: torch.zeros(1, 7).expand(3, 5), "view", "5", "7"),
        (lambda: F.layer_norm(torch.zeros(1, 4, 8), [16]), "norm", "16", "8"),
        (lambda: F.layer_norm(torch.zeros(1, 4, 8), [4, 16]), "norm", "4, 16", "4, 8"),
        (lambda: F.group_norm(torch.zeros(1, 6, 2, 2), 4), "norm", "a multiple of 4", "6"),
        (lambda: F.group_norm(torch.zeros(1, 4, 2, 2), 4, torch.ones(8)), "norm", "8", "4"),
        (lambda: F.linear(torch.zeros(2, 8), torch.zeros(3, 16), torch.zeros(3)), "linear", "16", "8"),
        (lambda: torch.zeros(2, 8) @ torch.zeros(16, 3), "linear", "16", "8"),
        (lambda: torch.zeros(2, 3, 8) @ torch.zeros(2, 16, 5), "linear", "[2, 8]", "[2, 16]"),
        (lambda: torch.einsum("bc,kc->bk", torch.zeros(1, 8), torch.zeros(3, 16)), "linear", "8", "16"),
        (lambda: torch.zeros(2, 5) @ torch.zeros(8), "linear", "5", "8"),
        (lambda: torch.zeros(5) @ torch.zeros(8), "linear", "5", "8"),
        (lambda: F.bilinear(torch.zeros(1, 5), torch.zeros(1, 5), torch.zeros(3, 8, 5)), "linear", "8", "5"),
        (lambda: nn.GRU(8, 4)(torch.zeros(1, 1, 5)), "linear", "8", "5"),
        (lambda: nn.PReLU(8)(MAP), "elementwise", "8", "5"),
        (lambda: nn.InstanceNorm2d(8, affine=True)(MAP), "norm", "8", "5"),
        (lambda: F.instance_norm(MAP, weight=torch.zeros(8), bias=torch.zeros(8)), "norm", "8", "5"),
        (lambda: F.layer_norm(torch.zeros(1, 5), [5], torch.zeros(8)), "norm", "5", "8"),
        (lambda: F.pixel_shuffle(MAP, 2), "view", "a multiple of 4", "5"),
        (lambda: F.pixel_unshuffle(MAP, 3), "view", "a multiple of 3", "4"),
        (lambda: nn.ChannelShuffle(2)(MAP), "view", "a multiple of 2", "5"),
        (lambda: MAP.unflatten(1, (2, 4)), "view", "8", "5"),
        (lambda: MAP.unflatten(1, (2, -1)), "view", "a multiple of 2", "5"),
        (lambda: MAP.narrow(1, 2, 6), "split", "8", "5"),
        (lambda: MAP.narrow(1, 6, 1), "split", "6", "5"),
        (lambda: MAP[:, torch.arange(8)], "split", "5", "5"),
        (lambda: MAP[:, [0, 7]], "split", "7", "5"),
        (lambda: MAP[:, 7], "split", "7", "5"),
        (lambda: MAP.select(1, 7), "split", "7", "5"),
        (lambda: MAP.index_select(1, torch.tensor([7])), "split", "7", "5"),
        (lambda: F.glu(MAP, 1), "split", "a multiple of 2", "5"),
        (lambda: unpack(torch.zeros(1, 3).unbind(1)), "split", "2", "more"),
        (lambda: MAP.repeat_interleave(torch.tensor([2] * 8), 1), "elementwise", "8", "5"),
        (lambda: normalize(MAP, [0.0] * 3, [1.0] * 3), "residual", "5", "3"),
        (lambda: F.max_pool2d(torch.zeros(1, 5, 1, 1), 2), "pool", "at least 1x1", "0x0"),
        (lambda: F.max_pool2d(torch.zeros(1, 0, 4, 4), 2), "pool", "at least 1", "0"),
        (lambda: F.interpolate(torch.zeros(1, 0, 4, 4), scale_factor=2), "pool", "at least 1", "0"),
        (lambda: nn.MultiheadAttention(8, 2)(*[torch.zeros(5, 1, 4)] * 3), "linear", "8", "4"),
    ],
)
def test_each_complaint(run: object, kind: str, expected: str, got: str) -> None:
    mismatch = read_error(caught(run), "somewhere")
    assert (mismatch.module, mismatch.kind, mismatch.expected, mismatch.got) == ("somewhere", kind, expected, got)


def test_another_error_is_raised_on() -> None:
    with pytest.raises(RuntimeError, match="out of memory"):
        read_error(RuntimeError("out of memory"), "somewhere")
