"""Sizes that remember where they came from.

A traced ``x.view(b, 4, 16, a)`` bakes in the numbers of the traced run. Where ``a`` was read from some tensor's shape,
a pruned model computes another number there; where it is an attribute of the module, it does not. ``Dim`` tells the
two apart: an ``int`` that also knows the expression that made it. ``Attribute`` is such an attribute's number, so that
whoever carries out a pruning knows which attribute to set.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from operator import index
from typing import Any

AttributeKey = tuple[str, str, int | None]
Lookup = Callable[[int, int], int]

_OPERATORS: Mapping[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "%": operator.mod,
}


@dataclass(frozen=True)
class Axis:
    """Size of one axis of a traced value."""

    value: int
    axis: int

    def evaluate(self, lookup: Lookup) -> int:
        """Size of the axis where ``lookup(value, axis)`` gives sizes."""
        return lookup(self.value, self.axis)


@dataclass(frozen=True)
class Arithmetic:
    """Integer arithmetic on sizes."""

    operator: str
    left: Size
    right: Size

    def evaluate(self, lookup: Lookup) -> int:
        """Result where ``lookup(value, axis)`` gives sizes."""
        return _OPERATORS[self.operator](evaluate(self.left, lookup), evaluate(self.right, lookup))


class Attribute(int):
    """Number that a module holds in an attribute, or in a list there.

    Attributes:
        module: Qualified name of the module.
        name: Name of the attribute.
        index: Position in the list; None for a number by itself.
        whole: The list; empty for a number by itself.
        computed: Attributes that the pass used for more than sizes; shared by all of a trace.
    """

    module: str
    name: str
    index: int | None
    whole: tuple[int, ...]
    computed: set[tuple[str, str]]

    def __new__(
        cls,
        number: int,
        module: str,
        name: str,
        computed: set[tuple[str, str]],
        index: int | None = None,
        whole: tuple[int, ...] = (),
    ) -> Attribute:
        """That number of that attribute."""
        made = super().__new__(cls, number)
        made.module, made.name, made.index, made.whole, made.computed = module, name, index, whole, computed
        return made

    @property
    def key(self) -> AttributeKey:
        """What tells it from others."""
        return self.module, self.name, self.index


Expression = Axis | Arithmetic | Attribute
Size = int | Axis | Arithmetic


def attributes_in(item: Any) -> Iterator[Attribute]:
    """Attributes that an argument was computed from."""
    if isinstance(item, Attribute):
        yield item
    elif isinstance(item, Arithmetic):
        yield from attributes_in(item.left)
        yield from attributes_in(item.right)
    elif isinstance(item, tuple):
        for part in item:
            yield from attributes_in(part)


def sized(item: Any) -> Iterator[Axis]:
    """Axes that an argument refers to."""
    if isinstance(item, Axis):
        yield item
    elif isinstance(item, Arithmetic):
        yield from sized(item.left)
        yield from sized(item.right)
    elif isinstance(item, tuple):
        for part in item:
            yield from sized(part)


def has_axis(size: Size | float) -> bool:
    """Whether a size was computed from that of a tensor."""
    if isinstance(size, Arithmetic):
        return has_axis(size.left) or has_axis(size.right)
    return isinstance(size, Axis)


def mark_computed(item: Any) -> None:
    """Note that the attributes behind a size serve for something else than a size."""
    for attribute in attributes_in(item):
        attribute.computed.add((attribute.module, attribute.name))


def evaluate(size: Size, lookup: Lookup) -> int:
    """Value of a size, given the sizes of the axes it refers to."""
    return size if isinstance(size, int) else size.evaluate(lookup)


Heard = Callable[["Dim", str, float, bool], None]
compared: ContextVar[Heard | None] = ContextVar("compared", default=None)
"""Told of every comparison of a size: the size, the comparison, what it is compared with, and the outcome."""


measured: ContextVar[Callable[[Dim], None] | None] = ContextVar("measured", default=None)
"""Told of every size that Python code makes something else of: a fraction, a plain number, a text."""


class Remembered(int):
    """A size that a module remembers from an earlier pass: whether it is still the same decides about caches alone."""


class Dim(int):
    """An ``int`` read from a tensor's shape, or computed from such, during tracing.

    Comparisons are told to ``compared``, and whatever makes another number or a text of it to ``measured``, if they are
    set. What Python does not ask an ``int`` for is looked up in the source (``unheard``).
    """

    expression: Expression

    def __new__(cls, number: int, expression: Expression) -> Dim:
        """An int of this value with its expression."""
        dim = super().__new__(cls, number)
        dim.expression = expression
        return dim

    def __neg__(self) -> Dim:
        return Dim(-index(self), Arithmetic("-", 0, self.expression))

    __hash__ = int.__hash__


def as_size(number: int) -> Size:
    """The expression behind an int, or the int itself."""
    return number.expression if isinstance(number, Dim) else index(number)


def _arithmetic(symbol: str, *, reflected: bool) -> Callable[[Dim, Any], Any]:
    compute = _OPERATORS[symbol]

    def method(self: Dim, other: Any) -> Any:
        if not isinstance(other, int) or isinstance(other, bool):
            mark_computed(self.expression)
            if not hasattr(other, "__torch_function__"):  # an operator on tensors is recorded with this size
                _measure(self)
            return NotImplemented
        left, right = (other, self) if reflected else (self, other)
        return Dim(compute(index(left), index(right)), Arithmetic(symbol, as_size(left), as_size(right)))

    return method


for _symbol, _name in (("+", "add"), ("-", "sub"), ("*", "mul"), ("//", "floordiv"), ("%", "mod")):
    setattr(Dim, f"__{_name}__", _arithmetic(_symbol, reflected=False))
    setattr(Dim, f"__r{_name}__", _arithmetic(_symbol, reflected=True))


def _measure(size: Dim) -> None:
    hear = measured.get()
    if hear is not None:
        hear(size)


def _other_use(name: str) -> Callable[..., Any]:
    compute = getattr(int, name)

    def method(self: Dim, *operands: Any) -> Any:
        sizes = (self, *(operand for operand in operands if isinstance(operand, Dim)))
        mark_computed(tuple(size.expression for size in sizes))
        for size in sizes:
            _measure(size)
        return compute(self, *operands)

    return method


for _name in (
    *("pow", "rpow", "truediv", "rtruediv", "divmod", "rdivmod", "float", "int", "round", "trunc", "floor", "ceil"),
    *("and", "rand", "or", "ror", "xor", "rxor", "lshift", "rlshift", "rshift", "rrshift", "invert", "str", "format"),
):
    setattr(Dim, f"__{_name}__", _other_use(f"__{_name}__"))


def _comparison(symbol: str, name: str) -> Callable[..., Any]:
    compute = getattr(int, name)

    def method(self: Dim, *operands: Any) -> Any:
        mark_computed((self.expression, *(operand.expression for operand in operands if isinstance(operand, Dim))))
        outcome = compute(self, *operands)
        other, hear = operands[0] if operands else 0, compared.get()
        if hear is not None and isinstance(other, (int, float)) and type(other) is not Remembered:
            known = outcome is not NotImplemented  # an int leaves it to a float
            hear(self, symbol, other, bool(outcome) if known else bool(getattr(float(index(self)), name)(other)))
        return outcome

    return method


for _symbol, _name in (
    ("==", "eq"),
    ("!=", "ne"),
    ("<", "lt"),
    ("<=", "le"),
    (">", "gt"),
    (">=", "ge"),
    ("!=", "bool"),
):
    setattr(Dim, f"__{_name}__", _comparison(_symbol, f"__{_name}__"))
