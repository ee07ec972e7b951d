"""Finding a layer by what a person writes: `2.0`, `model.2.cv1.conv` or `model.2.cv1`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches

from torch import nn

from yolo_prune_check.errors import UserError
from yolo_prune_check.model.layers import Layer, layers_of

_ADDRESS = re.compile(r"(\d+)\.(\d+)")
_LISTED = 8


def find_layer(model: nn.Module, text: str) -> Layer:
    """The layer that `text` names.

    Args:
        model: An Ultralytics model.
        text: An address (`2.0`: the first `Conv2d` of block 2), the qualified name of a `Conv2d`, or that of a module
            that contains exactly one.

    Raises:
        UserError: No layer is named so; the message says which ones there are.
    """
    layers = layers_of(model)
    address = _ADDRESS.fullmatch(text.strip())
    if address:
        return _by_address(model, layers, int(address[1]), int(address[2]))
    return _by_name(model, layers, text.strip())


def _by_address(model: nn.Module, layers: Sequence[Layer], block: int, index: int) -> Layer:
    last = len(model.model) - 1  # type: ignore[arg-type]  # an nn.Sequential: layers_of has checked it
    if block > last:
        raise UserError(f"block {block}: the model has blocks 0-{last}", value=f"{block}.{index}")
    inside = [layer for layer in layers if layer.block == block]
    if index >= len(inside):
        hint = None if inside else "Name a block that has one."
        raise UserError(f"block {block} has {_listed(inside)}", value=f"{block}.{index}", hint=hint)
    return inside[index]


def _by_name(model: nn.Module, layers: Sequence[Layer], name: str) -> Layer:
    by_name = {layer.name: layer for layer in layers}
    if name in by_name:
        return by_name[name]
    modules = dict(model.named_modules())
    if name and name in modules:
        inside = [layer for layer in layers if layer.name.startswith(f"{name}.")]
        if len(inside) == 1:
            return inside[0]
        hint = "Name one of them." if inside else "Name a Conv2d."
        raise UserError(f"{name} ({type(modules[name]).__name__}) has {_listed(inside)}", value=name, hint=hint)
    close = get_close_matches(name, [*by_name, *modules], n=1)
    guess = f"Did you mean {close[0]!r}? " if close else ""
    hint = f"{guess}A layer is an address such as 2.0, or a qualified name such as {layers[0].name}."
    raise UserError("no layer has this name", value=name, hint=hint)


def _listed(layers: Sequence[Layer]) -> str:
    if not layers:
        return "no Conv2d"
    shown = [layer.address for layer in layers[:_LISTED]]
    if len(layers) > _LISTED:
        shown += ["…", layers[-1].address]
    return f"{len(layers)} Conv2d ({', '.join(shown)})"
