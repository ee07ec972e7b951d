"""The process of a scenario with limits: it runs the scenario and says what happens, until it is done or ended."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import BinaryIO

import torch

from yolo_prune_check.errors import UserError
from yolo_prune_check.run.engine import run_here
from yolo_prune_check.run.messages import Message, Raised, Said, Task, TaskAdvanced, TaskBegan, TaskEnded


def serve() -> None:
    """Run the ``Task`` that comes in by standard input; send messages by standard output.

    Standard input stays open as long as the process that started this one lives: its end is the end of this one, and of
    what this one started. This process leads a group of its own, see ``Process``.
    """
    outgoing = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what anybody prints is no message
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the one that started this process, which ends it
    task: Task = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_end_with_starter, daemon=True).start()
    torch.set_num_threads(task.threads)
    send = _Sender(outgoing)
    try:
        for event in run_here(task.scenario, task.way, _SentProgress(send)):
            send(event)
    except UserError as error:
        send(Raised(error))
    except Exception:  # noqa: BLE001  # a defect: the process that started this one raises it
        send(Raised(traceback.format_exc()))


def _end_with_starter() -> None:
    os.read(sys.stdin.fileno(), 1)  # unbuffered: a buffer's lock, held by this thread, would be in the way of exiting
    os.killpg(os.getpid(), signal.SIGKILL)  # all are in the midst of work that nobody waits for any more


class _Sender:
    def __init__(self, outgoing: BinaryIO) -> None:
        self._outgoing = outgoing
        self._lock = threading.Lock()

    def __call__(self, message: Message) -> None:
        with self._lock:
            pickle.dump(message, self._outgoing)
            self._outgoing.flush()


class _SentProgress:
    """Progress that is shown by the process that started this one."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send = send
        self._numbers = count()

    def line(self, text: str) -> None:
        self._send(Said(text))

    @contextmanager
    def task(self, title: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        number = next(self._numbers)
        self._send(TaskBegan(number, title, total))
        try:
            yield lambda units: self._send(TaskAdvanced(number, units))
        finally:
            self._send(TaskEnded(number))
