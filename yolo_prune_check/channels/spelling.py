"""What operators are given, as the program spells it: tensors by number, sizes by where they come from."""

from __future__ import annotations

from operator import index
from typing import Any

import torch

from yolo_prune_check.channels.program import Ref
from yolo_prune_check.channels.size_uses import SizeUses
from yolo_prune_check.channels.sizes import as_size, sized
from yolo_prune_check.channels.tape import Tape
from yolo_prune_check.channels.trees import PLAIN, integers_in

_END = 2**63 - 1  # where a slice without an end ends


class Spelling:
    """Spells arguments by the values of a tape."""

    def __init__(self, tape: Tape, uses: SizeUses) -> None:
        """Nothing has run yet."""
        self._tape, self._uses = tape, uses

    def of(self, item: Any) -> Any:
        """An argument, or a nest of them; sizes as they are."""
        kind = type(item)
        if kind in PLAIN:
            return item
        if isinstance(item, torch.Tensor):
            return Ref(self._tape.value_of(item))
        if isinstance(item, dict):
            return {name: self.of(part) for name, part in item.items()}
        if isinstance(item, (list, tuple)):
            if PLAIN.issuperset(map(type, item)):  # strides, paddings
                return tuple(item)
            return tuple([part if type(part) in PLAIN else self.of(part) for part in item])
        return as_size(item) if isinstance(item, int) else item

    def with_sizes(self, args: Any) -> tuple[Any, ...]:
        """What ATen is given as numbers, with the sizes that the function was given in their place.

        Where ATen is given others, what the code does with those sizes is not known.
        """
        dims = self._tape.called.dims
        symbolic = iter(dims or ())
        concrete = integers_in(args)
        matched = dims is not None and list(map(index, dims)) == concrete
        if not matched:
            for dim in dims or ():
                self._uses.use(dim)
                owners = (self._tape.values[axis.value].parameter for axis in sized(as_size(dim)))
                self._tape.elsewhere.update(name for name in owners if name is not None)

        def convert(item: Any) -> Any:
            if isinstance(item, torch.Tensor):
                return Ref(self._tape.value_of(item))
            if isinstance(item, (list, tuple)):
                return tuple(convert(part) for part in item)
            if isinstance(item, int) and not isinstance(item, bool):
                return as_size(next(symbolic)) if matched else index(item)
            return item

        return tuple(convert(item) for item in args)

    def bounds_of(self, args: Any) -> tuple[Any, ...]:
        """Arguments of a slice or select, with the sizes that the index in Python code was computed from."""
        bounds = self._tape.called.bounds
        for number, item in enumerate(bounds):
            given = (item.start, item.stop, item.step) if isinstance(item, slice) else (item,)
            plain = [
                default if part is None else index(part) for part, default in zip(given, (0, _END, 1), strict=False)
            ]
            if plain == list(args[2:]) + [1] * (len(plain) - len(args[2:])):
                del bounds[: number + 1]
                return tuple(p if part is None else as_size(part) for part, p in zip(given, plain, strict=False))
        return ()
