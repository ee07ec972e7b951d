"""A running cluster of dask."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from concurrent.futures import CancelledError
from typing import Any, Final
from uuid import uuid4

from yolo_prune_check.errors import UserError
from yolo_prune_check.fanout.apart import carry_out_apart
from yolo_prune_check.fanout.place import FatalError, StoppedError

_CONNECT_S: Final = 3
_WORKERS_S: Final = 5
_HINT: Final = "Start one with `dask scheduler` and `dask worker ADDRESS`, and name its scheduler's address."


class DaskCluster:
    """A client of a cluster's scheduler, which starts what a worker ran anew by itself when that worker dies.

    Joblib's own backend for dask is not used: where the scheduler gives a task up, it never hears of it and waits for
    ever; it takes all of the cluster's cores; and it sends arguments to one worker's memory, with which they are lost.

    Raises:
        UserError: Dask is not installed, nobody answers at that address, or the cluster has no workers.
    """

    def __init__(self, address: str | None) -> None:
        try:
            import distributed
        except ImportError as error:
            what = "the backend dask is not installed"
            raise UserError(what, hint="Install it: pip install yolo-prune-check[dask]") from error
        address = address or os.environ.get("DASK_SCHEDULER_ADDRESS")
        if address is None:
            raise UserError("the backend dask needs the address of a scheduler", where="--address", hint=_HINT)
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what it would tell is raised
        self._distributed: Any = distributed
        self._address = address
        self._lock = threading.Lock()
        self._stopped = False
        self._running: set[Any] = set()
        _refuse_nobody(distributed, address)
        self._client: Any = self._distributed.Client(address, timeout=_CONNECT_S, set_as_default=False)
        try:
            self._client.wait_for_workers(1, timeout=_WORKERS_S)
        except TimeoutError as error:
            self._client.close()
            what = "the cluster of dask has no workers"
            raise UserError(what, where="--address", value=address, hint="Start some: dask worker ADDRESS") from error

    def run(self, work: bytes) -> bytes:
        """See ``Place``."""
        with self._lock:
            if self._stopped:
                raise StoppedError
            future = self._client.submit(carry_out_apart, work, key=f"yolo-prune-check-{uuid4().hex}", pure=False)
            self._running.add(future)
        try:
            outcome: bytes = future.result()
        except self._distributed.KilledWorker as error:
            raise FatalError("killed, or out of memory") from error
        except (CancelledError, self._distributed.CancelledError, OSError) as error:
            if self._stopped:
                raise StoppedError from error
            raise UserError("the cluster of dask went away", where="--address", value=self._address) from error
        except (ImportError, RuntimeError) as error:  # as a worker reads what it is sent
            what = f"the workers of dask cannot load what they are to run ({error.__cause__ or error})"
            raise UserError(what, hint="Install the same yolo-prune-check where they run.") from error
        finally:
            self._running.discard(future)
        return outcome

    def stop(self) -> None:
        """Cancel what waits for a worker; what one is working on ends when it sees that nobody waits for it."""
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
            running = list(self._running)
        if running:
            self._client.cancel(running, force=True)
        self._client.close()


def _refuse_nobody(distributed: Any, address: str) -> None:
    """Ask whether a scheduler is there: a client that finds none complains on its own when it is cleared away.

    Raises:
        UserError: None is.
    """

    async def identity() -> None:
        async with distributed.rpc(address, timeout=_CONNECT_S) as scheduler:
            await scheduler.identity()

    try:
        asyncio.run(asyncio.wait_for(identity(), _CONNECT_S + 1))
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        what = f"no cluster of dask answers there ({error})"
        raise UserError(what, where="--address", value=address, hint=_HINT) from error
