"""Rules that rearrange entries: the very entries end up where PyTorch puts them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from tests.channels.abstract import check, real, shapes, tensors
from tests.examples import at_least
from yolo_prune_check.channels.rules import LAYOUT, RULES
from yolo_prune_check.channels.tensors import Tensor

Numbers = st.DataObject
Case = tuple[str, int, Callable[[Any], tuple[Any, ...]], Callable[..., Any]]

AXIS = st.integers(-3, 2)
SIZES = st.lists(st.sampled_from([-1, 1, 2, 3, 4, 6]), min_size=1, max_size=4).filter(lambda s: s.count(-1) < 2)

# name, rank, how to draw the arguments behind the tensor, the operator
ONE: list[Case] = [
    ("view", 3, lambda d: (d(SIZES),), lambda x, size: x.reshape(size)),
    ("flatten", 3, lambda d: d(st.sampled_from([(0, -1), (1, 2), (0, 1), (1,), (-2, -1)])), torch.flatten),
    ("unflatten", 3, lambda d: (1, d(st.sampled_from([(1, 2), (2, 2), (2, 1, 1)]))), lambda x, a, s: x.unflatten(a, s)),
    ("transpose", 3, lambda d: (d(AXIS), d(AXIS)), torch.transpose),
    ("t", 2, lambda d: (), torch.t),
    ("permute", 3, lambda d: (d(st.permutations([0, 1, -1])),), torch.permute),
    ("unsqueeze", 2, lambda d: (d(AXIS),), torch.unsqueeze),
    ("squeeze", 3, lambda d: d(st.sampled_from([(), (1,), (-1,), ((0, 2),)])), torch.squeeze),
    ("pixel_shuffle", 4, lambda d: (d(st.integers(1, 2)),), F.pixel_shuffle),
    ("pixel_unshuffle", 4, lambda d: (d(st.integers(1, 2)),), F.pixel_unshuffle),
    ("channel_shuffle", 4, lambda d: (d(st.integers(1, 3)),), F.channel_shuffle),
    ("expand", 3, lambda d: ([d(st.sampled_from([-1, 1, 2, 3, 4])) for _ in range(3)],), lambda x, s: x.expand(s)),
    ("expand", 2, lambda d: ([2, *(d(st.sampled_from([-1, 1, 2, 3])) for _ in range(2))],), lambda x, s: x.expand(s)),
    ("repeat", 2, lambda d: (d(st.lists(st.integers(1, 3), min_size=1, max_size=3)),), lambda x, r: x.repeat(r)),
    ("repeat_interleave", 3, lambda d: (d(st.integers(1, 3)), d(AXIS)), torch.repeat_interleave),
    ("flip", 3, lambda d: (d(st.sampled_from([[0], [1, 2], [-1]])),), torch.flip),
    ("roll", 3, lambda d: d(st.sampled_from([((1,), ()), ((2,), (1,)), ((1, -1), (0, 2))])), torch.roll),
    (
        "constant_pad_nd",
        3,
        lambda d: (d(st.sampled_from([(1, 0), (0, 2, 1, 1), (0, 0, 2, 0), (-1, 1)])), d(st.sampled_from([0.0, 1.5]))),
        lambda x, pad, value: F.pad(x, pad, value=value),
    ),
    ("reflection_pad2d", 4, lambda d: ((0, 0, 0, 0),), lambda x, pad: F.pad(x, pad, "reflect")),
    ("replication_pad2d", 4, lambda d: ((1, 0, 2, 1),), lambda x, pad: F.pad(x, pad, "replicate")),
    ("chunk", 3, lambda d: (d(st.integers(1, 4)), d(AXIS)), torch.chunk),
    ("split", 3, lambda d: (d(st.integers(1, 4)), d(AXIS)), torch.ops.aten.split),
    (
        "split_with_sizes",
        3,
        lambda d: (d(st.lists(st.integers(0, 3), min_size=1, max_size=3)), d(AXIS)),
        torch.ops.aten.split_with_sizes,
    ),
    ("unbind", 3, lambda d: (d(AXIS),), torch.unbind),
    (
        "slice",
        3,
        lambda d: (d(AXIS), *(d(st.none() | st.integers(-5, 5)) for _ in range(2)), d(st.integers(1, 3))),
        torch.ops.aten.slice,
    ),
    ("narrow", 3, lambda d: (d(AXIS), d(st.integers(-5, 5)), d(st.integers(0, 4))), torch.narrow),
    ("select", 3, lambda d: (1, d(st.integers(-4, 3))), lambda x, a, i: x[:, i]),
]


@pytest.mark.parametrize(("name", "rank", "arguments", "operator"), ONE, ids=[f"{c[0]}-{c[1]}" for c in ONE])
@at_least(40)
@given(data=st.data())
def test_rearranging_one_tensor(
    name: str, rank: int, arguments: Callable[[Any], tuple[Any, ...]], operator: Callable[..., Any], data: Numbers
) -> None:
    x = data.draw(tensors(data.draw(shapes(rank))))
    options = arguments(data.draw)
    exact = name != "constant_pad_nd"
    check(lambda t: RULES[name](t, *options), lambda t: operator(t, *options), x, exact=exact)


@pytest.mark.parametrize(("name", "rank", "arguments", "operator"), ONE, ids=[f"{c[0]}-{c[1]}" for c in ONE])
@at_least(40)
@given(data=st.data())
def test_rearranging_whole_numbers(
    name: str, rank: int, arguments: Callable[[Any], tuple[Any, ...]], operator: Callable[..., Any], data: Numbers
) -> None:
    """Rules of ``LAYOUT`` carry channel numbers as well; -1 stands for none."""
    shape, options = data.draw(shapes(rank)), arguments(data.draw)
    numbers = np.arange(np.prod(shape)).reshape(shape)
    if name == "constant_pad_nd":
        options = (options[0], -1)
    try:
        found = operator(torch.from_numpy(numbers), *options)
    except (RuntimeError, IndexError):
        return
    assert name in LAYOUT
    ours = RULES[name](Tensor(shape, numbers), *options)
    pairs = [(ours, found)] if isinstance(ours, Tensor) else list(zip(ours, found, strict=True))
    for piece, expected in pairs:
        if 0 in piece.shape:
            continue
        assert piece.state is not None
        assert piece.state.dtype == numbers.dtype
        np.testing.assert_array_equal(np.broadcast_to(piece.state, piece.shape), expected.numpy())


@pytest.mark.parametrize("name", ["cat", "stack"])
@at_least(40)
@given(data=st.data())
def test_joining(name: str, data: Numbers) -> None:
    first, dim = list(data.draw(shapes(3, 3))), data.draw(AXIS)
    parts = []
    for _ in range(data.draw(st.integers(1, 3))):
        shape = list(first)
        if name == "cat":
            shape[dim] = data.draw(st.integers(0, 3))
        if data.draw(st.integers(0, 9)) == 0:
            shape[data.draw(AXIS)] = 2
        parts.append(data.draw(tensors(shape)))
    operator = {"cat": torch.cat, "stack": torch.stack}[name]
    check(lambda *t: RULES[name](t, dim), lambda *t: operator(t, dim), *parts)


@at_least(40)
@given(data=st.data())
def test_joining_numbers_with_nothing_known(data: Numbers) -> None:
    x = Tensor((1, 2, 3), np.arange(2).reshape(1, 2, 1))
    ours = RULES["cat"]((x, Tensor((1, 3, 3))), 1)
    assert ours.state is not None
    assert ours.state.ravel().tolist() == [0, 1, -1, -1, -1]


@at_least(40)
@given(data=st.data())
def test_picking_by_known_numbers(data: Numbers) -> None:
    shape = data.draw(shapes(3))
    axis = data.draw(st.integers(0, 2))
    chosen = np.array(data.draw(st.lists(st.integers(-2, 4), min_size=1, max_size=3)), dtype=np.int64)
    indices = (*(None,) * axis, Tensor(chosen.shape, chosen.astype(np.float64)))
    places = (slice(None),) * axis
    check(
        lambda x: RULES["index"](x, indices),
        lambda x: x[(*places, torch.from_numpy(chosen))],
        data.draw(tensors(shape)),
    )


@at_least(40)
@given(data=st.data())
def test_picking_by_numbers_that_vary(data: Numbers) -> None:
    x = data.draw(tensors(data.draw(shapes(3))))
    one, two = data.draw(shapes(1)), data.draw(shapes(1))
    index = [torch.zeros(n, dtype=torch.int64) for n in (one, two)]
    for first, second, names in ((0, 1, "01"), (0, 2, "02"), (1, 2, "12")):
        ours: list[Tensor | None] = [None] * 3
        theirs: list[Any] = [slice(None)] * 3
        ours[first], ours[second] = Tensor(one), Tensor(two)
        theirs[first], theirs[second] = index
        if 1 in one + two or one == two:
            assert RULES["index"](x, ours).shape == tuple(real(x, 0)[tuple(theirs)].shape), names


@at_least(40)
@given(data=st.data())
def test_assigning_to_a_slice(data: Numbers) -> None:
    x = data.draw(tensors(data.draw(shapes(3))))
    steps = (
        data.draw(st.none() | st.integers(-3, 3)),
        data.draw(st.none() | st.integers(-3, 4)),
        data.draw(st.integers(1, 2)),
    )
    axis = data.draw(st.integers(0, 2))
    target = RULES["slice"](x, axis, *steps)
    shape = tuple(n if data.draw(st.booleans()) else data.draw(st.integers(1, 2)) for n in target.shape)
    source = data.draw(tensors(shape))

    def assign(base: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
        base[(slice(None),) * axis + (slice(*steps),)] = new
        return base

    check(lambda base, new: RULES["slice_scatter"](base, new, axis, *steps), assign, x, source)


@at_least(40)
@given(data=st.data())
def test_assigning_to_an_entry(data: Numbers) -> None:
    x = data.draw(tensors(data.draw(shapes(3))))
    number = data.draw(st.integers(-x.shape[1], x.shape[1] - 1))
    source = data.draw(tensors((x.shape[0], x.shape[2])))

    def assign(base: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
        base[:, number] = new
        return base

    check(lambda base, new: RULES["select_scatter"](base, new, 1, number), assign, x, source)
