"""Where Python code computes with sizes and does not tell them: read from its source, not by running it.

A ``Dim`` hears what is asked of it. Python asks an ``int`` nothing for ``range(n)``, for ``math.log(n)`` and where a
float stands on its left (``0.5 * n``). These are looked up in the source of the function that reads the size.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType, FunctionType

Index = int | tuple[int | None, ...]  # a slice has no hash
_LIBRARIES = frozenset({"math", "np", "numpy", "cmath"})
_CALLS = frozenset({"range", "log", "log2", "log10"})
_TRANSPARENT = frozenset({"int", "min", "max", "sum", "abs", "round"})  # calls that make numbers of numbers
_READERS = frozenset({"size", "numel", "nelement"})


@dataclass(frozen=True)
class Read:
    """A size that code computes with unheard.

    Attributes:
        line: Line that reads it.
        path: The attributes behind ``self`` that hold it; empty where it is read from a tensor.
        within: What is taken of the tensor's shape, one index after the other; all of it if empty.
        used: Line that computes with it.
    """

    line: int
    path: tuple[str, ...]
    within: tuple[Index, ...]
    used: int

    def axes(self, rank: int) -> tuple[int, ...]:
        """Axes that are meant, of a tensor of so many."""
        found: range | int = range(rank)
        for index in self.within:
            try:
                if isinstance(found, range):
                    found = found[slice(*index) if isinstance(index, tuple) else index]
            except IndexError:
                return tuple(range(rank))
        return tuple(found) if isinstance(found, range) else (found,)


@dataclass(frozen=True)
class _Origin:
    line: int
    path: tuple[str, ...]
    within: tuple[Index, ...] = ()


_Origins = frozenset[_Origin]
_NONE: _Origins = frozenset()


@lru_cache(maxsize=4096)
def unheard_in(code: CodeType) -> tuple[Read, ...]:
    """Sizes that a function computes with unheard."""
    named = not (_CALLS | _LIBRARIES).isdisjoint(code.co_names)
    if not named and not any(isinstance(constant, float) for constant in code.co_consts):
        return ()
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(code)))
    except (OSError, SyntaxError):  # there is no source, or it is no statement by itself
        return ()
    scan = _Scan()
    for _ in range(2):  # a loop's body may read what comes after it
        scan.visit(tree)
    first = code.co_firstlineno - 1
    return tuple(
        Read(origin.line + first, origin.path, origin.within, used + first)
        for origin, used in sorted(scan.found, key=lambda item: (item[1], item[0].line))
    )


@lru_cache(maxsize=4096)
def attributes_unheard_in(kind: type) -> tuple[tuple[Read, CodeType], ...]:
    """Attributes that a module's forward, and what it calls of its own methods, compute with unheard."""
    if kind.__module__.partition(".")[0] == "torch":
        return ()
    waiting, seen = ["forward"], {"forward"}
    found: list[tuple[Read, CodeType]] = []
    while waiting:
        method = getattr(kind, waiting.pop(), None)
        if not isinstance(method, FunctionType) or method.__module__.partition(".")[0] == "torch":
            continue
        found += [(read, method.__code__) for read in unheard_in(method.__code__) if read.path]
        new = set(method.__code__.co_names) - seen
        seen |= new
        waiting += sorted(new)
    return tuple(found)


class _Scan(ast.NodeVisitor):
    """Follows sizes through the names of one function."""

    def __init__(self) -> None:
        self.names: dict[str, _Origins] = {}
        self.floats: set[str] = set()
        self.found: set[tuple[_Origin, int]] = set()

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        for target in node.targets:
            self._assign(target, node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.generic_visit(node)
        if node.value is not None:
            self._assign(node.target, node.value)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.generic_visit(node)
        self._assign(node.target, node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.generic_visit(node)
        self._meet(node.target, node.value, node.lineno)
        if isinstance(node.target, ast.Name):
            known = self.names.get(node.target.id, _NONE)
            self.names[node.target.id] = known | self._origins(node.value)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        self.generic_visit(node)
        self._meet(node.left, node.right, node.lineno)

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        if _called(node) in _CALLS or _root(node.func) in _LIBRARIES:
            for argument in node.args:
                self._use(self._origins(argument), node.lineno)

    def _meet(self, left: ast.expr, right: ast.expr, line: int) -> None:
        if self._is_float(left):
            self._use(self._origins(right), line)

    def _use(self, origins: _Origins, line: int) -> None:
        self.found |= {(origin, line) for origin in origins}

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, (ast.Tuple, ast.List)):
            if isinstance(value, (ast.Tuple, ast.List)) and len(value.elts) == len(target.elts):
                for one, other in zip(target.elts, value.elts, strict=True):
                    self._assign(one, other)
                return
            origins = self._origins(value)
            for index, name in _places(target.elts):
                self._name(name, _narrowed(origins, index))
        elif isinstance(target, ast.Name):
            self._name(target.id, self._origins(value))
            if self._is_float(value):
                self.floats.add(target.id)

    def _name(self, name: str, origins: _Origins) -> None:
        self.names[name] = self.names.get(name, _NONE) | origins

    def _is_float(self, node: ast.expr) -> bool:
        """Whether an expression is a float for certain, and has none of the sizes that hear of it by themselves."""
        if isinstance(node, ast.Constant):
            return isinstance(node.value, float)
        if isinstance(node, ast.Name):
            return node.id in self.floats
        if isinstance(node, ast.UnaryOp):
            return self._is_float(node.operand)
        if isinstance(node, ast.BinOp):
            return self._is_float(node.left) or self._is_float(node.right)
        return isinstance(node, ast.Call) and (_called(node) == "float" or _root(node.func) in _LIBRARIES)

    def _origins(self, node: ast.expr) -> _Origins:
        """Where the sizes in a number come from; what is a tensor has none."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, _NONE)
        if isinstance(node, ast.Attribute):
            if node.attr == "shape":
                return frozenset({_Origin(node.lineno, ())})
            path = _path(node)
            return frozenset({_Origin(node.lineno, path)}) if path else _NONE
        if isinstance(node, ast.Subscript):
            index = _index(node.slice)
            return _NONE if index is None else _narrowed(self._origins(node.value), index)
        if isinstance(node, ast.Call):
            return self._of_call(node)
        parts: list[ast.expr] = []
        if isinstance(node, ast.BinOp):
            parts = [node.left, node.right]
        elif isinstance(node, ast.UnaryOp):
            parts = [node.operand]
        elif isinstance(node, ast.IfExp):
            parts = [node.body, node.orelse]
        elif isinstance(node, (ast.Tuple, ast.List)):
            parts = node.elts
        return frozenset(origin for part in parts for origin in self._origins(part))

    def _of_call(self, node: ast.Call) -> _Origins:
        if isinstance(node.func, ast.Attribute) and node.func.attr in _READERS:
            index = _index(node.args[0]) if node.args else None
            return frozenset({_Origin(node.func.lineno, (), () if index is None else (index,))})
        if _called(node) in _TRANSPARENT or _root(node.func) in _LIBRARIES:
            return frozenset(origin for argument in node.args for origin in self._origins(argument))
        return _NONE


def _narrowed(origins: _Origins, index: Index) -> _Origins:
    """Origins of an entry, or some, of a shape."""
    return frozenset(origin if origin.path else _Origin(origin.line, (), (*origin.within, index)) for origin in origins)


def _places(targets: list[ast.expr]) -> Iterator[tuple[Index, str]]:
    """Names that a shape is unpacked into, each with its index; behind a star from the end."""
    starred = next((place for place, item in enumerate(targets) if isinstance(item, ast.Starred)), len(targets))
    for place, item in enumerate(targets):
        if isinstance(item, ast.Name):
            yield place if place < starred else place - len(targets), item.id
        elif isinstance(item, ast.Starred) and isinstance(item.value, ast.Name):
            yield (starred, starred - len(targets) + 1 or None), item.value.id


def _index(node: ast.expr) -> Index | None:
    """A constant index; None if it is not known."""
    with suppress(ValueError, TypeError):
        if isinstance(node, ast.Slice):
            return tuple(None if p is None else int(ast.literal_eval(p)) for p in (node.lower, node.upper, node.step))
        number = ast.literal_eval(node)
        return number if type(number) is int else None
    return None


def _path(node: ast.expr) -> tuple[str, ...]:
    """Attributes behind ``self``; empty for what starts elsewhere."""
    if isinstance(node, ast.Name):
        return ()
    if not isinstance(node, ast.Attribute):
        return ()
    before = _path(node.value)
    is_self = isinstance(node.value, ast.Name) and node.value.id == "self"
    return (*before, node.attr) if before or is_self else ()


def _called(node: ast.Call) -> str | None:
    return node.func.id if isinstance(node.func, ast.Name) else None


def _root(node: ast.expr) -> str | None:
    while isinstance(node, ast.Attribute):
        node = node.value
        if isinstance(node, ast.Name):
            return node.id
    return None
