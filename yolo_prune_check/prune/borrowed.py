"""Lend a model for a forward pass and take it back exactly as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

_OWN = ("_parameters", "_buffers", "_modules")


@contextmanager
def borrowed(model: nn.Module, dtype: torch.dtype | None = None) -> Iterator[None]:
    """Put a model in eval mode, and every attribute of every module back at the end.

    Heads cache anchors and shapes of the last image in their attributes; a copy of the whole model would cost more
    than the pass itself.

    Args:
        model: The model.
        dtype: Floating-point type in which the parameters, buffers and other tensors are lent, and which the tensors
            have that a forward pass makes itself; as they are if None.
    """
    default = torch.get_default_dtype()
    saved = [(module, _shallow(module.__dict__)) for module in model.modules()]
    try:
        model.eval()
        if dtype is not None:
            _cast(model, dtype)
            torch.set_default_dtype(dtype)
        yield
    finally:
        torch.set_default_dtype(default)
        for module, attributes in saved:
            module.__dict__.clear()
            module.__dict__.update(attributes)


def _shallow(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: item.copy() if name in _OWN else item for name, item in attributes.items()}


def _cast(model: nn.Module, dtype: torch.dtype) -> None:
    done: dict[int, torch.Tensor] = {}  # a tensor in two places stays one tensor

    def cast(values: dict[str, Any]) -> None:
        for name, value in values.items():
            if isinstance(value, torch.Tensor) and value.is_floating_point():
                if id(value) not in done:
                    done[id(value)] = value.detach().to(dtype)
                values[name] = done[id(value)]

    for module in model.modules():
        for values in (module._parameters, module._buffers, module.__dict__):
            cast(values)
