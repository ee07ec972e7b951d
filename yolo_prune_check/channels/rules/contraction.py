"""Matrix products: an entry is silent where every product has a silent factor, constant where all that adds up is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from yolo_prune_check.channels.program import FloatArray
from yolo_prune_check.channels.rules.elementwise import add, broadcast
from yolo_prune_check.channels.rules.layout import squeeze, unsqueeze
from yolo_prune_check.channels.rules.memory import Memory, by_rows, folds
from yolo_prune_check.channels.rules.tiling import check_expand
from yolo_prune_check.channels.tensors import Breaks, State, Tensor, known, listed, spread, stated

Product = Callable[[FloatArray, FloatArray], FloatArray]


def bilinear(product: Product, a: State, b: State, times: int = 1) -> State:
    """State of a sum of products of entries of ``a`` and ``b``, each of which is there ``times`` times."""
    value = product(np.nan_to_num(a, nan=0.0), np.nan_to_num(b, nan=0.0)) * times
    varies = np.isnan(a).astype(np.float64), np.isnan(b).astype(np.float64)
    heard = (a != 0).astype(np.float64), (b != 0).astype(np.float64)
    reached = product(varies[0], heard[1]) + product(heard[0], varies[1])
    return np.where(reached * times > 0, np.nan, value)


def _multiplied(a: Tensor, b: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Product of the last two axes, whose sizes fit."""
    left, right, length = known(a), known(b), a.shape[-1]
    if left is None and right is None and length:
        return Tensor(shape)
    left = np.full((1,) * len(a.shape), np.nan) if left is None else left
    right = np.full((1,) * len(b.shape), np.nan) if right is None else right
    if length == 0:
        return Tensor(shape, np.zeros((1,) * len(shape)))
    count = max(left.shape[-1], right.shape[-2])
    left, right = spread(left, left.ndim - 1, count), spread(right, right.ndim - 2, count)
    state = bilinear(np.matmul, left, right, length // count)
    return stated(shape, state.reshape((1,) * (len(shape) - state.ndim) + state.shape))


def _fit_rows(name: str, rows: int, a: int, b: tuple[int, int]) -> None:
    if a != b[0]:
        words = f"{name}: mat1 and mat2 shapes cannot be multiplied ({rows}x{a} and {b[0]}x{b[1]})"
        raise Breaks("linear", b[0], a, words)


def _fit_batch(batch: int, a: int, b: Sequence[int]) -> None:
    if [batch, a] != list(b):
        words = f"Expected size for first two dimensions of batch2 tensor to be: [{batch}, {a}] but got: {listed(b)}."
        raise Breaks("linear", [batch, a], list(b), words)


def mm(a: Tensor, b: Tensor) -> Tensor:
    """``aten.mm``: two matrices."""
    _fit_rows("mm", a.shape[0], a.shape[1], (b.shape[0], b.shape[1]))
    return _multiplied(a, b, (a.shape[0], b.shape[1]))


def bmm(a: Tensor, b: Tensor) -> Tensor:
    """``aten.bmm``: matrices of equal batch size."""
    _fit_batch(a.shape[0], a.shape[2], b.shape[:2])
    return _multiplied(a, b, (a.shape[0], a.shape[1], b.shape[2]))


def addmm(bias: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """``aten.addmm``: a matrix product and something that broadcasts to it."""
    _fit_rows("addmm", a.shape[0], a.shape[1], (b.shape[0], b.shape[1]))
    product = _multiplied(a, b, (a.shape[0], b.shape[1]))
    check_expand(bias.shape, product.shape)
    return _weighed(bias, beta, product, alpha)


def baddbmm(bias: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """``aten.baddbmm``: products of matrices and something that broadcasts to them."""
    check_expand(bias.shape, (a.shape[0], a.shape[1], b.shape[2]))  # PyTorch looks at it first here, unlike addmm
    return _weighed(bias, beta, bmm(a, b), alpha)


def _weighed(bias: Tensor, beta: float, product: Tensor, alpha: float) -> Tensor:
    if alpha != 1 and product.state is not None:
        product = Tensor(product.shape, product.state * alpha)
    return add(product, bias, alpha=beta)


def matmul(a: Tensor, b: Tensor, *, memory: Memory | None = None) -> Tensor:
    """``torch.matmul`` of any number of axes.

    Args:
        a: Left operand.
        b: Right operand.
        memory: How ``a`` lay in memory; it only decides the words of an error: where all axes but the last lie there
            as if they were one, PyTorch multiplies two matrices, else a batch of them.
    """
    if len(a.shape) == 1 and len(b.shape) == 1:
        if a.shape != b.shape:
            n, m = a.shape[0], b.shape[0]
            words = f"inconsistent tensor size, expected tensor [{n}] and src [{m}] to have the same number of elements"
            raise Breaks("linear", n, m, f"{words}, but got {n} and {m} elements respectively")
        return squeeze(matmul(unsqueeze(a, 0), unsqueeze(b, 1)), (0, 1))
    if len(a.shape) == 1:
        return squeeze(matmul(unsqueeze(a, 0), b), -2)
    if len(b.shape) == 1:
        rows, length = math.prod(a.shape[:-1]), a.shape[-1]
        if length != b.shape[0]:
            words = f"size mismatch, got input ({rows}), mat ({rows}x{length}), vec ({b.shape[0]})"
            raise Breaks("linear", length, b.shape[0], words)
        return squeeze(matmul(a, unsqueeze(b, 1)), -1)
    if len(b.shape) == 2 and (len(a.shape) == 2 or folds(a.shape, memory)):
        _fit_rows("mm", math.prod(a.shape[:-1]), a.shape[-1], (b.shape[0], b.shape[1]))
        return _multiplied(a, b, (*a.shape[:-1], b.shape[1]))
    lead = broadcast(a.shape[:-2], b.shape[:-2])
    batch = math.prod(lead)
    _fit_batch(batch, a.shape[-1], (batch, b.shape[-2]))
    return _multiplied(a, b, (*lead, a.shape[-2], b.shape[-1]))


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, memory: Memory | None = None) -> Tensor:
    """``torch.nn.functional.linear``: the last axis times the rows of a weight.

    Args:
        x: ``(..., in)``.
        weight: ``(out, in)``.
        bias: ``(out,)``.
        memory: How ``x`` lay in memory; it only decides the words of an error, as for ``matmul``.
    """
    out, width = weight.shape
    rows = math.prod(x.shape[:-1])
    direct = bias is not None and (len(x.shape) <= 2 or by_rows(x.shape, memory))
    if direct or len(x.shape) <= 2 or folds(x.shape, memory):
        _fit_rows("addmm" if direct else "mm", rows, x.shape[-1], (width, out))
    else:
        batch = math.prod(x.shape[:-2])
        _fit_batch(batch, x.shape[-1], (batch, width))
    shape = (*x.shape[:-1], out)
    if bias is not None:
        if direct:
            check_expand(bias.shape, (rows, out))
        else:
            broadcast(shape, bias.shape)
    state = _mapped(x, weight)
    if state is None:
        return Tensor(shape)
    shift = 0.0 if bias is None else np.nan if bias.vector is None else bias.vector
    return stated(shape, state + shift)


def _mapped(x: Tensor, weight: Tensor) -> State | None:
    state, known_weight = known(x), weight.filter
    if state is None and (known_weight is None or known_weight.dense):
        return None
    out, width = weight.shape
    wide = np.full((1,) * len(x.shape), np.nan) if state is None else state
    wide = spread(wide, wide.ndim - 1, width)
    if known_weight is None:
        weights: FloatArray = np.full((1, width), np.nan)
    elif known_weight.values is not None:
        weights = known_weight.values.at(np.arange(out))
    else:
        support = known_weight.live[:, None] if known_weight.support is None else known_weight.support
        weights = np.where(np.broadcast_to(support, (out, width)), np.nan, 0.0)
    return bilinear(np.matmul, wide, weights.T)


def einsum(equation: str, operands: Sequence[Tensor], *options: Any, **named: Any) -> Tensor:
    """``torch.einsum`` of two operands without dots or repeated letters."""
    left, _, right = equation.replace(" ", "").partition("->")
    letters = left.split(",")
    sizes: dict[str, int] = {}
    for number, (names, operand) in enumerate(zip(letters, operands, strict=True)):
        for name, size in zip(names, operand.shape, strict=True):
            seen = sizes.get(name, 1)
            if size not in (1, seen) and seen != 1:
                words = f"einsum(): subscript {name} has size {size} for operand {number} which does not broadcast "
                raise Breaks("linear", seen, size, f"{words}with previously seen size {seen}")
            sizes[name] = max(seen, size) if size else 0
    shape = tuple(sizes[name] for name in right)
    states = [known(operand) for operand in operands]
    if all(state is None for state in states):
        return Tensor(shape)
    a, b = (
        np.full((1,) * len(operand.shape), np.nan) if state is None else state
        for state, operand in zip(states, operands, strict=True)
    )
    written = {
        name for names, s in zip(letters, (a, b), strict=True) for n, name in zip(s.shape, names, strict=True) if n > 1
    }
    for axis, name in enumerate(letters[0]):
        a = spread(a, axis, sizes[name]) if name in written else a
    for axis, name in enumerate(letters[1]):
        b = spread(b, axis, sizes[name]) if name in written else b
    times = math.prod(size for name, size in sizes.items() if name not in right and name not in written)
    return stated(shape, bilinear(lambda p, q: np.asarray(np.einsum(equation, p, q)), a, b, times))


def attention(q: Tensor, k: Tensor, v: Tensor, *options: Any, **named: Any) -> Tensor:
    """``torch.nn.functional.scaled_dot_product_attention``: weighted means of the values, weights adding up to 1."""
    lead = broadcast(q.shape[:-2], k.shape[:-2])
    _fit_batch(math.prod(lead), q.shape[-1], (math.prod(lead), k.shape[-1]))
    shape, state = (*lead, q.shape[-2], v.shape[-1]), known(v)
    if state is None:
        return Tensor(shape)
    if state.shape[-2] > 1:  # a mean of equal constants is that constant
        first = state[..., :1, :]
        state = np.where((state == first).all(-2, keepdims=True), first, np.nan)
    return stated(shape, state)


def _fused_attention(q: Tensor, k: Tensor, v: Tensor, *options: Any, **named: Any) -> tuple[Tensor, Tensor]:
    return attention(q, k, v), Tensor(q.shape[:-1])


def cdist(a: Tensor, b: Tensor, *options: Any, **named: Any) -> Tensor:
    """``torch.cdist``: distances between all rows."""
    if a.shape[-1] != b.shape[-1]:
        words = f"X1 and X2 must have the same number of columns. X1: {a.shape[-1]} X2: {b.shape[-1]}"
        raise Breaks("linear", a.shape[-1], b.shape[-1], words)
    return Tensor((*broadcast(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-2]))


def tensordot(a: Tensor, b: Tensor, dims: int | Sequence[Sequence[int]] = 2, **named: Any) -> Tensor:
    """``torch.tensordot``: a sum of products over some axes of both; one of size 1 fits any other."""
    first, second = (range(-dims, 0), range(dims)) if isinstance(dims, int) else dims
    for left, right in zip(first, second, strict=True):
        m, n = a.shape[left], b.shape[right]
        if m != n and 1 not in (m, n):
            words = f"contracted dimensions need to match, but first has size {m} in dim {left} and second has size "
            raise Breaks("linear", m, n, f"{words}{n} in dim {right}")
    return Tensor((*_uncontracted(a.shape, first), *_uncontracted(b.shape, second)))


def _uncontracted(shape: Sequence[int], dims: Sequence[int]) -> list[int]:
    gone = {dim % len(shape) for dim in dims}
    return [size for axis, size in enumerate(shape) if axis not in gone]


RULES: dict[str, Callable[..., Any]] = {
    "mm": mm,
    "bmm": bmm,
    "addmm": addmm,
    "baddbmm": baddbmm,
    "matmul": matmul,
    "linear": linear,
    "einsum": einsum,
    "cdist": cdist,
    "tensordot": tensordot,
    "scaled_dot_product_attention": attention,
    "_scaled_dot_product_flash_attention_for_cpu": _fused_attention,
}
