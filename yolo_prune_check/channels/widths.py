"""Numbers of channels that PyTorch's own modules hold: they are what their weight's shape says, and change with it."""

from __future__ import annotations

from functools import cache
from typing import Any

from torch import nn

from yolo_prune_check.channels.sizes import Arithmetic, Axis, Dim
from yolo_prune_check.channels.tape import Tape

_KINDS: dict[type[nn.Module], tuple[tuple[str, int], ...]] = {
    nn.modules.conv._ConvTransposeNd: (("in_channels", 0), ("out_channels", 1)),
    nn.modules.conv._ConvNd: (("out_channels", 0), ("in_channels", 1)),
    nn.modules.batchnorm._NormBase: (("num_features", 0),),
    nn.Linear: (("out_features", 0), ("in_features", 1)),
    nn.GroupNorm: (("num_channels", 0),),
    nn.PReLU: (("num_parameters", 0),),
}


def name_widths(tape: Tape, module: nn.Module) -> None:
    """Make the numbers of channels that a module of PyTorch's holds tell that they are its weight's."""
    attributes = module.__dict__
    kind: Any = type(module)  # mypy takes a module's class for unhashable
    widths = _widths_of(kind)
    weight = module._parameters.get("weight", module._buffers.get("running_mean")) if widths else None
    if weight is None:
        return
    value, shape = tape.value_of(weight), tuple(weight.shape)
    for name, axis in widths:
        number = attributes.get(name)
        if type(number) is not int:
            continue
        times = number // shape[axis] if shape[axis] else 0
        if shape[axis] * times == number:
            size = Axis(value, axis)
            attributes[name] = Dim(number, size if times == 1 else Arithmetic("*", size, times))


@cache
def _widths_of(kind: type[nn.Module]) -> tuple[tuple[str, int], ...]:
    return next((widths for base, widths in _KINDS.items() if issubclass(kind, base)), ())
