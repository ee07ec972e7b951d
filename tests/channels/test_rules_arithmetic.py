"""Rules that compute: what they call constant is that constant, what they call varying varies."""

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
from yolo_prune_check.channels.rules import RULES, elementwise
from yolo_prune_check.channels.tensors import Tensor

Numbers = st.DataObject
Operator = Callable[..., Any]
SIZE = st.integers(1, 4)
NUMBERS = st.sampled_from([0.0, 0.0, 1.0, -0.5, 2.0])

BINARY: dict[str, tuple[Operator, bool]] = {
    "add": (torch.add, True),
    "sub": (torch.sub, True),
    "rsub": (torch.rsub, True),
    "mul": (torch.mul, True),
    "maximum": (torch.maximum, False),
    "minimum": (torch.minimum, False),
    "lt": (torch.lt, False),
    "ge": (torch.ge, False),
}


def draw_tensor(data: Numbers, *shape: int) -> Tensor:
    return data.draw(tensors(shape))


def draw_numbers(data: Numbers, *shape: int) -> torch.Tensor:
    count = int(np.prod(shape))
    drawn = data.draw(st.lists(NUMBERS, min_size=count, max_size=count))
    return torch.tensor(drawn, dtype=torch.float64).reshape(shape)


@pytest.mark.parametrize("name", BINARY)
@at_least(40)
@given(data=st.data())
def test_elementwise(name: str, data: Numbers) -> None:
    operator, exact = BINARY[name]
    rank = data.draw(st.integers(1, 4))
    first = data.draw(shapes(rank, 3))
    second = tuple(data.draw(st.sampled_from([1, n, n, n, 2])) for n in first[data.draw(st.integers(0, rank - 1)) :])
    pair = [draw_tensor(data, *first), draw_tensor(data, *second)]
    if data.draw(st.booleans()):
        pair.reverse()
    check(RULES[name], operator, *pair, exact=exact)


@at_least(40)
@given(data=st.data())
def test_division_and_powers(data: Numbers) -> None:
    shape = data.draw(shapes(3))
    x = draw_tensor(data, *shape)
    check(RULES["div"], torch.div, x, Tensor(shape))
    check(lambda t: RULES["div"](t, 4.0), lambda t: t / 4.0, x)
    check(lambda t: RULES["pow"](t, 2), lambda t: t**2, x)
    check(lambda t: RULES["mul"](t, 0.0), lambda t: t * 0.0, x)
    check(lambda t: RULES["mul"](t, 3.0), lambda t: t * 3.0, x)
    check(lambda t: RULES["add"](t, t, alpha=2), lambda t: torch.add(t, t, alpha=2), x)
    check(lambda t: RULES["rsub"](t, 1.0), lambda t: torch.rsub(t, 1.0), x)


@at_least(40)
@given(data=st.data())
def test_in_place_operators_do_not_widen_their_operand(data: Numbers) -> None:
    first = data.draw(shapes(data.draw(st.integers(1, 3)), 3))
    second = data.draw(shapes(data.draw(st.integers(1, 3)), 3))
    x, y = draw_tensor(data, *first), draw_tensor(data, *second)
    check(lambda a, b: elementwise.add(a, b, in_place=True), lambda a, b: a.clone().add_(b), x, y)


@at_least(40)
@given(data=st.data())
def test_choice(data: Numbers) -> None:
    shape = data.draw(shapes(3, 3))
    some = tuple(data.draw(st.sampled_from([1, n])) for n in shape)
    condition, a, b = draw_tensor(data, *some), draw_tensor(data, *shape), draw_tensor(data, *shape[1:])
    check(RULES["where"], lambda c, x, y: torch.where(c != 0, x, y), condition, a, b, exact=False)
    fill = lambda x, c: x.masked_fill(c != 0, 1.5)  # noqa: E731
    check(lambda x, c: RULES["masked_fill"](x, c, 1.5), fill, a, condition, exact=False)


def test_learned_factors_and_constants() -> None:
    """A vector of parameters acts along the last axis; a parameter of more axes brings its state."""
    x = Tensor((1, 3, 2, 2))
    columns = RULES["mul"](x, Tensor((2,), vector=np.array([0.0, 2.0])))
    np.testing.assert_array_equal(columns.state, [[[[0, np.nan]]]])
    scale = Tensor((3, 1, 1), np.array([0.0, 1.0, 0.0]).reshape(3, 1, 1))
    assert RULES["mul"](scale, x).emits.tolist() == [False, True, False]
    assert RULES["mul"](x, scale).active == 1


@pytest.mark.parametrize(
    ("name", "operator"),
    [
        ("mm", torch.mm),
        ("matmul", torch.matmul),
    ],
)
@at_least(60)
@given(data=st.data())
def test_matrix_products(name: str, operator: Operator, data: Numbers) -> None:
    n, m, p = data.draw(shapes(3, 3))
    wrong = data.draw(st.sampled_from([m, m, m, 2]))
    check(RULES[name], operator, draw_tensor(data, n, m), draw_tensor(data, wrong, p))


@at_least(60)
@given(data=st.data())
def test_batched_products(data: Numbers) -> None:
    batch, n, m, p = data.draw(shapes(4, 3))
    wrong = data.draw(st.sampled_from([m, m, m, 2]))
    other = data.draw(st.sampled_from([batch, batch, 2]))
    check(RULES["bmm"], torch.bmm, draw_tensor(data, batch, n, m), draw_tensor(data, other, wrong, p))


@at_least(100)
@given(data=st.data())
def test_products_of_any_rank(data: Numbers) -> None:
    n, m, p = data.draw(shapes(3, 3))
    wrong = data.draw(st.sampled_from([m, m, m, m, 2]))
    lead = st.lists(st.sampled_from([1, 2, 2]), max_size=2)
    left = (m,) if data.draw(st.integers(0, 4)) == 0 else (*data.draw(lead), n, m)
    right = (wrong,) if data.draw(st.integers(0, 4)) == 0 else (*data.draw(lead), wrong, p)
    if len(left) < 3 <= len(right):
        right = (*right[:-2], m, p)  # where it does not fit, the words depend on the strides of the batch
    check(RULES["matmul"], torch.matmul, draw_tensor(data, *left), draw_tensor(data, *right))


@at_least(80)
@given(data=st.data())
def test_linear(data: Numbers) -> None:
    width, out = data.draw(SIZE), data.draw(SIZE)
    weight = draw_numbers(data, out, width)
    bias = draw_numbers(data, data.draw(st.sampled_from([out, out, 2]))) if data.draw(st.booleans()) else None
    wrong = data.draw(st.sampled_from([width, width, width, 2]))
    x = draw_tensor(data, *data.draw(st.lists(st.integers(1, 3), max_size=3)), wrong)
    values = data.draw(st.booleans())
    check(
        lambda t: RULES["linear"](t, weight_of(weight, values=values), None if bias is None else vector(bias)),
        lambda t: F.linear(t, weight, bias),
        x,
        exact=values,
    )


@pytest.mark.parametrize("biased", [True, False])
@at_least(60)
@given(data=st.data())
def test_linear_in_another_memory_layout(biased: bool, data: Numbers) -> None:
    """Only the words of the error depend on how the operand lies in memory, and that on which axes are left long."""
    shape, m = data.draw(shapes(3, 3)), data.draw(st.integers(2, 3))
    order, gap = data.draw(st.permutations(range(3))), data.draw(st.booleans())
    weight, bias = torch.ones(2, m, dtype=torch.float64), torch.zeros(2, dtype=torch.float64) if biased else None
    known = weight_of(weight, values=True), None if bias is None else vector(bias)
    memory = tuple((axis, not gap or place != 1) for place, axis in enumerate(order))

    def laid(t: torch.Tensor) -> torch.Tensor:
        inner = t.permute(order)
        space = torch.zeros(inner.shape[0], inner.shape[1], inner.shape[2] + gap, dtype=t.dtype)
        space[:, :, : inner.shape[2]] = inner
        return space[:, :, : inner.shape[2]].permute([order.index(axis) for axis in range(3)])

    check(
        lambda t: RULES["linear"](t, *known, memory=memory),
        lambda t: F.linear(laid(t), weight, bias),
        draw_tensor(data, *shape),
    )


@at_least(40)
@given(data=st.data())
def test_affine_products(data: Numbers) -> None:
    n, m, p = data.draw(shapes(3, 3))
    wrong = data.draw(st.sampled_from([m, m, m, 2]))
    shift = draw_tensor(data, data.draw(st.sampled_from([p, p, 1, 2])))
    check(RULES["addmm"], torch.addmm, shift, draw_tensor(data, n, m), draw_tensor(data, wrong, p))
    batched = draw_tensor(data, 2, n, m), draw_tensor(data, 2, wrong, p)
    check(lambda s, a, b: RULES["baddbmm"](s, a, b, beta=2, alpha=0.5),
          lambda s, a, b: torch.baddbmm(s, a, b, beta=2, alpha=0.5), shift, *batched)  # fmt: skip


@pytest.mark.parametrize("equation", ["bchw,bkc->bkhw", "bnmc,bkmc->bmnk", "bmchw,bnmc->bmhwn", "bmnk,bkmc->bnmc"])
@at_least(20)
@given(data=st.data())
def test_einsum(equation: str, data: Numbers) -> None:
    sizes = {letter: data.draw(st.integers(1, 3)) for letter in sorted(set(equation) - set(",->"))}
    left, right = equation.split("->")[0].split(",")
    x = draw_tensor(data, *(sizes[letter] for letter in left))
    sizes["c"] = data.draw(st.sampled_from([sizes["c"], sizes["c"], 2]))
    y = draw_tensor(data, *(sizes[letter] for letter in right))
    check(lambda a, b: RULES["einsum"](equation, (a, b)), lambda a, b: torch.einsum(equation, a, b), x, y)


@at_least(40)
@given(data=st.data())
def test_attention(data: Numbers) -> None:
    n, m, c, d = data.draw(shapes(4, 3))
    q, k, v = draw_tensor(data, 1, 2, n, c), Tensor((1, 2, m, c)), draw_tensor(data, 1, 2, m, d)
    check(RULES["scaled_dot_product_attention"], F.scaled_dot_product_attention, q, k, v, exact=False)
    wrong = Tensor((1, 2, m, c + 1))
    check(RULES["scaled_dot_product_attention"], F.scaled_dot_product_attention, q, wrong, v, exact=False)


REDUCTIONS: dict[str, tuple[Operator, bool]] = {
    "mean": (torch.mean, True),
    "sum": (torch.sum, True),
    "amax": (torch.amax, False),
    "amin": (torch.amin, False),
    "linalg_vector_norm": (lambda x, dim, keep: torch.linalg.vector_norm(x, 2, dim, keep), True),
}


@pytest.mark.parametrize("name", REDUCTIONS)
@at_least(40)
@given(data=st.data())
def test_reductions(name: str, data: Numbers) -> None:
    operator, exact = REDUCTIONS[name]
    dim, keep = data.draw(st.sampled_from([(1,), (0,), (-1, -2), (0, 1, 2)])), data.draw(st.booleans())
    order = (2,) if name == "linalg_vector_norm" else ()
    x = draw_tensor(data, *data.draw(shapes(3)))
    check(lambda t: RULES[name](t, *order, dim, keep), lambda t: operator(t, dim, keep), x, exact=exact)


@at_least(40)
@given(data=st.data())
def test_reductions_of_all_and_of_one_axis(data: Numbers) -> None:
    x, axis = draw_tensor(data, *data.draw(shapes(3))), data.draw(st.integers(-3, 2))
    check(RULES["mean"], torch.mean, x)
    check(RULES["sum"], torch.sum, x)
    check(RULES["max"], torch.max, x, exact=False)
    check(lambda t: RULES["max"](t, axis, True), lambda t: torch.max(t, axis, True), x, exact=False)
    check(lambda t: RULES["min"](t, axis), lambda t: torch.min(t, axis), x, exact=False)
    check(lambda t: RULES["var"](t, [axis]), lambda t: torch.var(t, [axis], correction=0), x, exact=False)
    check(lambda t: RULES["argmax"](t, axis), lambda t: torch.argmax(t, axis), x, exact=False)
    check(lambda t: RULES["cumsum"](t, axis), lambda t: torch.cumsum(t, axis), x)
    check(lambda t: RULES["_log_softmax"](t, axis, False), lambda t: torch.log_softmax(t, axis), x, exact=False)
    check(lambda t: RULES["_softmax"](t, axis, False), lambda t: torch.softmax(t, axis), x, exact=False)
    check(lambda t: RULES["topk"](t, 2, axis), lambda t: torch.topk(t, 2, axis), x, exact=False)
    check(lambda t: RULES["sort"](t, axis), lambda t: torch.sort(t, axis), x, exact=False)


@at_least(40)
@given(data=st.data())
def test_gather(data: Numbers) -> None:
    shape = data.draw(shapes(3))
    picked = tuple(data.draw(st.sampled_from([n, n, 1, 2])) for n in shape)
    axis = data.draw(st.integers(0, 2))
    numbers = torch.zeros(picked, dtype=torch.int64)
    check(
        lambda t: RULES["gather"](t, axis, Tensor(picked)),
        lambda t: torch.gather(t, axis, numbers),
        draw_tensor(data, *shape),
        exact=False,
    )


@at_least(30)
@given(data=st.data())
def test_grid_sample(data: Numbers) -> None:
    n, c, h, w = data.draw(shapes(4, 3))
    places = (data.draw(st.sampled_from([n, n, 2])), 2, 3, data.draw(st.sampled_from([2, 2, 2, 3])))
    check(
        lambda x, g: RULES["grid_sampler_2d"](x, g, 0, 0, False),
        lambda x, g: F.grid_sample(x, g, align_corners=False),
        draw_tensor(data, n, c, h, w),
        Tensor(places),
        exact=False,
    )
