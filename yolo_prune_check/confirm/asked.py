"""Did what the plan asks for go, and nothing else: what is meant by a plan that extends to whole groups.

The rest of the proof compares the pruned model with one that has the very same channels silent. Which these are is
decided by the channel graph for both of them, so a wrong choice would agree with itself. It is looked at here, by the
plan and by running the untouched model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from yolo_prune_check.channels.plan import Plan, as_ranges
from yolo_prune_check.confirm.check import Check
from yolo_prune_check.confirm.meeting import tied_to
from yolo_prune_check.prune.cuts import Cuts

NAME = "what goes is what the plan asks for"
_LISTED = 3
_SMALL = 32
"""Image size in pixels at which channels are followed, unless strides are larger: they flow the same way at any."""


def asked_for(model: nn.Module, plan: Plan, cuts: Cuts, *, imgsz: int) -> Check:
    """Whether all that is cut was named by a plan, or is tied to what was.

    Args:
        model: The untouched model; it is left as it was.
        plan: The plan, by execution ``group``.
        cuts: What stays, as it was carried out.
        imgsz: An image size in pixels at which the model runs.

    Returns:
        The check. A channel that is named and stays is no failure: pieces of a split are kept equal so.
    """
    widths = {name: len(model.get_submodule(name).weight) for name in {*plan.kept(), *cuts.layers}}  # type: ignore[arg-type]
    gone = {name: set(range(widths[name])) - set(cut.outputs.tolist()) for name, cut in cuts.layers.items()}
    named = {name: set(range(widths[name])) - set(keep) for name, keep in plan.kept().items()}
    roots = {name: sorted(lost & named.get(name, set())) for name, lost in gone.items()}
    rest = {name: lost - named.get(name, set()) for name, lost in gone.items()}
    others = {name: sorted(lost) for name, lost in rest.items() if lost}
    try:
        tied = tied_to(model, roots, others, _size(model, imgsz))
    except RuntimeError:  # a model that does not take so small an image
        tied = tied_to(model, roots, others, imgsz)
    left = {name: sorted(set(lost) - tied.get(name, set())) for name, lost in others.items()}
    left = {name: lost for name, lost in left.items() if lost}
    if left:
        places = [f"{name} loses {as_ranges(lost)}" for name, lost in sorted(left.items())]
        more = f", and {len(places) - _LISTED} more" if len(places) > _LISTED else ""
        return Check(NAME, False, None, f"nothing asks for it: {', '.join(places[:_LISTED])}{more}")
    return Check(NAME, True, None, _words(named, gone, tied))


def _size(model: nn.Module, imgsz: int) -> int:
    stride: Any = getattr(model, "stride", None)
    return imgsz if stride is None else min(imgsz, max(_SMALL, int(torch.as_tensor(stride).max())))


def _words(named: Mapping[str, set[int]], gone: Mapping[str, set[int]], tied: Mapping[str, set[int]]) -> str:
    asked = {name: gone.get(name, set()) & lost for name, lost in named.items()}
    stays = {name: lost - gone.get(name, set()) for name, lost in named.items()}
    words = [f"{_count(asked)} of the {_count(named)} that it names"]
    if _count(stays):
        words.append(f"{_count(stays)} stay after all")
    if _count(tied):
        words.append(f"{_count(tied)} that are tied to these go as well")
    return "; ".join(words)


def _count(channels: Mapping[str, Sequence[int] | set[int]]) -> int:
    return sum(map(len, channels.values()))
