"""Standard output and error as they come: without some letters, full, or with nobody who reads."""

from __future__ import annotations

import codecs
import io
import os
import sys
from contextlib import suppress
from typing import Final

_HANDLER: Final = "yolo-prune-check-spelled"
_SPELLED: Final = {"→": "->", "✓": "+", "✗": "-", "–": "-", "…": "...", "×": "x"}


def prepare_streams() -> None:
    """Let letters that an encoding lacks be spelled: a locale must not turn a verdict into a traceback.

    The encoding stays what the user's system asks for; UTF-8 on a terminal that shows something else is unreadable.
    """
    codecs.register_error(_HANDLER, _spell)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


def _spell(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_SPELLED.get(letter, "?") for letter in error.object[error.start : error.end]), error.end


def abandon_streams() -> None:
    """Drop what could not be written. Python would try again when it exits, and fail with a message and a code."""
    for stream in (sys.__stdout__, sys.__stderr__):
        with suppress(OSError, ValueError, AttributeError):  # broken already, closed, or not there
            stream.flush()  # type: ignore[union-attr]  # see AttributeError
            continue
        with suppress(OSError, ValueError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())  # type: ignore[union-attr]  # see AttributeError
            os.close(nowhere)
