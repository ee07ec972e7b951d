"""What image a model takes: one answer for whoever runs it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

_USUAL = (1, 3, 4)


def image_channels(model: nn.Module) -> int:
    """Channels of a model's images.

    What the model's own description says (``model.yaml``, as Ultralytics keeps it); else what its first ``Conv2d``
    takes, if that is grey, colour or colour with one more; else 3.
    """
    described = getattr(model, "yaml", None)
    if isinstance(described, Mapping):
        channels = described.get("channels", described.get("ch"))
        if type(channels) is int and channels > 0:
            return channels
    first = next((module for module in model.modules() if isinstance(module, nn.Conv2d)), None)
    return first.in_channels if first is not None and first.in_channels in _USUAL else 3
