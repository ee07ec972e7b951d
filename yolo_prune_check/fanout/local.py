"""Processes of this machine, one for each item that is worked on at a time."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from typing import Any, Final

from joblib.externals.loky.process_executor import (
    BrokenProcessPool,
    ProcessPoolExecutor,
    ShutdownExecutorError,
)

from yolo_prune_check.fanout.place import StoppedError, WorkerDiedError
from yolo_prune_check.fanout.work import carry_out

_LOOK_S: Final = 1.0
_IDLE_S: Final = 300.0
"""A process with nothing to do for so long ends, as in a cluster whose user was killed; the next item starts one."""


class LocalProcesses:
    """Loky's processes, in pools of one: if a process of a larger pool dies, loky ends all others of that pool."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: set[Any] = set()
        self._idle: list[Any] = []
        self._stopped = False

    def run(self, work: bytes) -> bytes:
        """See ``Place``."""
        return self.begin(work)()

    def begin(self, work: bytes) -> Callable[[], bytes]:
        """Hand work to a process, which is started if none is idle; what is returned waits for it, see ``run``."""
        while True:
            pool = self._take()
            try:
                with _as_a_parent():
                    future = pool.submit(carry_out, work)
            except ShutdownExecutorError as error:
                raise StoppedError from error
            except BrokenProcessPool:  # it died while it was idle, which costs nothing
                with self._lock:
                    self._all.discard(pool)
                continue
            return lambda: self._outcome(pool, future)

    def _outcome(self, pool: Any, future: Any) -> bytes:
        try:
            outcome: bytes = future.result()
        except BrokenProcessPool as error:
            with self._lock:
                self._all.discard(pool)
                stopped = self._stopped
            if stopped:
                raise StoppedError from error
            pool.shutdown(wait=True, kill_workers=True)
            raise WorkerDiedError(_how(str(error))) from error
        except (ShutdownExecutorError, CancelledError) as error:
            raise StoppedError from error
        with self._lock:
            self._idle.append(pool)
        return outcome

    def _take(self) -> Any:
        with self._lock:
            if self._stopped:
                raise StoppedError
            if self._idle:
                return self._idle.pop()
            pool = ProcessPoolExecutor(max_workers=1, timeout=_IDLE_S, initializer=_begin, initargs=(os.getpid(),))
            self._all.add(pool)
            return pool

    def stop(self) -> None:
        """Kill all processes, with all that they started."""
        with self._lock:
            self._stopped = True
            pools, self._all, self._idle = self._all, set(), []
        for pool in pools:
            pool.shutdown(wait=True, kill_workers=True)


@contextmanager
def _as_a_parent() -> Iterator[None]:
    """Let this process start others. Workers of dask are daemons, which may not: multiprocessing would not end them.

    They end by themselves, see ``_end_with``.
    """
    config: dict[str, Any] = multiprocessing.current_process()._config  # type: ignore[attr-defined]  # no other way
    before = config.get("daemon")
    config["daemon"] = False
    try:
        yield
    finally:
        config["daemon"] = before


def _how(text: str) -> str:
    """By which signal or exit code, if loky says so."""
    codes = re.search(r"exit codes of the workers are \{(.+?)\}", text)
    return codes[1] if codes else "for an unknown reason"


def _begin(starter: int) -> None:
    """Prepare a process that was just started."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the process that started this one, which ends it
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no result
    threading.Thread(target=_end_with, args=(starter,), daemon=True).start()


def _end_with(starter: int) -> None:
    """End this process, which is in the midst of work that nobody waits for, soon after the one that started it."""
    wait = threading.Event()
    while os.getppid() == starter:
        wait.wait(_LOOK_S)
    import psutil

    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            child.kill()
    os.kill(os.getpid(), signal.SIGKILL)
