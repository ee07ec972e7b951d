"""Rules of convolution, normalisation, activation, pooling and upsampling on any state, against PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from tests.channels.abstract import check, shapes, tensors, vector, weight_of
from tests.examples import at_least
from yolo_prune_check.channels.rules import RULES
from yolo_prune_check.channels.tensors import Tensor

Numbers = st.DataObject
SIZE = st.integers(1, 3)
NUMBERS = st.sampled_from([0.0, 0.0, 1.0, -0.5, 2.0])


def draw_numbers(data: Numbers, *shape: int) -> torch.Tensor:
    count = int(np.prod(shape))
    drawn = data.draw(st.lists(NUMBERS, min_size=count, max_size=count))
    return torch.tensor(drawn, dtype=torch.float64).reshape(shape)


@pytest.mark.parametrize("values", [True, False])
@at_least(150)
@given(data=st.data())
def test_convolution(values: bool, data: Numbers) -> None:
    """Exact where the weight is known; else a filter that only constants reach counts as varying."""
    groups, each, width, kernel = data.draw(SIZE), data.draw(SIZE), data.draw(st.integers(1, 2)), data.draw(SIZE)
    stride, padding, dilation = data.draw(st.integers(1, 2)), data.draw(st.integers(0, 2)), data.draw(st.integers(1, 2))
    # A whole kernel slice is zero or is not: within one, PyTorch's zeros are no concern of the rule.
    dense = torch.from_numpy(np.random.default_rng(data.draw(st.integers(0, 9))).normal(size=(kernel, kernel)))
    weight = draw_numbers(data, groups * each, width, 1, 1) * dense
    bias = draw_numbers(data, groups * each) if data.draw(st.booleans()) else None
    x = data.draw(tensors((1, groups * width, data.draw(st.integers(1, 5)), 4)))
    if x.state is not None and data.draw(st.booleans()):  # one state a channel is the usual case
        x = Tensor(x.shape, x.state[:, :, :1, :1])
        x = Tensor(x.shape, None if x.state is None or np.isnan(x.state).all() else x.state)
    uniform = x.state is None or x.state.shape[2:] == (1, 1)
    known = weight_of(weight, values=values)
    check(
        lambda t: RULES["convolution"](
            t, known, None if bias is None else vector(bias), *([n] * 2 for n in (stride, padding, dilation)), False,
            [0, 0], groups
        ),
        lambda t: torch.conv2d(t, weight, bias, stride, padding, dilation, groups),
        x,
        # With much padding a window may lie in the padding altogether.
        exact=values and uniform and padding <= dilation * (kernel - 1) and not (padding and dilation > 1),
    )  # fmt: skip


@at_least(40)
@given(data=st.data())
def test_convolution_of_one_axis(data: Numbers) -> None:
    weight, x = draw_numbers(data, 2, data.draw(SIZE), 2), data.draw(tensors((2, data.draw(SIZE), 5)))
    known = weight_of(weight, values=True)
    check(
        lambda t: RULES["convolution"](t, known, None, [2], [1], [1], False, [0], 1),
        lambda t: torch.conv1d(t, weight, None, 2, 1),
        x,
        exact=False,
    )


@at_least(80)
@given(data=st.data())
def test_transposed_convolution(data: Numbers) -> None:
    groups, each, width = data.draw(SIZE), data.draw(SIZE), data.draw(SIZE)
    kernel, stride = data.draw(st.integers(2, 3)), data.draw(st.integers(1, 2))
    weight = draw_numbers(data, groups * width, each, 1, 1).expand(-1, -1, kernel, kernel).contiguous()
    bias = draw_numbers(data, data.draw(st.sampled_from([groups * each, groups * each, 2])))
    x = data.draw(tensors((1, data.draw(st.sampled_from([groups * width, groups * width, 2])), 3, 2)))
    check(
        lambda t: RULES["convolution"](
            t, weight_of(weight, values=False), vector(bias), [stride] * 2, [0, 0], [1, 1], True, [0, 0], groups
        ),
        lambda t: F.conv_transpose2d(t, weight, bias, stride, 0, 0, groups),
        x,
        exact=False,
    )


@pytest.mark.parametrize("running", [True, False])
@at_least(60)
@given(data=st.data())
def test_batch_norm(running: bool, data: Numbers) -> None:
    channels = data.draw(SIZE)
    gamma, beta, mean = (draw_numbers(data, channels) for _ in range(3))
    variance = torch.ones(channels, dtype=torch.float64)
    x = data.draw(tensors((2, data.draw(st.sampled_from([channels, channels, 2])), 2, 2)))
    numbers = (gamma, beta, mean, variance) if running else (gamma, beta, None, None)
    known = [None if n is None else vector(n) for n in numbers]
    check(
        lambda t: RULES["native_batch_norm"](t, *known, not running, 0.1, 1e-3)[0],
        lambda t: F.batch_norm(t, numbers[2], numbers[3], gamma, beta, not running, 0.1, 1e-3),
        x,
        exact=running,
        rounded=not running,
    )


@at_least(80)
@given(data=st.data())
def test_layer_norm(data: Numbers) -> None:
    shape = data.draw(shapes(3, 3))
    count = data.draw(st.integers(1, 2))
    sizes = data.draw(st.sampled_from([shape[-count:]] * 3 + [(2,)]))
    other = data.draw(st.sampled_from([sizes] * 4 + [(2,)]))
    weight, bias = draw_numbers(data, *sizes), draw_numbers(data, *other)
    ours = [Tensor(tuple(n.shape), n.numpy()) for n in (weight, bias)]
    check(
        lambda t: RULES["native_layer_norm"](t, sizes, *ours, 1e-3)[0],
        lambda t: F.layer_norm(t, sizes, weight, bias, 1e-3),
        data.draw(tensors(shape)),
        exact=bool(np.prod(sizes) > 1),
        rounded=True,
    )
    check(
        lambda t: RULES["native_layer_norm"](t, sizes, None, None, 1e-3),
        lambda t: torch.native_layer_norm(t, sizes, None, None, 1e-3),
        data.draw(tensors(shape)),
        exact=False,
        rounded=True,
    )


@at_least(80)
@given(data=st.data())
def test_group_norm(data: Numbers) -> None:
    groups, each = data.draw(SIZE), data.draw(SIZE)
    channels = data.draw(st.sampled_from([groups * each] * 3 + [2]))
    weight, bias = (draw_numbers(data, data.draw(st.sampled_from([channels] * 4 + [3]))) for _ in range(2))
    check(
        lambda t: RULES["native_group_norm"](t, vector(weight), vector(bias), 0, 0, 0, groups, 1e-3)[0],
        lambda t: F.group_norm(t, groups, weight, bias, 1e-3),
        data.draw(tensors((2, channels, 2, 2))),
        rounded=True,
    )


FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "silu": (F.silu, ()),
    "relu": (F.relu, ()),
    "leaky_relu": (F.leaky_relu, (0.1,)),
    "hardswish": (F.hardswish, ()),
    "hardsigmoid": (F.hardsigmoid, ()),
    "hardtanh": (F.hardtanh, (0.0, 6.0)),
    "sigmoid": (torch.sigmoid, ()),
    "tanh": (torch.tanh, ()),
    "gelu": (F.gelu, ()),
    "elu": (F.elu, (0.5,)),
    "mish": (F.mish, ()),
    "softplus": (F.softplus, (2.0, 3.0)),
    "exp": (torch.exp, ()),
    "cos": (torch.cos, ()),
    "sin": (torch.sin, ()),
    "abs": (torch.abs, ()),
    "neg": (torch.neg, ()),
    "clamp": (torch.clamp, (-0.5, 1.0)),
    "clamp_min": (torch.clamp_min, (0.25,)),
    "clamp_max": (torch.clamp_max, (0.25,)),
    "floor": (torch.floor, ()),
    "ceil": (torch.ceil, ()),
    "round": (torch.round, ()),
    "erf": (torch.erf, ()),
}
POSITIVE: dict[str, Callable[..., Any]] = {
    "log": torch.log, "sqrt": torch.sqrt, "rsqrt": torch.rsqrt, "reciprocal": torch.reciprocal
}  # fmt: skip


@pytest.mark.parametrize("name", [*FUNCTIONS, *POSITIVE])
def test_functions_of_constants(name: str) -> None:
    operator, options = FUNCTIONS[name] if name in FUNCTIONS else (POSITIVE[name], ())
    numbers = [0.0, -4.0, -0.5, 0.25, 7.0, 30.0] if name in FUNCTIONS else [0.25, 1.0, 7.0]
    state = np.array([*numbers, np.nan]).reshape(1, -1, 1, 1)
    ours = RULES[name](Tensor((1, len(numbers) + 1, 2, 2), state), *options).state.ravel()
    np.testing.assert_allclose(ours[:-1], operator(torch.tensor(numbers, dtype=torch.float64), *options), rtol=1e-12)
    assert np.isnan(ours[-1])


@pytest.mark.parametrize("name", ["log", "sqrt", "rsqrt"])
def test_functions_of_what_they_are_not_defined_for(name: str) -> None:
    """All entries are NaN then, and a state of which nothing is known is None."""
    below = np.array([-4.0, -0.5]).reshape(1, 2, 1, 1)
    assert RULES[name](Tensor((1, 2, 2, 2), below)).state is None
    known = RULES[name](Tensor((1, 2, 2, 2), np.abs(below))).state
    assert known is not None
    assert not np.isnan(known).any()


def test_gelu_by_tanh() -> None:
    ours = RULES["gelu"](Tensor((3,), np.array([0.0, -1.5, 2.0])), approximate="tanh")
    real = F.gelu(torch.tensor([0.0, -1.5, 2.0], dtype=torch.float64), approximate="tanh")
    np.testing.assert_allclose(ours.state, real, rtol=1e-12)


@at_least(40)
@given(data=st.data())
def test_prelu(data: Numbers) -> None:
    channels = data.draw(SIZE)
    slopes = draw_numbers(data, data.draw(st.sampled_from([channels, channels, 1, 2])))
    x = data.draw(tensors((1, channels, 2, 2)))
    check(lambda t: RULES["prelu"](t, vector(slopes)), lambda t: F.prelu(t, slopes), x, exact=False)


@at_least(150)
@given(data=st.data())
def test_pooling(data: Numbers) -> None:
    kernel, stride, ceil = data.draw(SIZE), data.draw(SIZE), data.draw(st.booleans())
    padding = data.draw(st.integers(0, kernel // 2))
    x = data.draw(tensors((1, data.draw(st.integers(0, 2)), data.draw(st.integers(1, 6)), 5)))
    dilation = data.draw(st.integers(1, 2))
    check(
        lambda t: RULES["max_pool2d_with_indices"](t, [kernel], [stride], [padding], [dilation], ceil)[0],
        lambda t: F.max_pool2d(t, kernel, stride, padding, dilation, ceil),
        x,
        exact=False,
    )
    included, divisor = data.draw(st.booleans()), data.draw(st.sampled_from([None, None, 3]))
    check(
        lambda t: RULES["avg_pool2d"](t, [kernel] * 2, [stride] * 2, [padding] * 2, ceil, included, divisor),
        lambda t: F.avg_pool2d(t, kernel, stride, padding, ceil, included, divisor),
        x,
    )


@at_least(60)
@given(data=st.data())
def test_adaptive_pooling(data: Numbers) -> None:
    size = (data.draw(SIZE), data.draw(SIZE))
    x = data.draw(tensors((1, 2, data.draw(st.integers(1, 6)), 5)))
    check(lambda t: RULES["_adaptive_avg_pool2d"](t, size), lambda t: F.adaptive_avg_pool2d(t, size), x)
    check(lambda t: RULES["adaptive_max_pool2d"](t, size)[0], lambda t: F.adaptive_max_pool2d(t, size), x, exact=False)


@at_least(80)
@given(data=st.data())
def test_upsampling(data: Numbers) -> None:
    x = data.draw(tensors((1, data.draw(st.integers(0, 2)), 3, data.draw(SIZE))))
    factor, size = data.draw(st.sampled_from([1.0, 1.5, 2.0, 3.0])), [data.draw(st.integers(2, 7)), 5]
    aligned = data.draw(st.booleans())
    nearest, linear = RULES["upsample_nearest2d"], RULES["upsample_bilinear2d"]
    check(lambda t: nearest(t, None, [factor] * 2), lambda t: F.interpolate(t, scale_factor=factor), x)
    check(lambda t: nearest(t, size, None, None), lambda t: F.interpolate(t, size), x)
    check(
        lambda t: linear(t, None, aligned, [factor] * 2),
        lambda t: F.interpolate(t, scale_factor=factor, mode="bilinear", align_corners=aligned),
        x,
    )
    check(
        lambda t: linear(t, size, aligned, None, None),
        lambda t: F.interpolate(t, size, mode="bilinear", align_corners=aligned),
        x,
    )


def test_upsampling_that_leaves_the_constants_out() -> None:
    """Fewer rows than before: nearest takes rows 0 and 1 of 3, and the constant is in row 2."""
    x = Tensor((1, 1, 3, 1), np.array([[[[np.nan], [np.nan], [0.0]]]]))
    check(lambda t: RULES["upsample_nearest2d"](t, [2, 5], None, None), lambda t: F.interpolate(t, [2, 5]), x)
    assert RULES["upsample_nearest2d"](x, [2, 5], None, None).state is None
