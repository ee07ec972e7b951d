"""Each rule against PyTorch itself: the same shape, or the same words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from yolo_prune_check.channels.rules import RULES, activation, convolution, elementwise, join, layout, pooling
from yolo_prune_check.channels.tensors import Breaks, Tensor, varying
from yolo_prune_check.channels.weights import filter_of

SIZE = st.integers(1, 5)


def outcome(run: Callable[[], Any]) -> Any:
    """Shapes that came out, or the first line of the error."""
    try:
        result = run()
    except (Breaks, RuntimeError) as error:
        return str(error).splitlines()[0]
    pieces = result if isinstance(result, (list, tuple)) else (result,)
    return [tuple(piece.shape) for piece in pieces]


@given(
    channels=SIZE,
    out=st.integers(0, 8),
    per_group=SIZE,
    groups=st.integers(1, 4),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    bias=st.booleans(),
)
def test_convolution(
    channels: int, out: int, per_group: int, groups: int, kernel: int, stride: int, padding: int, bias: bool
) -> None:
    image, weight = torch.zeros(1, channels, 7, 7), torch.zeros(out, per_group, kernel, kernel)
    shift = torch.zeros(out) if bias else None
    real = outcome(lambda: torch.conv2d(image, weight, shift, stride, padding, 1, groups))
    ours = outcome(
        lambda: convolution.convolution(
            varying(tuple(image.shape)),
            Tensor(tuple(weight.shape)),
            Tensor((out,)) if bias else None,
            (stride, stride),
            (padding, padding),
            (1, 1),
            False,
            (0, 0),
            groups,
        )
    )
    assert ours == real


@given(left=st.lists(SIZE, min_size=1, max_size=4), right=st.lists(SIZE, min_size=1, max_size=4))
def test_elementwise(left: list[int], right: list[int]) -> None:
    real = outcome(lambda: torch.zeros(left) + torch.zeros(right))
    ours = outcome(lambda: Tensor(elementwise.broadcast(tuple(left), tuple(right))))
    assert ours == real


@pytest.mark.parametrize("direct", [True, False])
@given(left=st.lists(SIZE, min_size=1, max_size=4), right=st.lists(SIZE, min_size=1, max_size=4))
def test_copy(direct: bool, left: list[int], right: list[int]) -> None:
    def assigned() -> torch.Tensor:
        target = torch.zeros(left)
        target[:] = torch.zeros(right)
        return target

    real = outcome((lambda: torch.zeros(left).copy_(torch.zeros(right))) if direct else assigned)
    ours = outcome(lambda: RULES["copy"](varying(tuple(left)), varying(tuple(right)), direct=direct))
    assert ours == real


@given(shapes=st.lists(st.tuples(SIZE, SIZE, SIZE), min_size=1, max_size=3), dim=st.integers(-3, 2))
def test_cat(shapes: list[tuple[int, int, int]], dim: int) -> None:
    real = outcome(lambda: torch.cat([torch.zeros(shape) for shape in shapes], dim))
    ours = outcome(lambda: join.cat([varying(shape) for shape in shapes], dim))
    assert ours == real


@given(channels=st.integers(0, 9), chunks=st.integers(1, 4))
def test_chunk(channels: int, chunks: int) -> None:
    real = outcome(lambda: torch.zeros(1, channels, 2).chunk(chunks, 1))
    ours = outcome(lambda: join.chunk(varying((1, channels, 2)), chunks, 1))
    assert ours == real


@given(channels=st.integers(1, 9), sizes=st.lists(st.integers(0, 5), min_size=1, max_size=3))
def test_split_with_sizes(channels: int, sizes: list[int]) -> None:
    real = outcome(lambda: torch.ops.aten.split_with_sizes(torch.zeros(1, channels, 2), sizes, 1))
    ours = outcome(lambda: join.split_with_sizes(varying((1, channels, 2)), sizes, 1))
    assert ours == real


@given(shape=st.lists(SIZE, min_size=1, max_size=4), size=st.lists(st.sampled_from([-1, 1, 2, 3, 4, 6]), min_size=1))
def test_view(shape: list[int], size: list[int]) -> None:
    if size.count(-1) > 1:
        size = [abs(n) for n in size]
    real = outcome(lambda: torch.zeros(shape).view(size))
    ours = outcome(lambda: layout.view(varying(tuple(shape)), size))
    assert ours == real


@given(channels=SIZE, width=SIZE)
def test_batch_norm(channels: int, width: int) -> None:
    one = torch.ones(width)
    real = outcome(
        lambda: torch.batch_norm(torch.zeros(1, channels, 2, 2), one, one, one, one, False, 0.1, 1e-3, False)
    )
    abstract = [Tensor((width,), vector=np.ones(width)) for _ in range(4)]
    ours = outcome(lambda: RULES["native_batch_norm"](varying((1, channels, 2, 2)), *abstract, False, 0.1, 1e-3)[0])
    assert ours == real


@given(
    size=st.integers(3, 9),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    padding=st.integers(0, 1),
    ceil=st.booleans(),
)
def test_max_pool(size: int, kernel: int, stride: int, padding: int, ceil: bool) -> None:
    image = torch.zeros(1, 2, size, size)
    real = outcome(lambda: torch.max_pool2d(image, kernel, stride, min(padding, kernel // 2), 1, ceil))
    ours = outcome(
        lambda: pooling.max_pool(
            varying((1, 2, size, size)), (kernel,), (stride,), (min(padding, kernel // 2),), (1,), ceil
        )[0]
    )
    assert ours == real


@pytest.mark.parametrize("name", sorted(activation.ACTIVATIONS))
def test_activation_of_constants(name: str) -> None:
    """A constant channel becomes the constant that PyTorch computes; silence stays silence only where act(0) is 0."""
    numbers = torch.tensor([0.0, -4.0, -0.5, 0.25, 7.0], dtype=torch.float64)
    real = getattr(torch.nn.functional, name)(numbers)
    ours = RULES[name](Tensor((1, 5, 2, 2), numbers.numpy().reshape(1, 5, 1, 1)))
    assert ours.state is not None
    np.testing.assert_allclose(np.ravel(ours.state), real.numpy(), rtol=1e-12)


def test_batch_norm_of_constants_is_its_shift() -> None:
    """DESIGN fact 1: a silent filter comes out of BatchNorm as beta - mean x gamma / sqrt(var + eps)."""
    generator = torch.Generator().manual_seed(0)
    gamma, beta, mean = (torch.randn(4, generator=generator, dtype=torch.float64) for _ in range(3))
    variance = torch.rand(4, generator=generator, dtype=torch.float64) + 0.5
    gamma[1] = beta[1] = 0
    real = torch.batch_norm(
        torch.zeros(1, 4, 1, 1, dtype=torch.float64), gamma, beta, mean, variance, False, 0.1, 1e-3, False
    )
    vectors = [Tensor((4,), vector=vector.numpy()) for vector in (gamma, beta, mean, variance)]
    ours, *_ = RULES["native_batch_norm"](Tensor((1, 4, 1, 1), np.zeros((1, 4, 1, 1))), *vectors, False, 0.1, 1e-3)
    assert ours.state is not None
    np.testing.assert_allclose(np.ravel(ours.state), real.flatten().numpy(), rtol=1e-12)
    assert ours.active == 3


def test_convolution_knows_which_filters_meet_which_channels() -> None:
    """Only a non-zero kernel slice over a channel that emits makes an output channel vary."""
    weight = torch.zeros(4, 3, 1, 1)
    weight[0, 0] = weight[1, 1] = weight[3, :] = 1
    image = torch.zeros(1, 3, 2, 2)
    image[:, 1] = 5
    seen = (torch.conv2d(image, weight) != 0).flatten(2).any(2)[0].tolist()

    abstract = Tensor((1, 3, 2, 2), np.array([0.0, np.nan, 0.0]).reshape(1, 3, 1, 1))
    result = convolution.convolution(
        abstract,
        Tensor((4, 3, 1, 1), filter=filter_of(weight)),
        None,
        (1, 1),
        (0, 0),
        (1, 1),
        False,
        (0, 0),
        1,
    )
    assert result.emits.tolist() == seen == [False, True, False, True]


_OURS = {
    *(
        "chunk",
        "overwritten",
        "assert",
        "branch",
        "size_as_number",
        "pad_circular",
        "multi_head_attention",
        "normalize",
    )
}


def test_every_rule_is_reached_by_name() -> None:
    """The table's names are ATen's, but for some that the tracer gives; a typo would silently freeze channels."""
    for name in RULES.keys() - _OURS:
        assert hasattr(torch.ops.aten, name), name
