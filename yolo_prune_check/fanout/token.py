"""A file by which workers know that they are waited for: it is touched as long as the process lives that waits."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from yolo_prune_check.errors import UserError

BEAT_S: Final = 20.0
"""Between two touches."""
SILENT_S: Final = 600.0
"""Without one, whoever waited was killed, or its machine is gone. A machine that sleeps for less goes on."""
_LOOK_S: Final = 1.0


@contextmanager
def waiting(*, beat_s: float = BEAT_S) -> Iterator[Path]:
    """The file, in the working directory, while somebody waits.

    Raises:
        UserError: The working directory cannot be written to.
    """
    folder, done = Path.cwd(), threading.Event()
    try:
        file = tempfile.NamedTemporaryFile(dir=folder, prefix=".yolo-prune-check-")  # noqa: SIM115  # closed below
    except OSError as error:
        what = f"the working directory cannot be written to ({error.strerror or error}), and so not be shared"
        raise UserError(what, where=str(folder), hint="Run in a folder that can be written to.") from error

    def touch() -> None:
        while not done.wait(beat_s):
            with suppress(OSError):  # a network file system that is away for a moment, or somebody removed the file
                os.utime(file.name)

    with file:
        threading.Thread(target=touch, daemon=True).start()
        try:
            yield Path(file.name)
        finally:
            done.set()


def wait_until_left(token: Path, *, silent_s: float = SILENT_S) -> None:
    """Return when nobody waits any more: the file is gone, or was not touched for long, and then it is removed.

    Times are told by the file alone against this process's own clock: clocks of machines differ.
    """
    pause, seen, since = threading.Event(), -1, time.monotonic()
    while not pause.wait(_LOOK_S):
        try:
            touched = token.stat().st_mtime_ns
        except FileNotFoundError:
            return
        except OSError:  # a network file system that is away for a moment
            continue
        if touched != seen:
            seen, since = touched, time.monotonic()
        elif time.monotonic() - since > silent_s:
            token.unlink(missing_ok=True)
            return
