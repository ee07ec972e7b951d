"""What the code that cuts a tensor into pieces does with fewer of them: read from its source, not by running it."""

from __future__ import annotations

import ast
import inspect
import linecache
import tokenize
from collections.abc import Mapping
from functools import lru_cache
from types import CodeType, FrameType

import torch

_CUTS = frozenset({"chunk", "split"})
_GROWS = frozenset({"append", "extend"})
_JOINS = frozenset({"cat", "concat", "concatenate", "stack"})
_SEES_NAMES = frozenset({"locals", "vars", "eval", "exec"})
_Parents = Mapping[ast.AST, ast.AST]


def enough_pieces(frame: FrameType) -> int | None:
    """How few pieces the code that cuts a tensor takes as it takes more; None if that is not to be told.

    It is where the pieces become a list with a name, and all that the code does with the name is to take the last
    entry or one with a constant number from the start, to append, and to have PyTorch join all entries.
    """
    known = frame.f_globals
    if known.get("torch", torch) is not torch or "list" in known or "tuple" in known:
        return None
    return _enough(frame.f_code, frame.f_lasti)


@lru_cache(maxsize=4096)
def _enough(code: CodeType, position: int) -> int | None:
    function = _function(code)
    if function is None or "torch" in (*code.co_varnames, *code.co_cellvars, *code.co_freevars):
        return None
    _, line, _, column = list(code.co_positions())[position // 2]
    nodes = list(ast.walk(function))
    parents = {child: node for node in nodes for child in ast.iter_child_nodes(node)}
    ending = (node for node in nodes if isinstance(node, ast.Call))
    call = next((node for node in ending if (node.end_lineno, node.end_col_offset) == (line, column)), None)
    name = None if call is None else _assigned(call, parents)
    if name is None or not _is_plain(name, nodes):
        return None
    uses = [_needs(node, parents) for node in nodes if isinstance(node, ast.Name) and node.id == name]
    return None if None in uses else max(filter(None, uses), default=1)


def _function(code: CodeType) -> ast.FunctionDef | None:
    """The source of a function, with the lines' numbers in the file; None if there is none."""
    first = code.co_firstlineno
    lines = linecache.getlines(code.co_filename)[first - 1 :]
    try:
        block = inspect.getblock(lines)
        inner = lines[0][:1].isspace()
        (function,) = ast.parse("if 1:\n" * inner + "".join(block)).body
        if inner and isinstance(function, ast.If):
            (function,) = function.body
    except (SyntaxError, tokenize.TokenError, IndexError, ValueError):
        return None
    if not isinstance(function, ast.FunctionDef) or function.name != code.co_name:
        return None
    ast.increment_lineno(function, first - 1 - inner)
    return function


def _assigned(call: ast.Call, parents: _Parents) -> str | None:
    """The name that the pieces get, as they are or in a list of their own."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in _CUTS:
        return None
    made = parents[call]
    if isinstance(made, ast.Call) and made.args == [call] and not made.keywords:
        if not isinstance(made.func, ast.Name) or made.func.id not in ("list", "tuple"):
            return None
        made = parents[made]
    if not isinstance(made, ast.Assign) or len(made.targets) > 1 or not isinstance(made.targets[0], ast.Name):
        return None
    return made.targets[0].id


def _is_plain(name: str, nodes: list[ast.AST]) -> bool:
    """Whether a function gives a name a value but once, to itself alone, and asks for no names at run time."""
    return sum(_gives(name, node) for node in nodes) == 1 and not any(
        (isinstance(node, (ast.Global, ast.Nonlocal)) and name in node.names)
        or (isinstance(node, ast.Name) and node.id in _SEES_NAMES)
        or (isinstance(node, ast.Name) and node.id in ("list", "tuple") and not isinstance(node.ctx, ast.Load))
        or (isinstance(node, ast.arg) and node.arg in (name, "list", "tuple", "torch"))
        for node in nodes
    )


def _gives(name: str, node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == name and not isinstance(node.ctx, ast.Load)


def _needs(name: ast.Name, parents: _Parents) -> int | None:
    """How many pieces one use of their name takes for granted; None if that is not known."""
    user = parents[name]
    if not isinstance(name.ctx, ast.Load):
        return 1
    if isinstance(user, ast.Subscript) and user.value is name and isinstance(user.ctx, ast.Load):
        return _needed_for(user.slice)
    if isinstance(user, ast.Attribute):
        called = parents[user]
        return 1 if user.attr in _GROWS and isinstance(called, ast.Call) and called.func is user else None
    if not isinstance(user, ast.Call) or user.args[:1] != [name] or not isinstance(user.func, ast.Attribute):
        return None
    owner = user.func.value
    joins = isinstance(owner, ast.Name) and owner.id == "torch" and user.func.attr in _JOINS
    return 1 if joins else None


def _needed_for(index: ast.expr) -> int | None:
    if isinstance(index, ast.Constant) and type(index.value) is int:
        return index.value + 1
    last = isinstance(index, ast.UnaryOp) and isinstance(index.op, ast.USub) and isinstance(index.operand, ast.Constant)
    return 1 if last and ast.unparse(index) == "-1" else None
