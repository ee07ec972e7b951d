"""Clusters of two workers on this machine, as users start them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
_DASK = """\
import sys
from distributed import LocalCluster

if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


@contextmanager
def cluster(backend: str, path: Path = ROOT) -> Iterator[str]:
    """The address of a new cluster of dask or Ray, whose workers import from the given folder first."""
    with tempfile.TemporaryDirectory(prefix="ypc-", dir="/tmp") as name:  # a short path: Ray has its sockets there
        folder, port = Path(name), free_port()
        if backend == "dask":
            (folder / "start.py").write_text(_DASK, encoding="utf-8")
            command, ready = [sys.executable, "start.py"], "tcp://"
        else:
            command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", f"--port={port}"]
            command += ["--num-cpus=2", "--include-dashboard=false", "--disable-usage-stats", f"--temp-dir={folder}/r"]
            command += ["--object-store-memory=100000000", "--node-ip-address=127.0.0.1"]
            ready = "Ray runtime started"
        environment = {**os.environ, "PYTHONPATH": str(path), "RAY_USAGE_STATS_ENABLED": "0"}
        with subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            try:
                assert process.stdout is not None
                line = next(line for line in process.stdout if ready in line)
                yield line.strip() if backend == "dask" else f"127.0.0.1:{port}"
            finally:
                end(process.pid)


def end(pid: int) -> None:
    """Kill a process with all that it started."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for each in [process, *process.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                each.kill()


def free_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
