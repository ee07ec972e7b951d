"""Hypothesis strategies: random pruning plans for a channel graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hypothesis import strategies as st

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import EXECUTIONS, Execution, Plan, Step
from yolo_prune_check.errors import UserError
from yolo_prune_check.fuzz.draw import REPEATS, draw_step
from yolo_prune_check.fuzz.ground import Ground, ways_of
from yolo_prune_check.fuzz.keep import T


def plans(
    graph: ChannelGraph,
    *,
    executions: Sequence[Execution] | None = None,
    layers: Sequence[str] | None = None,
    max_steps: int = 5,
) -> st.SearchStrategy[Plan]:
    """Plans of 1 to ``max_steps`` steps, valid and invalid ones, in any order.

    Steps keep halves, one channel, no channel, all, all but one, ranges, multiples of 8, arbitrary subsets, and what
    the layer's parts suggest: one half of a C2f chunk or one slice of a concat kept, dropped or cut alone. One plan of
    twenty may name a layer more than once. Plans shrink to one step on an early layer that keeps its first channel.

    Args:
        graph: Whose layers are pruned.
        executions: How the plans are carried out, ``mask`` with both kinds of mask; by default all.
        layers: Qualified names to draw from; all layers by default.
        max_steps: Most steps of a plan.

    Raises:
        UserError: ``layers`` or ``executions`` is empty, or names a layer that the graph does not have.
    """
    ways = ways_of(EXECUTIONS if executions is None else executions)
    if not ways or max_steps < 1:
        raise UserError("no plan can be drawn", value={"executions": executions, "max_steps": max_steps})
    ground = Ground.of(graph, layers)
    steps = _step(ground)
    # `max_size` is drawn by no one: hypothesis deletes elements of a list best if nothing before it tells its length.
    unique = st.lists(steps, min_size=1, max_size=max_steps, unique_by=lambda step: step.layer)
    repeating = st.lists(steps, min_size=1, max_size=max_steps)

    @st.composite
    def plan(draw: st.DrawFn) -> Plan:
        way = draw(st.sampled_from(ways))
        repeats = draw(st.integers(1, REPEATS)) == REPEATS
        return Plan(draw(repeating if repeats else unique), way.execution, way.mask)

    return plan()


def _step(ground: Ground) -> st.SearchStrategy[Step]:
    names = tuple(ground.widths)

    @st.composite
    def step(draw: st.DrawFn) -> Step:
        return draw_step(_Drawn(draw), ground, names)

    return step()


class _Drawn:
    """Choices from hypothesis."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def pick(self, options: Sequence[T]) -> T:
        return self._draw(st.sampled_from(options))

    def integer(self, low: int, high: int) -> int:
        return self._draw(st.integers(low, high))

    def some(self, count: int) -> Iterable[int]:
        return self._draw(st.sets(st.integers(0, count - 1)))
