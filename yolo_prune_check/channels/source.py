"""What the line of Python that is calling does with what it calls: read from its code, not by running it."""

from __future__ import annotations

import ast
import dis
import linecache
import sys
from functools import lru_cache
from types import CodeType, FrameType

_TRACING = ("torch.", "yolo_prune_check.channels.")


def outside_torch(frame: FrameType) -> FrameType:
    """The first caller that is not PyTorch's own: some of its functions are Python that calls another."""
    while frame.f_back is not None and is_torch(frame):
        frame = frame.f_back
    return frame


def is_torch(frame: FrameType) -> bool:
    """Whether a frame runs PyTorch's own code."""
    return bool(frame.f_globals.get("__name__", "").partition(".")[0] == "torch")


def user_frame() -> FrameType:
    """The first caller that is neither PyTorch's nor part of the tracing."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_TRACING):
        frame = frame.f_back
    return frame


def unpacked_into(frame: FrameType) -> int | None:
    """Into how many names a frame unpacks the result of the call it is in; None if it does not."""
    return _unpacks(frame.f_code, frame.f_lasti)


@lru_cache(maxsize=4096)
def _unpacks(code: CodeType, position: int) -> int | None:
    following = next((item for item in dis.get_instructions(code) if item.offset > position), None)
    if following is None or following.opname != "UNPACK_SEQUENCE":
        return None
    return following.arg


def assertion(frame: FrameType) -> str | None:
    """The message of the assertion that a frame is in, if that is a plain text; None if it is in none."""
    return _assertion(frame.f_code.co_filename, frame.f_lineno)


def place(frame: FrameType) -> str:
    """File, line and text of what a frame is at."""
    return line_of(frame.f_code.co_filename, frame.f_lineno)


def line_of(file: str, number: int) -> str:
    """File, line and text of a line of code."""
    return f"{file.rpartition('/')[2]}:{number} ({linecache.getline(file, number).strip()})"


@lru_cache(maxsize=4096)
def _assertion(file: str, number: int) -> str | None:
    line = linecache.getline(file, number).strip()
    if not line.startswith("assert "):
        return None
    try:
        (statement,) = ast.parse(line).body
    except SyntaxError:  # it goes on in the next line
        return None
    if not isinstance(statement, ast.Assert) or not isinstance(statement.msg, ast.Constant):
        return None
    return str(statement.msg.value)
