"""What is sent to a process, how it is carried out there as it would be here, and what comes back."""

from __future__ import annotations

import os
import pickle
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from yolo_prune_check.errors import UserError
from yolo_prune_check.versions import source_hash, versions

_THREADS: Final = tuple(
    f"{library}_THREADS" for library in ("OMP_NUM", "MKL_NUM", "OPENBLAS_NUM", "NUMEXPR_NUM", "VECLIB_MAXIMUM")
)
"""Clusters set some of these for their workers, and what a worker starts would take them over."""
_TOLD: Final = ("YOLO_VERBOSE", "ULTRALYTICS_SAFE_LOAD", "YOLO_CONFIG_DIR", "YOLO_PRUNE_CHECK_CACHE")
"""What users set to change what this package does."""


@dataclass(frozen=True)
class Surroundings:
    """What the outcome of a function may depend on beside its argument.

    Attributes:
        folder: The working directory.
        token: A file there, which shows that it is the same folder and, by being gone, that nobody waits any more;
            None for processes that this one starts.
        threads: Of PyTorch; None leaves them, as they are inherited.
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
    """Of this process, for processes that it starts. PyTorch is imported for it neither here nor there."""
    torch: Any = sys.modules.get("torch")
    threads = None if torch is None else torch.get_num_threads()
    by_default = os.environ.get("OMP_NUM_THREADS") == str(threads)  # those processes will have as many by themselves
    return Surroundings(str(Path.cwd()), threads=None if by_default else threads)


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


@dataclass(frozen=True)
class Died:
    """How the process died that the worker of a cluster had started for it."""

    how: str


Outcome = Done | Raised | Unfit | Died


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
    os.chdir(surroundings.folder)
    with _threads(surroundings):
        try:
            function, item = pickle.loads(call)
        except ImportError as error:
            what = f"a worker cannot import what it is to run ({error})"
            return pickle.dumps(Unfit(UserError(what, hint="Install it where workers run, too.")))
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
