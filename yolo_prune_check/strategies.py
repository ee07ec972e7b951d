"""Hypothesis strategies: random pruning plans for a channel graph."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import MASK_KINDS, Execution, Plan, Step
from yolo_prune_check.errors import UserError


def plans(
    graph: ChannelGraph,
    *,
    executions: Sequence[Execution] = ("mask", "local"),
    layers: Sequence[str] | None = None,
    max_steps: int = 5,
) -> st.SearchStrategy[Plan]:
    """Plans of 1 to ``max_steps`` steps on distinct layers, valid and invalid ones, in any order.

    Half of a layer, one channel, all channels and arbitrary subsets are drawn. Plans shrink to one step on an early
    layer that keeps its first channel.

    Args:
        graph: Whose layers are pruned.
        executions: How the plans are carried out.
        layers: Qualified names to draw from; all layers by default.
        max_steps: Most steps of a plan.

    Raises:
        UserError: ``layers`` or ``executions`` is empty, or names a layer that the graph does not have.
    """
    names = tuple(graph.layers) if layers is None else tuple(layers)
    if not names or not executions or max_steps < 1:
        raise UserError("no plan can be drawn", value={"layers": names, "executions": tuple(executions)})
    widths = {name: graph.layer(name).out_channels for name in names}

    @st.composite
    def plan(draw: st.DrawFn) -> Plan:
        execution = draw(st.sampled_from(tuple(executions)))
        mask = draw(st.sampled_from(MASK_KINDS)) if execution == "mask" else "silent"
        chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=max_steps, unique=True))
        return Plan([Step(name, draw(kept_channels(widths[name]))) for name in chosen], execution, mask)

    return plan()


def kept_channels(width: int) -> st.SearchStrategy[tuple[int, ...]]:
    """Channels kept of a layer that has ``width``: one, the first half, a range, all, or any non-empty subset."""
    index = st.integers(0, width - 1)
    ranges = st.tuples(index, index).map(lambda ends: tuple(range(min(ends), max(ends) + 1)))
    subsets = st.sets(index, min_size=1).map(lambda kept: tuple(sorted(kept)))
    return st.one_of(
        index.map(lambda kept: (kept,)),
        st.just(tuple(range(max(1, width // 2)))),
        ranges,
        subsets,
        st.just(tuple(range(width))),
    )
