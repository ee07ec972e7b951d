"""A running cluster of Ray."""

from __future__ import annotations

import logging
import os
import socket
import threading
from contextlib import suppress
from typing import Any, Final

from yolo_prune_check.errors import UserError
from yolo_prune_check.fanout.apart import carry_out_apart
from yolo_prune_check.fanout.place import StoppedError, WorkerDiedError

_CONNECT_S: Final = 3.0
_SETTINGS: Final = bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""A frame of HTTP/2, with which gRPC begins on either side: its fourth byte says what it is."""
_GREETING: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _SETTINGS
_HINT: Final = "Start one with `ray start --head`, and name the address that it says, such as 127.0.0.1:6379."


class RayCluster:
    """Tasks in a cluster that this process has joined; it takes one CPU of the cluster for each.

    Joblib's own backend for Ray is not used: it hands nothing back before all is done, and an actor that died stays
    dead and fails all that it is given from then on.

    Raises:
        UserError: Ray is not installed, or no cluster is there.
    """

    def __init__(self, address: str | None) -> None:
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        try:
            import ray
        except ImportError as error:
            what = "the backend ray is not installed"
            raise UserError(what, hint="Install it: pip install yolo-prune-check[ray]") from error
        self._ray: Any = ray
        self._lock = threading.Lock()
        self._stopped = False
        self._running: set[Any] = set()
        self._joined = not ray.is_initialized()
        self._printed = vars(ray._private.worker)["print_to_stdstream"]
        if self._joined:
            _join(ray, address or os.environ.get("RAY_ADDRESS"))
        self._task = ray.remote(max_retries=0)(carry_out_apart)

    def run(self, work: bytes) -> bytes:
        """See ``Place``."""
        errors = self._ray.exceptions
        with self._lock:
            if self._stopped:
                raise StoppedError
            task = self._task.remote(work)
            self._running.add(task)
        try:
            outcome: bytes = self._ray.get(task)
        except (errors.WorkerCrashedError, errors.OutOfMemoryError, errors.NodeDiedError) as error:
            if self._stopped:
                raise StoppedError from error
            raise WorkerDiedError("killed, or out of memory") from error
        except errors.TaskCancelledError as error:
            raise StoppedError from error
        except errors.RayTaskError as error:  # as a worker reads what it is sent; what is raised later is an outcome
            what = f"the workers of Ray cannot load what they are to run ({str(error.cause).partition('. ')[0]})"
            raise UserError(what, hint="Install the same yolo-prune-check where they run.") from error
        finally:
            with self._lock:
                self._running.discard(task)
        return outcome

    def stop(self) -> None:
        """Cancel what waits, kill the workers of what runs, and leave the cluster."""
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
            running = list(self._running)
        for task in running:
            with suppress(self._ray.exceptions.RayError):  # it ended meanwhile
                self._ray.cancel(task, force=True)
        if self._joined:
            self._ray.shutdown()
            vars(self._ray._private.worker)["print_to_stdstream"] = self._printed


def _join(ray: Any, address: str | None) -> None:
    if address is None:
        raise UserError("the backend ray needs the address of a cluster", where="--address", hint=_HINT)
    _refuse_nobody(address)
    # What the cluster has to say about workers that died would go to standard output, among results.
    vars(ray._private.worker)["print_to_stdstream"] = lambda *_args, **_named: None
    try:
        ray.init(address=address, log_to_driver=False, configure_logging=False, logging_level=logging.CRITICAL)
    except (ConnectionError, RuntimeError, ValueError) as error:
        first = str(error).strip().partition("\n")[0]
        what = f"the cluster of Ray cannot be joined ({first})"
        raise UserError(what, where="--address", value=address, hint=_HINT) from error


def _refuse_nobody(address: str) -> None:
    """Ask whether a server like Ray's is there: Ray itself takes more than a minute to find out that none is.

    Raises:
        UserError: None is.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "/" in address:
        raise UserError("an address of Ray is HOST:PORT", where="--address", value=address, hint=_HINT)
    try:
        with socket.create_connection((host, int(port)), timeout=_CONNECT_S) as connection:
            connection.sendall(_GREETING)
            answer = connection.recv(len(_SETTINGS))
    except (OSError, OverflowError) as error:
        what = f"no cluster of Ray answers there ({error})"
        raise UserError(what, where="--address", value=address, hint=_HINT) from error
    if answer[3:4] != _SETTINGS[3:4]:
        raise UserError("what answers there is no cluster of Ray", where="--address", value=address, hint=_HINT)
