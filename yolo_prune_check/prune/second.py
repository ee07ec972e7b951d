"""The second forward that some of Ultralytics' modules have, for export.

C2f's ``forward_split`` cuts by its attribute ``c``, where ``forward`` cuts in two. The exporter puts it in the first
one's place, so that a pruned model that runs may still fail there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

SECOND = "forward_split"
"""Its name."""


@contextmanager
def second_forwards(model: nn.Module) -> Iterator[None]:
    """Put second forwards in the first ones' place, as the exporter does, and the first ones back at the end."""
    changed = [module for module in model.modules() if hasattr(module, SECOND)]
    before = [vars(module).get("forward") for module in changed]
    try:
        for module in changed:
            vars(module)["forward"] = getattr(module, SECOND)
        yield
    finally:
        for module, forward in zip(changed, before, strict=True):
            if forward is None:
                del vars(module)["forward"]
            else:
                vars(module)["forward"] = forward
