"""Copies and views of parameters that still are these, until the image meets them or something else is made of them.

Code lays the numbers of a one-dimensional parameter along another axis before it multiplies. Such a view becomes an
operator of the program where it meets what depends on the image, so that it follows the parameter. It must do so
however many numbers there are: a size that the code spells as a number does not.
"""

from __future__ import annotations

from operator import index
from typing import Any, NamedTuple

import torch

from yolo_prune_check.channels.sizes import Arithmetic, Axis, Size
from yolo_prune_check.channels.spelling import Spelling
from yolo_prune_check.channels.tape import Tape
from yolo_prune_check.channels.trees import integers_in

VIEWING = frozenset({"view", "unsqueeze"})
"""Operators that lay a parameter out; ``reshape`` and an index with None are these to ATen."""

MEETING = frozenset({"add", "sub", "mul"})
"""Operators in which the view of a parameter may meet channels: those whose scales ``flows.elementwise`` follows."""


class Viewed(NamedTuple):
    """A view of a one-dimensional parameter.

    Attributes:
        tensor: The view; kept, for its id is its memory address.
        source: What it is a view of: the parameter, or a view of it.
        name: The parameter.
        target: The operator that made it.
        args: The operator's arguments, sizes as ``sizes.Size``.
    """

    tensor: torch.Tensor
    source: torch.Tensor
    name: str
    target: str
    args: tuple[Any, ...]


class ParameterViews:
    """Follows copies and views of parameters.

    Attributes:
        viewed: By id of the view.
    """

    def __init__(self, tape: Tape, spelling: Spelling) -> None:
        """Nothing has run yet."""
        self._tape, self._spelling = tape, spelling
        self._casts: list[torch.Tensor] = []  # ids are memory addresses
        self.viewed: dict[int, Viewed] = {}

    def cast(self, tensor: torch.Tensor, output: torch.Tensor) -> None:
        """A parameter in another type of number is that parameter: autocast makes such copies."""
        self._tape.ids[id(output)] = self._tape.value_of(tensor)
        self._casts.append(output)

    def view(self, target: str, source: torch.Tensor, args: Any, output: torch.Tensor) -> bool:
        """Keep a view of a one-dimensional parameter that follows it: it is an operator once the image meets it.

        Returns:
            Whether it is one.
        """
        tape, name = self._tape, self._held_in(source)
        dims = tape.called.dims
        if (
            name is None
            or name not in tape.sizes
            or id(source) in tape.tied
            or (source.ndim != 1 and id(source) not in self.viewed)
        ):
            return False
        root = source
        while id(root) in self.viewed:
            root = self.viewed[id(root)].source
        parameter = tape.value_of(root) if dims is not None else None
        if dims is not None and list(map(index, dims)) != integers_in(args[1:]):
            return False
        arguments = args if dims is None else (source, *self._spelling.with_sizes(args[1:]))
        if not _follows(target, arguments, tuple(map(index, output.shape)), parameter):
            return False
        tape.visited.add(name)
        self.viewed[id(output)] = Viewed(output, source, name, target, arguments)
        return True

    def _held_in(self, tensor: torch.Tensor) -> str | None:
        """The parameter that a tensor is, or a cast copy or a kept view of which it is."""
        tape = self._tape
        view, value = self.viewed.get(id(tensor)), tape.ids.get(id(tensor))
        if view is not None:
            return view.name
        return tape.parameters.get(id(tensor)) if value is None else tape.values[value].parameter

    def note_elsewhere(self, tensors: list[torch.Tensor]) -> None:
        """Note that something is made of parameters, or of views of them, that is not followed."""
        names = map(self._held_in, tensors)
        self._tape.elsewhere.update(name for name in names if name is not None)

    def meet(self, tensors: list[torch.Tensor], *, followed: bool) -> None:
        """The image meets views of parameters: the first time they become operators, where they can be followed."""
        tape = self._tape
        for tensor in tensors:
            view = self.viewed.get(id(tensor))
            if view is None:
                continue
            if followed and view.name not in tape.elsewhere and id(tensor) not in tape.ids:
                self._append(view)
            else:
                tape.elsewhere.add(view.name)

    def _append(self, view: Viewed) -> None:
        tape, source = self._tape, self.viewed.get(id(view.source))
        if source is not None and id(view.source) in tape.ids:  # another view of it was met before
            tape.elsewhere.add(view.name)
        elif source is not None:
            self._append(source)
        arguments = self._spelling.of(view.args)
        tape.append(view.target, arguments, {}, [view.source], [view.tensor], derived=False)


def _follows(target: str, args: tuple[Any, ...], shape: tuple[int, ...], parameter: int | None) -> bool:
    """Whether a view of so many numbers is one of fewer, all along the same axis, where there are fewer.

    Args:
        target: The operator.
        args: Its arguments, sizes as ``sizes.Size``.
        shape: The traced result.
        parameter: The parameter's value, where sizes that were read are among the arguments.
    """
    wide = [axis for axis, n in enumerate(shape) if n > 1]
    if len(wide) != 1:
        return False
    if target == "unsqueeze":
        return True
    sizes = args[1]
    if not isinstance(sizes, (list, tuple)) or len(sizes) != len(shape):  # of another type of number
        return False
    own = sizes[wide[0]]
    others = (*sizes[: wide[0]], *sizes[wide[0] + 1 :])
    return (_is(own, -1) or _is_own(own, parameter)) and all(_is(size, 1) or _is(size, -1) for size in others)


def _is_own(size: Size, parameter: int | None) -> bool:
    """Whether a size is how many numbers a parameter holds, and not computed from that; ``numel`` is once that."""
    if isinstance(size, Arithmetic):
        return size.operator == "*" and _is(size.left, 1) and _is_own(size.right, parameter)
    return parameter is not None and size == Axis(parameter, 0)


def _is(size: Size, number: int) -> bool:
    """Whether a size is that number in the code; an attribute that holds it is not."""
    return type(size) is int and size == number
