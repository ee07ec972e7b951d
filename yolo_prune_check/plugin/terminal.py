"""Progress and chatter while an item runs."""

from __future__ import annotations

import os
import sys
from typing import TextIO

import pytest

from yolo_prune_check.progress import Progress, progress

TERMINAL = pytest.StashKey[TextIO]()
"""The terminal itself, past pytest's capturing; only where there is one."""


def open_terminal(config: pytest.Config) -> None:
    """Keep a way to the terminal that capturing, which is not on yet, will not redirect."""
    if hasattr(config, "workerinput") or config.getoption("capture") == "no" or not sys.stderr.isatty():
        return
    config.stash[TERMINAL] = os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8", errors="replace")


def close_terminal(config: pytest.Config) -> None:
    """Let go of the terminal."""
    if TERMINAL in config.stash:
        config.stash[TERMINAL].close()
        del config.stash[TERMINAL]


def progress_of(config: pytest.Config) -> Progress:
    """Progress of long scenarios: on a terminal, or with ``-s``; else it would only fill the captured output."""
    if config.getoption("capture") == "no":
        return progress()
    if TERMINAL not in config.stash:
        return progress(quiet=True)
    stream = config.stash[TERMINAL]
    stream.write("\n")  # pytest left the cursor behind the name of the file
    stream.flush()
    return progress(stream=stream)


def hear_ultralytics(config: pytest.Config) -> None:
    """With ``-v`` let Ultralytics talk; it is silent otherwise. It asks the environment when it is imported."""
    if config.get_verbosity() > 0:
        os.environ["YOLO_VERBOSE"] = "true"
