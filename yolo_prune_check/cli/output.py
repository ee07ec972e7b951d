"""How commands print."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Sequence

from tabulate import tabulate


def say(text: str) -> None:
    """Print a result."""
    print(text, flush=True)


def complain(text: str) -> None:
    """Print a message on standard error."""
    print(text, file=sys.stderr, flush=True)


def say_json(value: object, *, indent: int | None = 2) -> None:
    """Print a value as JSON; dataclasses become objects."""
    say(json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False, default=_plain))


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def table(headers: Sequence[str], rows: Sequence[Sequence[str | int]]) -> str:
    """A plain table. Only columns of whole numbers go to the right: the address 2.10 is text, not 2.1."""
    sides = [
        "right" if rows and all(isinstance(cell, int) for cell in column) else "left"
        for column in zip(*rows, strict=True)
    ]
    cells = [[str(cell) for cell in row] for row in rows]
    return str(tabulate(cells, headers, tablefmt="simple", disable_numparse=True, colalign=sides or None))


def heading(text: str, body: str) -> str:
    """A titled part of the output."""
    return f"{text}\n\n{body}\n"


def hear_ultralytics() -> None:
    """Let Ultralytics talk; it asks the environment when it is imported."""
    os.environ["YOLO_VERBOSE"] = "true"
