"""What is sent to a worker, how it is carried out there as it would be here, and what comes back."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import pickle
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from yolo_prune_check.errors import UNSET, UserError
from yolo_prune_check.versions import source_hash, versions

_THREADS: Final = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
)
"""Clusters set some of these for their workers; what a worker starts would take them over."""
_TOLD: Final = ("YOLO_VERBOSE", "ULTRALYTICS_SAFE_LOAD", "YOLO_PRUNE_CHECK_CACHE")
"""What users set to change what this package does."""
_LOOK_S: Final = 1.0
_ONE: Final = threading.Lock()
"""A worker of dask has several threads; folder, threads, environment and random generators are the process's."""


@dataclass(frozen=True)
class Surroundings:
    """What the outcome of a function may depend on beside its argument.

    Attributes:
        folder: The working directory.
        token: A file there, which shows that it is the same folder and, by being gone, that nobody waits any more;
            None for workers on this machine that this process starts.
        threads: Of PyTorch; None leaves them, as where a process of this machine inherits them.
        blas: Threads of BLAS; None as above.
        environment: Variables; None: not set.
        versions: Of Python and the libraries, and the hash of this package's source; none where they are the same.
    """

    folder: str
    token: str | None = None
    threads: int | None = None
    blas: int | None = None
    environment: dict[str, str | None] = field(default_factory=dict)
    versions: dict[str, str | None] = field(default_factory=dict)


def surroundings_inherited() -> Surroundings:
    """Of this process, for processes that it starts. PyTorch is not imported for it."""
    torch: Any = sys.modules.get("torch")
    return Surroundings(str(Path.cwd()), threads=None if torch is None else torch.get_num_threads())


def surroundings_sent(token: Path) -> Surroundings:
    """Of this process, for workers that others started."""
    import numpy  # noqa: F401  # loads the BLAS that is asked for its threads
    import torch
    from threadpoolctl import threadpool_info

    blas = [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]
    told = {name: os.environ[name] for name in _TOLD if name in os.environ}
    return Surroundings(
        folder=str(token.parent),
        token=token.name,
        threads=torch.get_num_threads(),
        blas=max(blas, default=None),
        environment={**{name: os.environ.get(name) for name in _THREADS}, **told},
        versions={"yolo-prune-check": source_hash(), **versions()},
    )


@dataclass(frozen=True)
class Done:
    """What the function returned."""

    result: Any


@dataclass(frozen=True)
class Raised:
    """What the function raised; ``text`` is the traceback."""

    error: Exception
    text: str


@dataclass(frozen=True)
class Unfit:
    """Why nothing can be worked on there."""

    error: UserError


Outcome = Done | Raised | Unfit


def work_of(function: Callable[[Any], Any], item: object, surroundings: Surroundings) -> bytes:
    """What ``carry_out`` takes. The function is pickled by its name, and so must be one of a module.

    Raises:
        pickle.PicklingError: It is not; or the item cannot be pickled.
    """
    return pickle.dumps((surroundings, pickle.dumps((function, item))))


def carry_out(work: bytes) -> bytes:
    """Call the function that was sent, in the surroundings of the process that sent it.

    Returns:
        A pickled ``Outcome``.
    """
    surroundings, call = pickle.loads(work)
    with _ONE:
        try:
            with _as_if_there(surroundings):
                return _called(call)
        except UserError as error:
            return pickle.dumps(Unfit(error))
        except _AbandonedError:
            return b""


def _called(call: bytes) -> bytes:
    try:
        function, item = pickle.loads(call)
    except ImportError as error:
        return pickle.dumps(Unfit(_unfit(f"cannot import what it is to run ({error})", "Install it there, too.")))
    try:
        return pickle.dumps(Done(function(item)))
    except Exception as error:  # noqa: BLE001  # whatever it is, it is raised by the process that waits for this one
        return _raised(error)


def _raised(error: Exception) -> bytes:
    text = traceback.format_exc()
    try:
        pickled = pickle.dumps(Raised(error, text))
        pickle.loads(pickled)  # exceptions that take other arguments than they keep fail only here
    except Exception:  # noqa: BLE001  # of whoever wrote the exception; what it says is what counts
        plain = UserError(str(error).removesuffix(".")) if isinstance(error, UserError) else RuntimeError(text)
        return pickle.dumps(Raised(plain, text))
    return pickled


@contextmanager
def _as_if_there(asked: Surroundings) -> Iterator[None]:
    """The surroundings while an item is worked on, and what was before, after it.

    Raises:
        UserError: They cannot be had here.
    """
    before = Path.cwd()
    try:
        os.chdir(asked.folder)
    except OSError as error:
        raise _unseen(asked.folder) from error
    with ExitStack() as undo:
        undo.callback(os.chdir, before)
        if asked.token is not None:
            if not Path(asked.token).is_file():
                raise _unseen(asked.folder)
            _refuse_other_versions(asked.versions)
            undo.enter_context(_while_awaited(Path(asked.folder, asked.token)))
        undo.enter_context(_environment(asked.environment))
        undo.enter_context(_threads(asked))
        undo.enter_context(_with_children())
        undo.enter_context(_joblib_by_default())
        yield


def _unseen(folder: str) -> UserError:
    hint = "Start the workers where that folder is, by the same path, as on a network file system."
    return _unfit("does not see the working directory", hint, folder)


def _unfit(what: str, hint: str, value: object = UNSET) -> UserError:
    return UserError(what, where=f"the worker on {socket.gethostname()}", value=value, hint=hint)


def _refuse_other_versions(asked: dict[str, str | None]) -> None:
    here = {"yolo-prune-check": source_hash(), **versions()}
    other = [f"{name} {here.get(name) or 'not at all'}" for name, it in asked.items() if here.get(name) != it]
    if other:
        what = f"has other versions than this process ({', '.join(other)})"
        raise _unfit(what, "Records depend on them: install the same ones everywhere.")


class _AbandonedError(BaseException):
    """Nobody waits for the item any more. No ``Exception``, so that nothing takes it for its own."""


@contextmanager
def _while_awaited(token: Path) -> Iterator[None]:
    """Give up the work in this thread when the token is gone. Nothing else ends a running task of dask."""
    worker, over = threading.get_ident(), threading.Event()

    def look() -> None:
        while not over.wait(_LOOK_S):
            try:
                token.stat()
            except FileNotFoundError:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(worker), ctypes.py_object(_AbandonedError))
                return
            except OSError:  # a network file system that is away for a moment
                continue

    looker = threading.Thread(target=look, daemon=True)
    looker.start()
    try:
        yield
    finally:
        over.set()
        looker.join()


@contextmanager
def _environment(asked: dict[str, str | None]) -> Iterator[None]:
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


@contextmanager
def _threads(asked: Surroundings) -> Iterator[None]:
    if asked.threads is None:
        yield
        return
    import numpy  # noqa: F401  # as above; what is loaded later asks the environment
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    with threadpool_limits(limits=asked.blas, user_api="blas"):
        torch.set_num_threads(asked.threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


@contextmanager
def _with_children() -> Iterator[None]:
    """Let the item start processes, as those that read images; workers of dask are daemons, which may not."""
    config: dict[str, Any] = multiprocessing.current_process()._config  # type: ignore[attr-defined]  # no other way
    before = config.get("daemon")
    config["daemon"] = False
    try:
        yield
    finally:
        config["daemon"] = before


@contextmanager
def _joblib_by_default() -> Iterator[None]:
    """Let scikit-learn compute as it does outside of workers, whatever joblib was told around this call."""
    from joblib import parallel_config

    with parallel_config(backend="loky", n_jobs=1):
        yield
