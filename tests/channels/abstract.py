"""Rules against PyTorch: tensors that are drawn abstractly, made real twice, and compared behind the operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

from yolo_prune_check.channels.numbers import Numbers
from yolo_prune_check.channels.program import Filter
from yolo_prune_check.channels.tensors import Breaks, Tensor

NAN = float("nan")
ENTRIES = st.sampled_from([0.0, 0.0, NAN, NAN, 1.5, -0.8])


@st.composite
def tensors(draw: st.DrawFn, shape: Sequence[int]) -> Tensor:
    """A tensor of this shape with any state."""
    sizes = [draw(st.sampled_from(sorted({1, n}))) if n else 1 for n in shape]
    if draw(st.integers(0, 4)) == 0:
        return Tensor(tuple(shape))
    count = int(np.prod(sizes))
    entries = draw(st.lists(ENTRIES, min_size=count, max_size=count))
    state = np.array(entries, dtype=np.float64).reshape(sizes)
    return Tensor(tuple(shape), None if np.isnan(state).all() else state)


def shapes(rank: int, largest: int = 4) -> st.SearchStrategy[tuple[int, ...]]:
    """Shapes of one rank."""
    return st.tuples(*(st.integers(1, largest) for _ in range(rank)))


def real(tensor: Tensor, seed: int) -> torch.Tensor:
    """A tensor of these constants, other entries drawn at random."""
    drawn = np.random.default_rng(seed).normal(size=tensor.shape) + 0.1
    if tensor.state is None:
        return torch.from_numpy(np.asarray(drawn))
    state = np.broadcast_to(tensor.state, tensor.shape)
    return torch.from_numpy(np.where(np.isnan(state), drawn, state))


def weight_of(weight: torch.Tensor, *, values: bool) -> Tensor:
    """What a prediction knows of a weight."""
    array = weight.double().numpy()
    slices = (array != 0).reshape(*array.shape[:2], -1).any(2)
    live = slices.any(1)
    dense = bool((slices | ~live[:, None]).all())
    known = Filter(array.shape, live, None if dense else slices, Numbers.of(weight) if values else None)
    return Tensor(array.shape, filter=known)


def vector(numbers: torch.Tensor) -> Tensor:
    """What a prediction knows of a vector."""
    return Tensor(tuple(numbers.shape), vector=numbers.double().numpy())


def check(
    rule: Callable[..., Any],
    operator: Callable[..., Any],
    *operands: Tensor,
    exact: bool = True,
    rounded: bool = False,
) -> None:
    """Hold a rule against its operator.

    Args:
        rule: Takes the operands.
        operator: Takes them as real tensors.
        operands: What varies is drawn at random, twice.
        exact: Whether all that the rule calls varying has to differ between the two.
        rounded: Whether a difference of equal numbers may come out of PyTorch as another number than 0.
    """
    runs = []
    for seed in (1, 2):
        try:
            result = operator(*(real(x, 10 * seed + number) for number, x in enumerate(operands)))
        except (RuntimeError, IndexError) as error:
            result = str(error).splitlines()[0]
        runs.append(result)
    try:
        ours = rule(*operands)
    except Breaks as broken:
        ours = broken.message
    if isinstance(ours, str) or isinstance(runs[0], str):
        assert ours == runs[0]
        return
    pieces, *reals = ((r,) if isinstance(r, (Tensor, torch.Tensor)) else tuple(r) for r in (ours, *runs))
    assert [piece.shape for piece in pieces] == [tuple(piece.shape) for piece in reals[0]]
    for piece, first, second in zip(pieces, *reals, strict=True):
        if piece.state is not None or exact:
            compare(piece, first.double().numpy(), second.double().numpy(), exact=exact, rounded=rounded)


def compare(found: Tensor, first: Any, second: Any, *, exact: bool, rounded: bool) -> None:
    """Constants are those constants; what varies varies."""
    state = np.full((1,) * len(found.shape), NAN) if found.state is None else found.state
    assert state.ndim == len(found.shape)
    assert all(have in (1, n) for have, n in zip(state.shape, found.shape, strict=True))
    assert found.state is None or 0 in found.shape or not np.isnan(state).all()
    whole = np.broadcast_to(state, found.shape)
    constant = ~np.isnan(whole)
    np.testing.assert_allclose(first[constant], whole[constant], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(second[constant], whole[constant], rtol=1e-9, atol=1e-9)
    assert rounded or (first == 0)[constant & (whole == 0)].all()
    if exact:
        assert (first != second)[~constant].all()
