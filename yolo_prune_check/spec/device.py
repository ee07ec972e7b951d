"""How devices are named: as in Ultralytics' `device`."""

from __future__ import annotations

import re

from yolo_prune_check.errors import UserError

CPU = "cpu"
HINT = 'Write cpu, the number of a GPU such as 0 (or cuda:0), or several such as "0,1".'

_GPUS = re.compile(r"(cuda:)?\d{1,4}( *, *(cuda:)?\d{1,4})*", re.ASCII)


def read_device(asked: object, *, where: str | None = None) -> str:
    """The devices that a user names, as Ultralytics writes them; whether they are there is not looked at.

    Args:
        asked: `cpu`, the number of a GPU, `cuda:` and that number, `cuda` for the first, several with commas between,
            or a list of numbers.
        where: The place for the message.

    Returns:
        `cpu`, or the numbers of one or several GPUs: `0`, `0,1`.

    Raises:
        UserError: It names no device, or one twice.

    >>> read_device(0), read_device("cuda:1"), read_device([0, 1])
    ('0', '1', '0,1')
    """
    if asked == CPU:
        return CPU
    text = "0" if asked == "cuda" else _text(asked)
    if text in ("mps", "mps:0"):
        raise UserError("Apple's GPUs are not supported", where=where, value=asked, hint=HINT)
    if not _GPUS.fullmatch(text):
        raise UserError("not a device", where=where, value=asked, hint=HINT)
    numbers = [int(number) for number in text.replace("cuda:", "").split(",")]
    for number in numbers:
        if numbers.count(number) > 1:
            raise UserError(f"GPU {number} is named twice", where=where, value=asked, hint="Name each once.")
    return ",".join(map(str, numbers))


def _text(asked: object) -> str:
    """What was written, with commas between the items of a list of numbers; nothing for what is no name at all."""
    if isinstance(asked, str):
        return asked.strip()
    items = asked if isinstance(asked, list) else [asked]
    return ",".join(map(str, items)) if all(type(item) is int for item in items) else ""
