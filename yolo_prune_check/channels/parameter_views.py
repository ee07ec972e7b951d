"""Copies and views of parameters that still are these, until the image meets them or something else is made of them."""

from __future__ import annotations

from operator import index
from typing import Any

import torch

from yolo_prune_check.channels.spelling import Spelling
from yolo_prune_check.channels.tape import Tape
from yolo_prune_check.channels.trees import integers_in
from yolo_prune_check.channels.viewed import Viewed, follows


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
        if not follows(target, arguments, tuple(map(index, output.shape)), parameter):
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
