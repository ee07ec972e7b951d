"""Record one small forward pass: which operators ran, on which values, inside which module.

ATen calls are recorded by a ``TorchDispatchMode``. Some things are gone by the time ATen sees them, so that a
``TorchFunctionMode`` around it keeps them: that a ``split`` was a ``chunk`` (whose sizes follow the tensor), that a
size was read from a tensor's shape, and that several calls with computed sizes were one ``matmul`` or ``reshape``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from yolo_prune_check.channels.program import Filter, FloatArray, ModuleCall, Op, Program, Ref, Value
from yolo_prune_check.channels.rules import CONVOLUTIONS
from yolo_prune_check.channels.sizes import Arithmetic, Attribute, Axis, Dim, as_size, mark_computed
from yolo_prune_check.channels.source import assertion, unpacked_into

_CHUNKS = (torch.chunk, torch.Tensor.chunk)
_CUTS = (*_CHUNKS, torch.split, torch.Tensor.split)
_SHAPES = (torch.Tensor.shape.__get__, torch.Tensor.size)  # type: ignore[attr-defined]  # a C descriptor
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
    torch.Tensor.expand_as: "expand",
    torch.Tensor.view_as: "view",
    torch.Tensor.reshape_as: "reshape",
}
_LIKE = (torch.Tensor.expand_as, torch.Tensor.view_as, torch.Tensor.reshape_as)
_SMALL = 65536  # entries of a constant that are worth keeping
_FEW = 4  # input channels of each filter up to which its numbers are kept


def trace_program(model: nn.Module, imgsz: int) -> Program:
    """Run one image of zeros through the model and record the pass.

    The model is left as it was: parameters, buffers, attributes, hooks and train/eval mode.

    Args:
        model: Any module that takes an image batch ``(1, 3, imgsz, imgsz)``.
        imgsz: Height and width of the image, in pixels.
    """
    parameter = next(model.parameters(), None)
    device = parameter.device if parameter is not None else torch.device("cpu")
    dtype = parameter.dtype if parameter is not None else torch.float32
    recorder = _Recorder(model)
    with _unchanged(model), torch.no_grad():
        model.eval()
        _name_numbers(recorder)
        image = torch.zeros(1, 3, imgsz, imgsz, device=device, dtype=dtype)
        recorder.image = recorder.add(image, derived=True)
        with recorder.module_calls(), recorder.comparisons(), _Dispatch(recorder), _Functions(recorder):
            output = model(image)
    return recorder.program(output)


def _name_numbers(recorder: _Recorder) -> None:
    """Make the whole numbers that modules hold tell which attribute they are; PyTorch's own hold no sizes."""
    for module, owner in recorder.names.items():
        if type(module).__module__.startswith("torch."):
            continue
        for name, item in list(module.__dict__.items()):
            if type(item) is int:
                module.__dict__[name] = Dim(item, Attribute(item, owner, name, recorder.computed))
            elif type(item) in (list, tuple) and item and all(type(part) is int for part in item):
                module.__dict__[name] = type(item)(
                    Dim(part, Attribute(part, owner, name, recorder.computed, index, tuple(item)))
                    for index, part in enumerate(item)
                )


@contextmanager
def _unchanged(model: nn.Module) -> Iterator[None]:
    """Put everything back that a forward pass may change: heads cache anchors and shapes in their attributes."""
    saved = [(module, _shallow(module.__dict__)) for module in model.modules()]
    buffers = [(buffer, buffer._version, buffer.clone()) for buffer in model.buffers()]
    try:
        yield
    finally:
        for module, attributes in saved:
            module.__dict__.clear()
            module.__dict__.update({name: _restored(*item) for name, item in attributes.items()})
        for buffer, version, contents in buffers:
            if buffer._version != version:
                buffer.data.copy_(contents)


def _shallow(attributes: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    containers = (dict, list, set)
    return {name: (item, item.copy() if type(item) in containers else None) for name, item in attributes.items()}


def _restored(item: Any, contents: Any) -> Any:
    """The object itself, with the contents it had if it is a plain container."""
    if contents is not None and not _identical(item, contents):
        item.clear()
        item.extend(contents) if isinstance(item, list) else item.update(contents)
    return item


def _identical(one: Any, other: Any) -> bool:
    """Whether two containers hold the same objects; tensors cannot be asked whether they are equal."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(one[key] is other[key] for key in one)
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))


class _Recorder:
    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.names = {module: name for name, module in model.named_modules()}
        self.parameters: dict[int, tuple[str, torch.Tensor]] = {
            id(tensor): (name, tensor) for name, tensor in (*model.named_parameters(), *model.named_buffers())
        }
        self.values: list[Value] = []
        self.ids: dict[int, int] = {}
        self.alive: list[torch.Tensor] = []  # ids are memory addresses: no tensor may die while they are in use
        self.ops: list[Op] = []
        self.calls: list[ModuleCall] = []
        self.stack: list[str] = []
        self.starts: list[int] = []
        self.image = 0
        self.storages: dict[int, list[int]] = {}
        self.composite = False
        self.computed: set[tuple[str, str]] = set()
        self.chunk: tuple[int, int] | None = None
        self.dims: list[int] | None = None
        self.unpacked: int | None = None

    def add(self, tensor: torch.Tensor, *, derived: bool) -> int:
        known = self.parameters.get(id(tensor))
        value = Value(len(self.values), tuple(int(n) for n in tensor.shape), known[0] if known else None, derived)
        self.values.append(value)
        self.ids[id(tensor)] = value.id
        self.alive.append(tensor)
        if derived:
            self.storages.setdefault(tensor.untyped_storage().data_ptr(), []).append(value.id)
        return value.id

    def value_of(self, tensor: torch.Tensor) -> int:
        found = self.ids.get(id(tensor))
        return self.add(tensor, derived=False) if found is None else found

    def is_derived(self, tensor: torch.Tensor) -> bool:
        found = self.ids.get(id(tensor))
        return found is not None and self.values[found].derived

    @contextmanager
    def module_calls(self) -> Iterator[None]:
        """Keep the stack of running modules; hooks on all modules at once, so that none is left on the model."""
        before = register_module_forward_pre_hook(self._enter)
        after = register_module_forward_hook(self._leave)
        try:
            yield
        finally:
            before.remove()
            after.remove()

    @contextmanager
    def comparisons(self) -> Iterator[None]:
        """Hear of every comparison of sizes."""
        Dim.compared = self.record_comparison
        try:
            yield
        finally:
            Dim.compared = None

    def _enter(self, module: nn.Module, args: Any) -> None:
        self.stack.append(self.names.get(module, type(module).__name__))
        self.starts.append(len(self.ops))

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        name, first = self.stack.pop(), self.starts.pop()
        inputs = tuple(self.value_of(t) for t in _tensors(args) if self.is_derived(t))
        single = self.value_of(output) if isinstance(output, torch.Tensor) else None
        leaf = next(module.children(), None) is None
        self.calls.append(ModuleCall(name, inputs, single, first, len(self.ops), leaf, type(module).__name__))

    def record(self, func: Any, args: Any, kwargs: Any, output: Any) -> None:
        """Add an ATen call whose result depends on the image; all others are constants."""
        tensors = _tensors((args, kwargs))
        if self.composite or not any(self.is_derived(t) for t in tensors):
            return
        target = func._schema.name.split("::")[1]
        in_place = target.endswith("_") and not target.endswith("__")
        target = target.removesuffix("_")
        if target.startswith("new_"):  # takes only dtype and device from its operand
            return
        arguments = self._arguments(args)
        if target == "split" and self.chunk is not None:
            count, axis = map(int, self.chunk)
            target, arguments, kwargs = "chunk", (arguments[0], count, axis), {}
        self._append(target, arguments, self._converted(kwargs), tensors, _tensors(output), in_place=in_place)
        if in_place:
            self._overwritten(tensors[0])

    def record_composite(self, target: str, args: Any, kwargs: Any, output: Any) -> None:
        """Add a function whose ATen calls were not recorded."""
        tensors = _tensors((args, kwargs))
        if output is tensors[0]:  # flatten and reshape return their operand where there is nothing to do
            return
        self._append(target, self._converted(args), self._converted(kwargs), tensors, _tensors(output))

    def record_comparison(self, size: Dim, other: int) -> None:
        """Add an equality that an assertion of Python code asks for."""
        message = assertion(sys._getframe(2))
        if message is None or self.composite:
            return
        expression = as_size(size)
        divisor = None
        if isinstance(expression, Arithmetic) and expression.operator == "%" and isinstance(expression.right, int):
            divisor = expression.right
        self._append("assert", (expression, as_size(other), divisor, message), {}, [], [])

    def _append(
        self,
        target: str,
        args: Any,
        kwargs: Any,
        operands: list[torch.Tensor],
        results: list[torch.Tensor],
        *,
        in_place: bool = False,
    ) -> None:
        inputs = tuple(self.value_of(t) for t in operands)
        outputs = tuple(self.add(t, derived=True) for t in results)
        module = self.stack[-1] if self.stack else ""
        unpacked = self.unpacked if len(outputs) > 1 else None
        self.ops.append(Op(len(self.ops), target, module, args, kwargs, inputs, outputs, in_place, unpacked))

    def _overwritten(self, tensor: torch.Tensor) -> None:
        """Note that other tensors that share the memory of one that was written into have new contents as well."""
        source = self.ids[id(tensor)]
        for value in tuple(self.storages.get(tensor.untyped_storage().data_ptr(), ())):
            other = self.alive[value]
            if other is not tensor and self.ids[id(other)] == value:
                self._append("overwritten", (Ref(value), Ref(source)), {}, [other, tensor], [other])

    def _arguments(self, args: Any) -> tuple[Any, ...]:
        symbolic = iter(self.dims or ())
        concrete = list(_integers(args))
        matched = self.dims is not None and [int(n) for n in self.dims] == concrete
        if not matched:
            for dim in self.dims or ():
                mark_computed(as_size(dim))

        def convert(item: Any) -> Any:
            if isinstance(item, torch.Tensor):
                return Ref(self.value_of(item))
            if isinstance(item, (list, tuple)):
                return tuple(convert(part) for part in item)
            if isinstance(item, int) and not isinstance(item, bool):
                return as_size(next(symbolic)) if matched else int(item)
            return item

        return tuple(convert(item) for item in args)

    def _converted(self, item: Any) -> Any:
        if isinstance(item, torch.Tensor):
            return Ref(self.value_of(item))
        if isinstance(item, dict):
            return {name: self._converted(part) for name, part in item.items()}
        if isinstance(item, (list, tuple)):
            return tuple(self._converted(part) for part in item)
        return as_size(item) if isinstance(item, int) and not isinstance(item, bool) else item

    def program(self, output: Any) -> Program:
        vectors, filters, constants = {}, {}, {}
        filtering = {op.inputs[1]: op.args[8] for op in self.ops if op.target in CONVOLUTIONS}
        for value in self.values:
            tensor = self.alive[value.id].detach()
            if value.parameter is not None and tensor.ndim == 1:
                vectors[value.parameter] = _numbers(tensor)
            elif value.parameter is not None and value.id in filtering:
                filters[value.parameter] = _filter(tensor, grouped=filtering[value.id] > 1)
            elif not value.derived and tensor.numel() <= _SMALL:
                constants[value.id] = _numbers(tensor)
        outputs = tuple(self.ids[id(t)] for t in _tensors(output) if self.is_derived(t))
        sizes = {name: parameter.numel() for name, parameter in self.model.named_parameters()}
        return Program(
            tuple(self.values),
            tuple(self.ops),
            tuple(self.calls),
            self.image,
            outputs,
            vectors,
            filters,
            constants,
            sizes,
            frozenset(self.computed),
        )


class _Dispatch(TorchDispatchMode):  # type: ignore[no-untyped-call]  # its __init_subclass__ has no annotations
    def __init__(self, recorder: _Recorder) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
        self.recorder = recorder

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No: nothing is compiled here, and to wrap the mode torch would first import its compiler for two seconds."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        self.recorder.record(func, args, kwargs or {}, output)
        return output


class _Functions(TorchFunctionMode):
    def __init__(self, recorder: _Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        recorder = self.recorder
        if func in _SHAPES and recorder.is_derived(args[0]):
            return _sizes(func(*args, **kwargs), recorder.value_of(args[0]), *args[1:], **kwargs)
        target = _COMPOSITES.get(func)
        if target is not None and not recorder.composite and any(map(recorder.is_derived, _tensors((args, kwargs)))):
            return self._whole(target, func, args, kwargs)
        if func in _CUTS:
            recorder.unpacked = unpacked_into(sys._getframe(1))
            recorder.chunk = _chunk(*args, **kwargs) if func in _CHUNKS else None
        integers = _integers((args, kwargs))
        recorder.dims = integers if any(isinstance(n, Dim) for n in integers) else None
        try:
            return func(*args, **kwargs)
        finally:
            recorder.chunk = recorder.dims = recorder.unpacked = None

    def _whole(self, target: str, func: Any, args: Any, kwargs: Any) -> Any:
        self.recorder.composite = True
        try:
            output = func(*args, **kwargs)
        finally:
            self.recorder.composite = False
        if func in _LIKE:
            args = (args[0], tuple(_sizes(args[1].shape, self.recorder.value_of(args[1]))))
        elif target == "reshape":  # x.reshape(a, b) and x.reshape((a, b)) are the same, as are two ways of einsum
            args = (args[0], tuple(args[1:]) if len(args) > 2 or isinstance(args[1], int) else args[1])
        if target in ("matmul", "linear"):  # what PyTorch says of a misfit depends on the memory's layout
            kwargs = {**kwargs, "folds": _folds(args[0])}
        if target == "linear":
            kwargs["contiguous"] = args[0].is_contiguous()
        if target == "einsum" and not isinstance(args[1], (list, tuple)):
            args = (args[0], tuple(args[1:]))
        self.recorder.record_composite(target, args, kwargs, output)
        return output


def _folds(tensor: torch.Tensor) -> bool:
    """Whether all axes but the last lie in memory as if they were one."""
    strides, shape = tensor.stride(), tensor.shape
    return all(strides[axis] == strides[axis + 1] * shape[axis + 1] for axis in range(tensor.ndim - 2))


def _chunk(tensor: torch.Tensor, chunks: int, dim: int = 0) -> tuple[int, int]:
    mark_computed((as_size(chunks), as_size(dim)))
    return chunks, dim


def _sizes(result: Any, value: int, dim: int | None = None) -> Any:
    if isinstance(result, int):
        return Dim(result, Axis(value, dim or 0))
    return torch.Size(Dim(size, Axis(value, axis)) for axis, size in enumerate(result))


def _tensors(tree: Any) -> list[torch.Tensor]:
    if isinstance(tree, torch.Tensor):
        return [tree]
    if isinstance(tree, dict):
        return [t for item in tree.values() for t in _tensors(item)]
    if isinstance(tree, (list, tuple)):
        return [t for item in tree for t in _tensors(item)]
    return []


def _integers(tree: Any) -> list[int]:
    if isinstance(tree, int) and not isinstance(tree, bool):
        return [tree]
    if isinstance(tree, dict):
        return [n for item in tree.values() for n in _integers(item)]
    if isinstance(tree, (list, tuple)):
        return [n for item in tree for n in _integers(item)]
    return []


def _numbers(tensor: torch.Tensor) -> FloatArray:
    return np.array(tensor.double().cpu().numpy())


def _filter(weight: torch.Tensor, *, grouped: bool) -> Filter:
    slices = (weight != 0).flatten(2).any(2) if weight.ndim > 2 else weight != 0
    live = slices.any(1)
    dense = bool((slices | ~live[:, None]).all())
    return Filter(
        tuple(weight.shape),
        np.asarray(live.cpu().numpy()),
        None if dense else np.asarray(slices.cpu().numpy()),
        _numbers(weight) if grouped or weight.shape[1] <= _FEW else None,
    )
