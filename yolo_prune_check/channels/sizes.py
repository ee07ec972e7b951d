"""Sizes that remember where they came from.

A traced ``x.view(b, 4, 16, a)`` bakes in the numbers of the traced run. Where ``a`` was read from some tensor's shape,
a pruned model computes another number there; where it is an attribute of the module, it does not. ``Dim`` tells the
two apart: an ``int`` that also knows the expression that made it. ``Attribute`` is such an attribute's number, so that
whoever carries out a pruning knows which attribute to set.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

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


def mark_computed(item: Any) -> None:
    """Note that the attributes behind a size serve for something else than a size."""
    for attribute in attributes_in(item):
        attribute.computed.add((attribute.module, attribute.name))


def evaluate(size: Size, lookup: Lookup) -> int:
    """Value of a size, given the sizes of the axes it refers to."""
    return size if isinstance(size, int) else size.evaluate(lookup)


class Dim(int):
    """An ``int`` read from a tensor's shape, or computed from such, during tracing.

    Operators that are not listed here give a plain ``int``: the number is then taken as a constant. Equality is told to
    ``compared``, and whatever makes a fraction of it to ``measured``, if they are set. What
    Python does not ask an ``int`` for goes unnoticed: ``int(n)``, ``math.log(n)``, a float on the left (``0.5 * n``).
    """

    expression: Expression
    compared: ClassVar[Callable[[Dim, int], None] | None] = None
    measured: ClassVar[Callable[[Dim], None] | None] = None

    def __new__(cls, number: int, expression: Expression) -> Dim:
        """An int of this value with its expression."""
        dim = super().__new__(cls, number)
        dim.expression = expression
        return dim

    def __eq__(self, other: object) -> bool:
        mark_computed(self.expression)
        if isinstance(other, Dim):
            mark_computed(other.expression)
        if Dim.compared is not None and isinstance(other, int) and not isinstance(self.expression, Attribute):
            Dim.compared(self, other)
        return int.__eq__(self, other)

    __hash__ = int.__hash__


def as_size(number: int) -> Size:
    """The expression behind an int, or the int itself."""
    return number.expression if isinstance(number, Dim) else int(number)


def _arithmetic(symbol: str, *, reflected: bool) -> Callable[[Dim, Any], Any]:
    compute = _OPERATORS[symbol]

    def method(self: Dim, other: Any) -> Any:
        if not isinstance(other, int) or isinstance(other, bool):
            mark_computed(self.expression)
            if isinstance(other, float):
                _measure(self)
            return NotImplemented
        left, right = (other, self) if reflected else (self, other)
        return Dim(compute(int(left), int(right)), Arithmetic(symbol, as_size(left), as_size(right)))

    return method


for _symbol, _name in (("+", "add"), ("-", "sub"), ("*", "mul"), ("//", "floordiv"), ("%", "mod")):
    setattr(Dim, f"__{_name}__", _arithmetic(_symbol, reflected=False))
    setattr(Dim, f"__r{_name}__", _arithmetic(_symbol, reflected=True))


def _measure(size: Dim) -> None:
    if Dim.measured is not None:
        Dim.measured(size)


_FRACTIONS = frozenset({"__pow__", "__rpow__", "__truediv__", "__rtruediv__", "__float__"})


def _other_use(name: str) -> Callable[..., Any]:
    compute = getattr(int, name)

    def method(self: Dim, *operands: Any) -> Any:
        sizes = (self, *(operand for operand in operands if isinstance(operand, Dim)))
        mark_computed(tuple(size.expression for size in sizes))
        if name in _FRACTIONS:
            for size in sizes:
                _measure(size)
        return compute(self, *operands)

    return method


for _name in ("pow", "rpow", "truediv", "rtruediv", "neg", "float", "bool", "lt", "le", "gt", "ge", "ne"):
    setattr(Dim, f"__{_name}__", _other_use(f"__{_name}__"))
