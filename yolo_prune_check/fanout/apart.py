"""In a worker of a cluster: work is carried out by processes of its own, which know nothing of the cluster.

A worker has other threads beside the one that works. They draw from the random generators of the process, have their
own numbers of threads, and share its working directory, so that a scenario would come to another record there.
"""

from __future__ import annotations

import os
import pickle
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from yolo_prune_check.errors import UNSET, UserError
from yolo_prune_check.fanout.local import LocalProcesses
from yolo_prune_check.fanout.place import StoppedError, WorkerDiedError
from yolo_prune_check.fanout.token import wait_until_left
from yolo_prune_check.fanout.work import Died, Surroundings, Unfit
from yolo_prune_check.versions import source_hash, versions

_LOCK: Final = threading.Lock()
_RUNS: Final[dict[str, LocalProcesses]] = {}
"""The processes of each run that is waited for, by its token's path."""


def carry_out_apart(work: bytes) -> bytes:
    """Have a process of this worker carry out work, see ``carry_out``. It is kept for the run's next item.

    Returns:
        A pickled ``Outcome``; nothing where nobody waits for it any more.
    """
    surroundings: Surroundings = pickle.loads(work)[0]
    try:
        processes = _processes_of(surroundings)
    except UserError as error:
        return pickle.dumps(Unfit(error))
    except OSError as error:
        return pickle.dumps(Unfit(_without_process(error)))
    try:
        with _environment(surroundings.environment):
            running = processes.begin(work)
        return running()
    except WorkerDiedError as error:
        return pickle.dumps(Died(str(error)))
    except StoppedError:
        return b""
    except OSError as error:
        return pickle.dumps(Unfit(_without_process(error)))


def _processes_of(asked: Surroundings) -> LocalProcesses:
    token = Path(asked.folder, asked.token or "")
    with _LOCK:
        known = _RUNS.get(str(token))
        if known is not None:
            return known
        if not token.is_file():
            hint = "Start the workers where that folder is, by the same path, as on a network file system."
            raise _unfit("does not see the working directory", hint, asked.folder)
        _refuse_other_versions(asked.versions)
        _RUNS[str(token)] = processes = LocalProcesses()
        threading.Thread(target=_stop_after, args=(token, processes), daemon=True).start()
        return processes


def _stop_after(token: Path, processes: LocalProcesses) -> None:
    """End a run's processes, whatever they are working on, when nobody waits for the run any more."""
    wait_until_left(token)
    with _LOCK:
        _RUNS.pop(str(token), None)
    processes.stop()


def _without_process(error: OSError) -> UserError:
    hint = "It may be out of memory, of processes, or of open files."
    return _unfit(f"cannot start a process for the work ({error.strerror or error})", hint)


def _unfit(what: str, hint: str, value: object = UNSET) -> UserError:
    return UserError(what, where=f"the worker on {socket.gethostname()}", value=value, hint=hint)


def _refuse_other_versions(asked: dict[str, str | None]) -> None:
    here = {"yolo-prune-check": source_hash(), **versions()}
    other = [f"{name} {here.get(name) or 'not at all'}" for name, it in asked.items() if here.get(name) != it]
    if other:
        what = f"has other versions than the process that asks it ({', '.join(other)})"
        raise _unfit(what, "Records depend on them: install the same ones everywhere.")


@contextmanager
def _environment(asked: dict[str, str | None]) -> Iterator[None]:
    """What processes inherit that are started meanwhile."""
    with _LOCK:
        before = {name: os.environ.get(name) for name in asked}
        _set(asked)
        try:
            yield
        finally:
            _set(before)


def _set(variables: dict[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
