"""The two modes under which a model is recorded: one sees ATen's calls, the other Python's."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from yolo_prune_check.channels.aten import schema_of
from yolo_prune_check.channels.pieces import enough_pieces
from yolo_prune_check.channels.recorder import Recorder
from yolo_prune_check.channels.rules.memory import Memory
from yolo_prune_check.channels.signatures import ARRANGED, Arguments, arranged
from yolo_prune_check.channels.sizes import Axis, Dim, as_size, mark_computed
from yolo_prune_check.channels.source import is_torch, outside_torch, unpacked_into
from yolo_prune_check.channels.trees import integers_in, tensors_in

_CHUNKS = (torch.chunk, torch.Tensor.chunk)
_CUTS = (*_CHUNKS, torch.split, torch.Tensor.split, torch.unbind, torch.Tensor.unbind)
_SHAPES = (torch.Tensor.shape.__get__, torch.Tensor.size)  # type: ignore[attr-defined]  # a C descriptor
_NUMELS = (torch.numel, torch.Tensor.numel, torch.Tensor.nelement)
_COUNTS = frozenset({*_SHAPES, *_NUMELS, torch.Tensor.__len__, torch.Tensor.stride})
# Functions that ATen sees as several calls, with sizes between them that it computed from those of the operands.
_COMPOSITES: dict[Any, str] = {
    torch.matmul: "matmul",
    torch.Tensor.matmul: "matmul",
    torch.Tensor.__matmul__: "matmul",
    nn.functional.linear: "linear",
    torch.flatten: "flatten",
    torch.Tensor.flatten: "flatten",
    torch.reshape: "reshape",
    torch.Tensor.reshape: "reshape",
    torch.einsum: "einsum",
    nn.functional.multi_head_attention_forward: "multi_head_attention",
    nn.functional.scaled_dot_product_attention: "scaled_dot_product_attention",
    nn.functional.adaptive_avg_pool2d: "adaptive_avg_pool2d",
    nn.functional.normalize: "normalize",
    torch.prelu: "prelu",  # which lays its slopes along the channels
    torch.Tensor.prelu: "prelu",
    torch.Tensor.expand_as: "expand",
    torch.Tensor.view_as: "view",
    torch.Tensor.reshape_as: "reshape",
    torch.cdist: "cdist",
    torch.tensordot: "tensordot",
}
_NESTS = (tuple, list, torch.Size)
_REPEATING = (torch.repeat_interleave, torch.Tensor.repeat_interleave)
_INDEXING = (torch.Tensor.__getitem__, torch.Tensor.__setitem__)
_LIKE = (torch.Tensor.expand_as, torch.Tensor.view_as, torch.Tensor.reshape_as)
_NOTED = frozenset(
    {*_COUNTS, *_COMPOSITES, *ARRANGED, *_REPEATING, *_CUTS, *_INDEXING, nn.functional.pad, torch.Tensor.copy_}
)
"""Functions that are more than what ATen sees of them, whatever they are given; others only where they take a size."""


class Dispatch(TorchDispatchMode):  # type: ignore[no-untyped-call]  # its __init_subclass__ has no annotations
    """Tells a recorder of every ATen call."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
        self.recorder = recorder

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No: nothing is compiled here, and to wrap the mode torch would first import its compiler for two seconds."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        schema = schema_of(func)
        self.recorder.memory.before(schema, args, kwargs)
        output = func(*args, **kwargs)
        self.recorder.record(schema, args, kwargs, output)
        return output


class Writes(TorchDispatchMode):  # type: ignore[no-untyped-call]  # its __init_subclass__ has no annotations
    """Has a recorder keep what is written into, and records nothing."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
        self.recorder = recorder

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.recorder.memory.keep(schema_of(func), args, kwargs or {})
        return func(*args, **(kwargs or {}))


class Functions(TorchFunctionMode):
    """Tells a recorder what ATen does not see: chunks, sizes that were read, and composite functions."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder, self.tape = recorder, recorder.tape

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        recorder, tape, called = self.recorder, self.tape, self.tape.called
        if called.composite or not (func in _NOTED or _has_dim(args) or (kwargs and _has_dim(kwargs.values()))):
            return func(*args, **kwargs)
        if func in _COUNTS and (tape.is_derived(args[0]) or tape.is_parameter(args[0])):
            frame = sys._getframe(1)
            if tape.is_derived(args[0]) or not is_torch(frame):
                return self._counted(frame, func, *args, **kwargs)
        elif func in _COUNTS:  # a copy or a view of a parameter, of which no size is followed
            recorder.views.note_elsewhere([args[0]])
        whole = arranged(func, args, kwargs)
        target = _COMPOSITES.get(func) or _composite(func, *args, **kwargs)
        if (whole or target) and any(map(tape.is_derived, tensors_in((args, kwargs)))):
            if whole:
                return self._arranged(*whole, func, args, kwargs)
            return self._whole(str(target), func, args, kwargs)
        if func in _CUTS:
            frame = outside_torch(sys._getframe(1))
            called.unpacked = unpacked_into(frame)
            called.enough = enough_pieces(frame) if called.unpacked is None else None
            called.chunk = _chunk(*args, **kwargs) if func in _CHUNKS else None
        called.dims = integers_in((args, kwargs)) if _has_dim(args) or _has_dim(kwargs.values()) else None
        if func in _INDEXING:
            called.bounds = _bounds(args[1])
        called.copying = func is torch.Tensor.copy_
        try:
            return func(*args, **kwargs)
        finally:
            called.bounds = []
            called.chunk = called.dims = called.unpacked = called.enough = None
            called.copying = False

    def _arranged(self, target: str, arrange: Callable[..., Arguments], func: Any, args: Any, kwargs: Any) -> Any:
        """Keep a function as a whole, with its arguments in the order in which the rule of its operator takes them."""
        given, named = arrange(*args, **kwargs)
        if target == "unflatten":  # is a reshape in which all other axes are as long as they are
            tensor, dim, sizes = given
            shape, axis = _sizes(tensor.shape, self.tape.value_of(tensor)), dim % tensor.ndim
            target, given = "reshape", (tensor, (*shape[:axis], *sizes, *shape[axis + 1 :]))
            named = {"parted": (dim, sizes)}
        self.tape.called.composite = True
        try:
            output = func(*args, **kwargs)
        finally:
            self.tape.called.composite = False
        self.recorder.record_composite(target, given, named, output)
        return output

    def _counted(self, frame: FrameType, func: Any, tensor: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """What a tensor's shape, or a part of it, is, with where it comes from."""
        result, value = func(tensor, *args, **kwargs), self.tape.value_of(tensor)
        if func in _SHAPES:
            self.recorder.uses.read(tensor, frame)
            return _sizes(result, value, *args, **kwargs)
        axes = _sizes(tensor.shape, value)
        if func in _NUMELS:
            self.recorder.uses.read(tensor, frame)
            return math.prod(axes) if axes else result
        for size in axes if func is torch.Tensor.stride else axes[:1]:
            self.recorder.uses.use(size)
        return result

    def _whole(self, target: str, func: Any, args: Any, kwargs: Any) -> Any:
        self.tape.called.composite = True
        try:
            output = func(*args, **kwargs)
        finally:
            self.tape.called.composite = False
        if func in _LIKE:
            args = (args[0], tuple(_sizes(args[1].shape, self.tape.value_of(args[1]))))
        elif target == "reshape":  # x.reshape(a, b) and x.reshape((a, b)) are the same, as are two ways of einsum
            args = (args[0], tuple(args[1:]) if len(args) > 2 or isinstance(args[1], int) else args[1])
        if target in ("matmul", "linear"):  # what PyTorch says of a misfit depends on the memory's layout
            kwargs = {**kwargs, "memory": _memory(args[0])}
        if target == "einsum" and not isinstance(args[1], (list, tuple)):
            args = (args[0], tuple(args[1:]))
        self.recorder.record_composite(target, args, kwargs, output)
        return output


def _composite(func: Any, *args: Any, **kwargs: Any) -> str | None:
    """Name of a function that is kept as a whole with some arguments only."""
    if func is nn.functional.pad and "circular" in (*args[2:3], kwargs.get("mode")):
        return "pad_circular"
    if func in _REPEATING and _repeats_each(*args, **kwargs):
        return "repeat_interleave"
    return None


def _repeats_each(tensor: Any, repeats: Any = None, dim: int | None = None, **options: Any) -> bool:
    """Whether every entry of an axis is repeated equally often."""
    return isinstance(repeats, int) and dim is not None


def _memory(tensor: torch.Tensor) -> Memory:
    """How a tensor lies in memory."""
    strides, shape = tensor.stride(), tensor.shape
    axes = sorted((axis for axis in range(tensor.ndim) if shape[axis] != 1), key=lambda axis: -strides[axis])
    inside = [strides[after] * shape[after] for after in axes[1:]] + [1]
    return tuple((axis, strides[axis] == size) for axis, size in zip(axes, inside, strict=False))


def _chunk(tensor: torch.Tensor, chunks: int, dim: int = 0) -> tuple[int, int]:
    mark_computed((as_size(chunks), as_size(dim)))
    return chunks, dim


def _sizes(result: Any, value: int, dim: int | None = None) -> Any:
    if isinstance(result, int):
        return Dim(result, Axis(value, dim or 0))
    return torch.Size(Dim(size, Axis(value, axis)) for axis, size in enumerate(result))


def _bounds(index: Any) -> list[Any]:
    """Slices and numbers of an index, if sizes with an origin are among them."""
    items = [item for item in (index if isinstance(index, tuple) else (index,)) if isinstance(item, (slice, int))]
    parts = [part for item in items for part in ((item.start, item.stop) if isinstance(item, slice) else (item,))]
    return items if _has_dim(parts) else []


def _has_dim(items: Iterable[Any]) -> bool:
    """Whether a size with an origin is among some arguments."""
    for item in items:  # noqa: SIM110  # a loop is faster, and every call of every function comes by
        if type(item) is Dim or (type(item) in _NESTS and _has_dim(item)):
            return True
    return False
