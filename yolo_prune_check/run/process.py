"""A scenario's own process, as seen from the one that starts it: what it says, and when it takes too much."""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import psutil

from yolo_prune_check.run.messages import Message, Task
from yolo_prune_check.spec.schema import Limits

_LOOK_S: Final = 0.1
"""How often time and memory are looked at."""
_EXIT_S: Final = 10.0
_MB: Final = 1e6


class Process:
    """A process that carries out a task, in a session of its own, from when it is made until it is closed.

    Attributes:
        why_ended: Once ``messages`` is exhausted: when it ended, and why, such as `after 600 s`, `the limit is 600 s`.
        limited: Whether that was because of a limit.
    """

    def __init__(self, task: Task, limits: Limits) -> None:
        start = f"import sys; sys.path[:] = {sys.path!r}; from yolo_prune_check.run.child import serve; serve()"
        self._begin = time.monotonic()
        self._limits = limits
        self._popen = subprocess.Popen(
            [sys.executable, "-c", start], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        self._inbox: queue.Queue[Message | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.why_ended = ("", "")
        self.limited = False
        if self._popen.stdin is not None:
            with suppress(BrokenPipeError):  # it ended at once: its exit code is told
                pickle.dump(task, self._popen.stdin)
                self._popen.stdin.flush()

    def messages(self) -> Iterator[Message]:
        """What it says, until it dies or exceeds a limit."""
        looked = 0.0
        while True:
            try:
                message = self._inbox.get(timeout=_LOOK_S)
            except queue.Empty:
                pass
            else:
                if message is None:
                    self.why_ended = _death(self._exit_code())
                    return
                yield message
            if time.monotonic() - looked < _LOOK_S:
                continue
            looked = time.monotonic()
            excess = self._excess()
            if excess is not None:
                self.why_ended, self.limited = excess, True
                return

    def close(self) -> None:
        """End it, if it has not ended by itself, and, however it ended, the processes that it started."""
        # Its group, since those whose starter died before them are nobody's children any more.
        with suppress(ProcessLookupError, PermissionError):  # all have ended; macOS says so where one is not waited for
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        self._reader.join()
        for stream in (self._popen.stdin, self._popen.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):  # what it was never told
                    stream.close()

    def _read(self) -> None:
        try:
            with suppress(EOFError, pickle.UnpicklingError):  # it ended, maybe in the midst of a message
                while self._popen.stdout is not None:
                    self._inbox.put(pickle.load(self._popen.stdout))
        finally:
            self._inbox.put(None)

    def _exit_code(self) -> int:
        """Of a process that says no more, and so is about to end, or is made to."""
        with suppress(subprocess.TimeoutExpired):
            return self._popen.wait(_EXIT_S)
        self._popen.kill()
        return self._popen.wait()

    def _excess(self) -> tuple[str, str] | None:
        seconds, megabytes = self._limits.seconds, self._limits.memory_mb
        if seconds is not None and time.monotonic() - self._begin > seconds:
            return f"after {seconds:g} s", f"the limit is {seconds:g} s"
        if megabytes is not None and self._memory() > megabytes * _MB:
            return f"above {megabytes:g} MB of memory", f"the limit is {megabytes:g} MB"
        return None

    def _memory(self) -> int:
        """Resident bytes."""
        total = 0
        for process in self._family():
            with suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total

    def _family(self) -> list[psutil.Process]:
        if self._popen.poll() is not None:
            return []
        with suppress(psutil.NoSuchProcess):
            root = psutil.Process(self._popen.pid)
            return [*root.children(recursive=True), root]
        return []


def _death(code: int) -> tuple[str, str]:
    if code >= 0:
        return "as its process died", f"it ended with exit code {code}"
    name = signal.Signals(-code).name
    hint = ", as the system does when memory runs out" if name == "SIGKILL" else ""
    return "as its process died", f"it was ended by {name}{hint}"
