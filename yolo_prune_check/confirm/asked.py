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
from yolo_prune_check.confirm.meeting import BATCH, Channels, NotApartError, tied_to
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
        The check. A channel that is named and stays is no failure: pieces of a split are kept equal so. No verdict
        where the model does not let its channels be followed.
    """
    widths = {name: len(model.get_submodule(name).weight) for name in {*plan.kept(), *cuts.layers}}  # type: ignore[arg-type]
    gone = {name: set(range(widths[name])) - set(cut.outputs.tolist()) for name, cut in cuts.layers.items()}
    named = {name: set(range(widths[name])) - set(keep) for name, keep in plan.kept().items()}
    roots = {name: sorted(lost & named.get(name, set())) for name, lost in gone.items()}
    rest = {name: lost - named.get(name, set()) for name, lost in gone.items()}
    others = {name: sorted(lost) for name, lost in rest.items() if lost}
    try:
        tied = _tied_to(model, roots, others, imgsz)
    except Exception as error:  # noqa: BLE001  # a model that takes one image may raise anything of a batch
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        return Check(NAME, None, None, f"where channels go cannot be followed in this model: {words}")
    left = {name: sorted(set(lost) - tied.get(name, set())) for name, lost in others.items()}
    left = {name: lost for name, lost in left.items() if lost}
    if left:
        places = [f"{name} loses {as_ranges(lost)}" for name, lost in sorted(left.items())]
        more = f", and {len(places) - _LISTED} more" if len(places) > _LISTED else ""
        return Check(NAME, False, None, f"nothing asks for it: {', '.join(places[:_LISTED])}{more}")
    if _count(named) and not _count(roots):
        return Check(NAME, False, None, f"none of the {_count(named)} channels that it names goes")
    return Check(NAME, True, None, _words(named, gone, tied))


def _tied_to(model: nn.Module, roots: Channels, others: Channels, imgsz: int) -> dict[str, set[int]]:
    """In small images, or in fewer of the size that the model is known to take."""
    stride: Any = getattr(model, "stride", None)
    small = imgsz if stride is None else min(imgsz, max(_SMALL, int(torch.as_tensor(stride).max())))
    try:
        return tied_to(model, roots, others, small)
    except NotApartError:
        raise
    except Exception:  # noqa: BLE001  # so small an image, of which a single pixel may be left
        return tied_to(model, roots, others, imgsz, max(2, BATCH * small**2 // imgsz**2))


def _words(named: Mapping[str, set[int]], gone: Mapping[str, set[int]], tied: Mapping[str, set[int]]) -> str:
    asked = {name: gone.get(name, set()) & lost for name, lost in named.items()}
    stays = {name: lost - gone.get(name, set()) for name, lost in named.items()}
    words = [f"{_count(asked)} of the {_count(named)} that it names"]
    if _count(stays):
        words.append(f"{_count(stays)} stay after all, most in {max(stays, key=lambda name: len(stays[name]))}")
    if _count(tied):
        words.append(f"{_count(tied)} that are tied to these go as well")
    return "; ".join(words)


def _count(channels: Mapping[str, Sequence[int] | set[int]]) -> int:
    return sum(map(len, channels.values()))
