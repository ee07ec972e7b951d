"""Exit codes."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from yolo_prune_check.run.record import Record


class Exit(IntEnum):
    """What the command line says to a script."""

    EXPECTED = 0
    """Everything is as expected."""
    DIFFERS = 1
    """A verdict or a budget differs from the expected one."""
    BAD_INPUT = 2
    """A spec, model, option or file cannot be used."""
    REFUTED = 3
    """A prediction was refuted: a defect of this tool."""
    INTERNAL = 70
    """This tool broke: a traceback says where (``EX_SOFTWARE`` of sysexits.h)."""
    LOST = 75
    """What worked on it died, which is nobody's input; the same command may well succeed (``EX_TEMPFAIL`` there)."""
    INTERRUPTED = 130
    """Ctrl-C."""
    UNREAD = 141
    """Nobody reads the output any more, as in ``| head``: what a shell reports of a tool that SIGPIPE ends."""


def exit_code(records: Sequence[Record]) -> Exit:
    """The gravest of what happened."""
    if any(record.agrees is False for record in records):
        return Exit.REFUTED
    if any(record.verdict == "not-started" for record in records):
        return Exit.BAD_INPUT
    return Exit.EXPECTED if all(record.passed for record in records) else Exit.DIFFERS
