"""How commands print."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Sequence
from typing import Final

from tabulate import tabulate


def say(text: str) -> None:
    """Print a result."""
    print(text, flush=True)


def complain(text: str) -> None:
    """Print a message on standard error."""
    print(text, file=sys.stderr, flush=True)


def say_json(value: object, *, indent: int | None = 2) -> None:
    """Print a value as JSON; dataclasses become objects of what they were made from.

    Letters are escaped where the output's encoding may lack them: JSON has to say the same everywhere.
    """
    narrow = "utf" not in (getattr(sys.stdout, "encoding", None) or "utf-8").lower()
    say(json.dumps(value, indent=indent, ensure_ascii=narrow, allow_nan=False, default=_plain))


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.init}
    raise TypeError(f"{type(value).__name__} is not JSON")


WIDTH: Final = 120
"""Columns that a line of output may take."""
_GAP = 2
_NARROW = 12
"""A column is not made narrower than this, so that names stay readable."""


def table(headers: Sequence[str], rows: Sequence[Sequence[str | int]]) -> str:
    """A plain table of at most ``WIDTH`` columns; long cells go on in the next line.

    Only columns of whole numbers go to the right: the address 2.10 is text, not 2.1.
    """
    sides = [
        "right" if rows and all(isinstance(cell, int) for cell in column) else "left"
        for column in zip(*rows, strict=True)
    ]
    widths = _widths(headers, rows)
    cells = [[wrapped(str(cell), width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    return str(tabulate(cells, headers, tablefmt="simple", disable_numparse=True, colalign=sides or None))


def _widths(headers: Sequence[str], rows: Sequence[Sequence[str | int]]) -> list[int]:
    """Width of each column: its longest cell's, taken from the widest columns where all do not fit."""
    widths = [len(header) + _GAP for header in headers]  # tabulate pads headers by as much
    for row in rows:
        widths = [max(width, len(str(cell))) for width, cell in zip(widths, row, strict=True)]
    while sum(widths) + _GAP * (len(widths) - 1) > WIDTH and max(widths) > _NARROW:
        widths[widths.index(max(widths))] -= 1
    return widths


def wrapped(text: str, width: int) -> str:
    """Text in lines of at most ``width``: broken at spaces, and a name that is longer at its dots.

    >>> print(wrapped("model.22.cv2.0[0:64], model.3.conv[0:64]", 21))
    model.22.cv2.0[0:64],
    model.3.conv[0:64]
    >>> print(wrapped("model.22.cv2.0.0.conv[0:64]", 20))
    model.22.cv2.0.0
    .conv[0:64]
    """
    if len(text) <= width:
        return text
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) <= width:
            line += f" {word}"
            continue
        lines.append(line)
        *full, line = _pieces(word, width)
        lines += full
    return "\n".join(filter(None, [*lines, line]))


def _pieces(word: str, width: int) -> list[str]:
    """A word in pieces of at most ``width``, broken before a dot if there is one."""
    pieces = []
    while len(word) > width:
        dot = word.rfind(".", 1, width + 1)
        cut = dot if dot > 0 else width
        pieces.append(word[:cut])
        word = word[cut:]
    return [*pieces, word]


def heading(text: str, body: str) -> str:
    """A titled part of the output."""
    return f"{text}\n\n{body}\n"


def hear_ultralytics() -> None:
    """Let Ultralytics talk; it asks the environment when it is imported."""
    os.environ["YOLO_VERBOSE"] = "true"
