"""One function for all places: hand out items, hand back what comes of them, and try again where a worker died."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final, Literal, TypeVar, get_args

from yolo_prune_check.errors import UserError
from yolo_prune_check.fanout.place import FatalError, Place, WorkerDiedError
from yolo_prune_check.fanout.token import waiting
from yolo_prune_check.fanout.work import (
    Died,
    Outcome,
    Raised,
    Surroundings,
    Unfit,
    surroundings_inherited,
    surroundings_sent,
    work_of,
)
from yolo_prune_check.progress import Progress

Backend = Literal["local", "dask", "ray"]
BACKENDS: Final[tuple[Backend, ...]] = get_args(Backend)

T = TypeVar("T")
R = TypeVar("R")


class LostError(UserError):
    """An item that cannot be finished, as the processes that worked on it died: killed, or out of memory.

    Nobody's mistake, but told like one: in a sentence that says what to do, without a stack trace.
    """


def fan_out(
    function: Callable[[T], R],
    items: Sequence[T],
    *,
    jobs: int,
    backend: Backend = "local",
    address: str | None = None,
    retries: int = 1,
    shown: Progress,
    name: Callable[[T], str] = str,
    on_start: Callable[[int], None] | None = None,
) -> Generator[tuple[int, R | LostError], None, None]:
    """Call a function with each of some items, several at a time, each in a process of others.

    What comes out is what a loop would give: workers have this process's working directory, its numbers of threads of
    PyTorch and BLAS, and the settings of this package; what a worker prints goes to standard error or to the cluster's
    logs. A worker works on one item at a time. With one job and the backend `local` it is a loop, in this process.

    Args:
        function: Of a module, so that it can be pickled; what it returns can be pickled, too.
        items: Anything that can be pickled.
        jobs: How many items are worked on, or wait in the cluster, at a time; at least 1.
        backend: `local`: processes of this machine. `dask`, `ray`: workers of a running cluster, which have this
            package installed and see the working directory by the same path.
        address: Of the cluster: dask's scheduler, or `HOST:PORT` of Ray; by default what `DASK_SCHEDULER_ADDRESS` or
            `RAY_ADDRESS` says. A cluster of Ray that this process has joined already is used as it is.
        retries: How often an item is tried again whose worker died. A scheduler of dask counts for itself: it gives an
            item up with the fourth worker, unless `distributed.scheduler.allowed-failures` says otherwise.
        shown: Told when a worker died.
        name: What messages call an item.
        on_start: Called with the index of each item as it is handed out, by any thread.

    Yields:
        The index of an item and what the function returned, in the order in which they are finished; in the place of
        that a ``LostError``, if its worker died more often than `retries`. The others go on.

    Raises:
        UserError: No cluster is there or its extra is not installed; a worker cannot work as this process does.
        Exception: What the function raised, with its traceback in the worker as the cause. No other item is begun.
    """
    if backend == "local" and address is not None:
        raise UserError("only dask and ray have an address", where="--address", value=address)
    if backend == "local" and jobs == 1:
        for index, item in enumerate(items):
            if on_start is not None:
                on_start(index)
            yield index, function(item)
        return
    with _opened(backend, address) as (place, surroundings):
        # Pickled here, where it is raised to the caller if that cannot be done.
        works = [work_of(function, item, surroundings) for item in items]

        def one(index: int) -> tuple[int, Outcome | LostError]:
            if on_start is not None:
                on_start(index)
            return index, _tried(place, works[index], name(items[index]), retries, shown)

        with _parallel(one, len(items), jobs) as outcomes:
            for index, outcome in outcomes:
                yield index, outcome if isinstance(outcome, LostError) else _result(outcome)


def require_place(backend: Backend, address: str | None = None) -> None:
    """Refuse a cluster that is not there, before anything else is done that may take long.

    Args:
        backend: As in ``fan_out``.
        address: As in ``fan_out``.

    Raises:
        UserError: No cluster is there, or its extra is not installed.
    """
    if backend != "local":
        _place(backend, address).stop()


def _tried(place: Place, work: bytes, name: str, retries: int, shown: Progress) -> Outcome | LostError:
    """What a worker makes of an item, at the latest when it was tried as often as it may be."""
    for left in range(retries, -1, -1):
        try:
            said = place.run(work)
            if not said:
                raise UserError("the file by which workers know that they are waited for was removed", where=name)
            outcome: Outcome = pickle.loads(said)
            if isinstance(outcome, Died):
                raise WorkerDiedError(outcome.how)
            return outcome
        except WorkerDiedError as died:
            if left and not isinstance(died, FatalError):
                shown.line(f"{name}: the process that worked on it died ({died}); it is started again")
                continue
            hint = "If memory ran out, let fewer be worked on at a time."
            return LostError(f"given up, as each process that worked on it died ({died})", where=name, hint=hint)
    raise ValueError(f"retries must not be negative, got {retries}")


def _result(outcome: Outcome) -> Any:
    if isinstance(outcome, Unfit):
        raise outcome.error
    if isinstance(outcome, Raised):
        raise outcome.error from _InWorkerError(outcome.text)
    if isinstance(outcome, Died):
        raise RuntimeError(f"this was to be tried again: {outcome}")
    return outcome.result


class _InWorkerError(Exception):
    """Carries a worker's traceback, as its text, into that of this process."""

    def __init__(self, text: str) -> None:
        super().__init__(f"\n{text}")


@contextmanager
def _opened(backend: Backend, address: str | None) -> Iterator[tuple[Place, Surroundings]]:
    with ExitStack() as stack:
        if backend == "local":
            place = _place(backend, address)
            stack.callback(place.stop)
            yield place, surroundings_inherited()
            return
        token = stack.enter_context(waiting())  # is gone once the place was stopped
        place = _place(backend, address)
        stack.callback(place.stop)
        yield place, surroundings_sent(token)


def _place(backend: Backend, address: str | None) -> Place:
    if backend == "local":
        from yolo_prune_check.fanout.local import LocalProcesses

        return LocalProcesses()
    if backend == "dask":
        from yolo_prune_check.fanout.dask_cluster import DaskCluster

        return DaskCluster(address)
    from yolo_prune_check.fanout.ray_cluster import RayCluster

    return RayCluster(address)


@contextmanager
def _parallel(
    one: Callable[[int], tuple[int, Outcome | LostError]], total: int, jobs: int
) -> Iterator[Iterator[tuple[int, Outcome | LostError]]]:
    """Threads of joblib, each of which waits for one worker at a time."""
    from joblib import Parallel, delayed

    parallel = Parallel(
        n_jobs=jobs, backend="threading", batch_size=1, pre_dispatch=jobs, return_as="generator_unordered"
    )
    outcomes = parallel(delayed(one)(index) for index in range(total))
    try:
        yield outcomes
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that not all was taken
            outcomes.close()
