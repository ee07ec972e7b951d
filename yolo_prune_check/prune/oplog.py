"""A log of the ATen calls of a forward pass: what each one read and wrote, and in which module.

Whoever carries a plan out or watches what it did must know which batch norm takes a convolution's output, and where a
layer's channels can be counted. It is read off what ran, on any module, and not asked of the channel graph: a mistake
of the graph would then be made twice, and agree with itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeGuard

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import TensorWeakRef

from yolo_prune_check.prune.running import Running
from yolo_prune_check.prune.scatter import ChannelScatter, Scattering

NORMS = (nn.BatchNorm2d, nn.SyncBatchNorm)

_SCATTERS = frozenset({"constant_pad_nd", "index_select"})
_ACTIVATIONS = frozenset(
    (
        *("silu", "relu", "leaky_relu", "hardswish", "hardsigmoid", "hardtanh"),
        *("sigmoid", "tanh", "gelu", "elu", "mish", "softplus"),
    )
)


@dataclass(frozen=True)
class Call:
    """One ATen call.

    Attributes:
        name: Operator, without its overload and without the underscore of an in-place one.
        module: Name of the innermost running module.
        owners: Names of the layers whose weight it was given, and of the batch norms whose parameters or buffers.
        reads: Numbers of the values that it took.
        writes: Numbers of the values that it made. None if it raised.
        in_place: Whether it wrote into its first operand, which others may read then.
        scatters: Whether it puts channels back to their places, for execution ``adapter``.
    """

    name: str
    module: str
    owners: tuple[str, ...]
    reads: tuple[int, ...]
    writes: tuple[int, ...] | None
    in_place: bool = False
    scatters: bool = False

    @property
    def is_batch_norm(self) -> bool:
        """Whether this is a batch norm, in whichever of PyTorch's implementations."""
        return "batch_norm" in self.name

    @property
    def is_activation(self) -> bool:
        """Whether this is an activation that a layer may end in."""
        return self.name in _ACTIVATIONS


class Execution:
    """How a logged call is carried out; what it makes is looked at here, before anything may overwrite it."""

    def run(self, index: int, func: Any, args: Any, kwargs: Any) -> Any:
        """Carry out call number ``index``."""
        return func(*args, **kwargs)

    def wrote(self, index: int, call: Call, outputs: list[torch.Tensor]) -> None:
        """Look at what the call made."""


@cache
def name_of(func: Any) -> str:
    """Name of an ATen operator without its overload and without the underscore of an in-place one."""
    return str(func._schema.name).partition("::")[2].removesuffix("_")


class OpLog(TorchDispatchMode):  # type: ignore[no-untyped-call]  # its __init_subclass__ has no annotations
    """Log ATen calls while the mode is on.

    A value is what one call wrote into one tensor object: after an in-place call the same object holds another value.
    """

    def __init__(self, model: nn.Module, running: Running, execution: Execution | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
        self.calls: list[Call] = []
        self.readers: dict[int, list[int]] = {}
        self._running = running
        self._execution = execution or Execution()
        self._owners = dict(_owners(model))
        kinds = (ChannelScatter, Scattering)
        self._scatters = {name for name, module in model.named_modules() if isinstance(module, kinds)}
        self._casts: list[torch.Tensor] = []
        self._values: dict[int, tuple[TensorWeakRef, int]] = {}
        self._count = 0
        self._paused = False

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No: nothing is compiled here, and to wrap the mode torch would first import its compiler for two seconds."""
        return False

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Log nothing meanwhile: what an onlooker computes is no part of the pass."""
        before, self._paused = self._paused, True
        try:
            yield
        finally:
            self._paused = before

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = name_of(func)
        if self._paused:
            return func(*args, **kwargs)
        operands = _tensors((args, kwargs))
        reads = () if name.startswith("new_") else tuple(self._read(tensor) for tensor in operands)
        index, module = len(self.calls), self._running.innermost
        sharing = [self._owners[id(tensor)] for tensor in operands if id(tensor) in self._owners]
        owners = tuple(dict.fromkeys(_innermost(names, module) for names in sharing))
        for value in set(reads):
            self.readers.setdefault(value, []).append(index)
        scatters = name in _SCATTERS and module in self._scatters
        in_place = str(func._schema.name).endswith("_")
        self.calls.append(Call(name, module, owners, reads, None, in_place, scatters))
        output = self._execution.run(index, func, args, kwargs)
        outputs = _tensors(output)
        if name == "_to_copy" and id(operands[0]) in self._owners:  # autocast: the same weight in another type
            self._owners[id(output)] = self._owners[id(operands[0])]
            self._casts.append(output)  # ids are memory addresses
        writes = tuple(self._write(tensor) for tensor in outputs)
        call = self.calls[index] = Call(name, module, owners, reads, writes, in_place, scatters)
        self._execution.wrote(index, call, outputs)
        return output

    def value_of(self, tensor: torch.Tensor) -> int | None:
        """Number of the value that a tensor holds; None if no call read or wrote it."""
        known = self._values.get(id(tensor))
        # An id is a memory address, and tensors die during the pass: what lives there now may be another.
        return known[1] if known is not None and known[0]() is tensor else None

    def _read(self, tensor: torch.Tensor) -> int:
        known = self.value_of(tensor)
        return self._write(tensor) if known is None else known

    def _write(self, tensor: torch.Tensor) -> int:
        self._count += 1
        self._values[id(tensor)] = TensorWeakRef(tensor), self._count
        return self._count

    def convolutions(self) -> dict[str, list[int]]:
        """Calls that each ``Conv2d`` made, by its name, in order."""
        found: dict[str, list[int]] = {}
        for index, call in enumerate(self.calls):
            if call.name == "convolution":
                for owner in call.owners:
                    found.setdefault(owner, []).append(index)
        return found

    def reader(self, index: int) -> int | None:
        """The call that is the only one to read what call ``index`` made first; None if there are more, or none."""
        writes = self.calls[index].writes
        readers = self.readers.get(writes[0], []) if writes else []
        return readers[0] if len(readers) == 1 else None

    def emission(self, index: int, length: int | None = None) -> tuple[int, ...] | None:
        """Calls from a convolution to where its channels are emitted, the convolution's first.

        While a value has one reader, and that is an activation, it is followed; so is a module's batch norm, but only
        where it reads the convolution's own output: elsewhere it is not the layer's. What puts channels back to their
        places is passed and not counted.

        Args:
            index: The convolution's call.
            length: Number of calls to follow, known from a pass that did not break off: one that did may lack readers.

        Returns:
            The calls; None if the last of them was not carried out.
        """
        chain = [index]
        while length is None or len(chain) <= length:
            after = self._next(chain) if length is None else self._first(chain[-1])
            if after is None:
                break
            chain.append(after)
        if self.calls[chain[-1]].writes is None or (length is not None and len(chain) <= length):
            return None
        return tuple(chain)

    def _next(self, chain: list[int]) -> int | None:
        after = self._beyond(self.reader(chain[-1]))
        if after is None:
            return None
        call = self.calls[after]
        return after if call.is_activation or (call.is_batch_norm and call.owners and len(chain) == 1) else None

    def _first(self, index: int) -> int | None:
        writes = self.calls[index].writes
        return self._beyond(next(iter(self.readers.get(writes[0], ())), None) if writes else None)

    def _beyond(self, index: int | None) -> int | None:
        """The call itself, or the one that reads what it puts back to its places."""
        while index is not None and self.calls[index].scatters:
            index = self.reader(index)
        return index


def _owners(model: nn.Module) -> Mapping[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = {}
    for name, module in model.named_modules():
        for tensor in _known_by(module):
            found[id(tensor)] = (*found.get(id(tensor), ()), name)
    return found


def _known_by(module: nn.Module) -> list[torch.Tensor]:
    """The tensors by which a call is known to be this module's."""
    if is_layer(module):
        return [module._parameters["weight"]]  # type: ignore[list-item]  # a layer has one
    if isinstance(module, NORMS):
        return [tensor for tensor in (*module._parameters.values(), *module._buffers.values()) if tensor is not None]
    return []


def is_layer(module: nn.Module | None) -> TypeGuard[nn.Conv2d]:
    """Whether this is a ``Conv2d`` that can be pruned: its weight is a parameter of its own.

    That of a parametrised one (weight norm, spectral norm) is computed anew at each call, from other parameters.
    """
    return isinstance(module, nn.Conv2d) and module._parameters.get("weight") is not None


def _innermost(names: tuple[str, ...], module: str) -> str:
    """Of several modules that share a tensor the one that is running."""
    return module if module in names else names[0]


def _tensors(tree: Any) -> list[torch.Tensor]:
    found: list[torch.Tensor] = []
    _collect(tree, found)
    return found


def _collect(tree: Any, found: list[torch.Tensor]) -> None:
    if isinstance(tree, torch.Tensor):
        found.append(tree)
    elif isinstance(tree, (list, tuple)):
        for item in tree:
            _collect(item, found)
    elif isinstance(tree, dict):
        for item in tree.values():
            _collect(item, found)
