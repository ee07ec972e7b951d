"""One handler for each way in which operators treat channels: where they go, and what may be removed of them.

A handler takes what is known so far and an operator, returns the origins of its results' entries, and notes what it
ties, balances, reads or freezes; it raises ``Refused`` where the operator cannot do with fewer channels.

``rules.RULES`` decides what an operator makes of sizes and constants under any execution. ``HANDLERS`` decides what
execution ``group`` may remove: an operator that has a rule but no handler freezes the channels that flow into it, and
the groups name it and its module as the reason.
"""

from __future__ import annotations

from collections.abc import Mapping

from yolo_prune_check.channels.flows import (
    contraction,
    convolution,
    cut,
    elementwise,
    join,
    layout,
    norm,
    reduction,
)
from yolo_prune_check.channels.flows.state import Flow, Handler, Refused, Results, Rows

HANDLERS: Mapping[str, Handler] = {
    **convolution.HANDLERS,
    **norm.HANDLERS,
    **elementwise.HANDLERS,
    **join.HANDLERS,
    **cut.HANDLERS,
    **layout.HANDLERS,
    **reduction.HANDLERS,
    **contraction.HANDLERS,
}

SIZED = layout.VIEWS | {"split", "split_with_sizes", "expand"}
"""Operators whose handlers understand sizes among their arguments that were read from axes of channels."""

__all__ = ["HANDLERS", "SIZED", "Flow", "Handler", "Refused", "Results", "Rows"]
