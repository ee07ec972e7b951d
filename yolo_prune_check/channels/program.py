"""The traced forward pass: values, the operators between them, and the module calls around those."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from yolo_prune_check.channels.numbers import Numbers

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Ref:
    """A tensor among an operator's arguments: the id of its value."""

    value: int


class Value(NamedTuple):
    """A tensor of the traced pass: a tuple, for a trace makes hundreds, and a frozen dataclass is slow to make.

    Attributes:
        id: Its number.
        shape: Its traced shape.
        parameter: Qualified name, if it is a parameter or buffer of the model.
        derived: Whether it depends on the image; all else is constant under any plan but for ``parameter``, and for a
            view of a parameter that an operator makes.
    """

    id: int
    shape: tuple[int, ...]
    parameter: str | None
    derived: bool


@dataclass(frozen=True, slots=True)
class Op:
    """One operator call on values that depend on the image, or a view of a parameter that meets such a value.

    Attributes:
        target: Canonical operator name: ATen's without overload and in-place mark; or a function that ATen does not see
            as such (``chunk``, ``matmul``, ``linear``, ``reshape``, …); or ``overwritten``: the first operand's memory
            was written into through the second, which is a view of it; or what Python code does with sizes: ``assert``
            in an assertion, ``branch`` in any other comparison, ``size_as_number`` where it makes of one what is not
            followed.
        module: Qualified name of the innermost module whose forward was running.
        args: Arguments in schema order; tensors as ``Ref``, sizes as ``sizes.Size``.
        inputs: Ids of all tensor arguments, in order, lists flattened.
        outputs: Ids of the tensors that came out.
        in_place: Whether the result was written into the first operand.
        unpacked: Number of names that the calling line unpacks the results into, where it does.
        enough: How few results there may be for the calling code to go the same way and take the last one there is for
            the last, see ``pieces.enough_pieces``; None where that is not known.
    """

    index: int
    target: str
    module: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    in_place: bool = False
    unpacked: int | None = None
    enough: int | None = None


class ModuleCall(NamedTuple):
    """One forward of one module; a tuple as a value is.

    Attributes:
        inputs: Values of its positional tensor arguments.
        output: Value it returned, or None if it returned no single tensor.
        first: Index of the first operator inside.
        stop: Index after the last operator inside.
        is_leaf: Whether it has no submodules.
        class_name: Name of its class.
        family: Its class and the classes that that one is made of, each with the file it comes from:
            ``torch.nn.modules.conv.Conv2d``.
        returned: Values of all tensors that it returned.
        sized: Value by whose shape torchinfo counts: ``output``, or the first of what it returned; of a dict, of its
            last entry. Of leaves only; None if that is no tensor with axes.
    """

    name: str
    inputs: tuple[int, ...]
    output: int | None
    first: int
    stop: int
    is_leaf: bool
    class_name: str
    family: tuple[str, ...]
    returned: tuple[int, ...]
    sized: int | None


@dataclass(frozen=True)
class Filter:
    """What a prediction needs of a convolution's weight, without the weight.

    Attributes:
        shape: ``(out, in / groups, *kernel)``.
        live: ``[out]``, False where a whole filter is zero.
        support: ``[out, in / groups]``, False where a kernel slice is zero; None when all slices of live filters are
            non-zero.
        values: The numbers, for whoever asks for some of them; None where they are not known.
    """

    shape: tuple[int, ...]
    live: BoolArray
    support: BoolArray | None
    values: Numbers | None = None

    @cached_property
    def dense(self) -> bool:
        """Whether no kernel slice is zero."""
        return self.support is None and bool(self.live.all())


@dataclass(frozen=True)
class Program:
    """A traced forward pass.

    Attributes:
        values: All values, by id.
        ops: The operators that touch the image, in execution order.
        calls: Module calls, in the order in which they returned.
        image: Value of the input.
        outputs: Values of the model's output tensors.
        vectors: One-dimensional parameters and buffers by qualified name, in float64.
        filters: Weights of convolutions by qualified name.
        constants: Numbers of other small tensors that do not depend on the image, by value.
        sizes: Number of elements of every parameter of the model, by qualified name; one that several modules hold has
            as many names.
        computed: Module attributes, by module and name, that the pass used for more than the sizes of tensors.
        tied: For every name of a parameter or buffer that has several, the first of them.
        unvisited: Modules with parameters of which the pass read none, in module order.
        elsewhere: Parameters and buffers of which the pass made something that no operator here holds.
    """

    values: tuple[Value, ...]
    ops: tuple[Op, ...]
    calls: tuple[ModuleCall, ...]
    image: int
    outputs: tuple[int, ...]
    vectors: dict[str, FloatArray]
    filters: dict[str, Filter]
    constants: dict[int, FloatArray]
    sizes: dict[str, int]
    computed: frozenset[tuple[str, str]] = frozenset()
    tied: Mapping[str, str] = field(default_factory=dict)
    unvisited: tuple[str, ...] = ()
    elsewhere: frozenset[str] = frozenset()
