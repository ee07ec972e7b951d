"""The network in what a caller hands over as a model."""

from __future__ import annotations

import sys

from torch import nn

from yolo_prune_check.errors import UserError


def network_in(model: object, *, caller: str) -> nn.Module:
    """The model itself, or the network that a wrapper of Ultralytics holds.

    ``YOLO("best.pt")`` is an ``nn.Module``, too, but calling it prepares an image, predicts and draws boxes.

    Args:
        model: What was handed over.
        caller: The function that it was handed to, for the message.

    Raises:
        UserError: It is no module, nor does it hold one.
    """
    wrappers = sys.modules.get("ultralytics.engine.model")  # whoever hands over a wrapper has imported it
    wrapped = wrappers is not None and isinstance(model, wrappers.Model)
    found = model.model if wrapped else model  # type: ignore[attr-defined]  # every wrapper has it
    if isinstance(found, nn.Module):
        return found
    got = f"a {type(model).__name__} of {found!r}" if wrapped else _kind(model)
    hint = "Give the network itself, such as what ypc.load_model returns."
    if isinstance(model, str):
        hint = f'Load it with ypc.load_model("{model}").'
    raise UserError(f"{caller} takes an nn.Module: got {got}", hint=hint)


def _kind(model: object) -> str:
    return f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__
