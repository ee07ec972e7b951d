"""``sensitivity --jobs``: points in other processes, also of clusters, come to what one process finds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import fanned
from tests.cli.conftest import CommandLine
from tests.clusters import ROOT, cluster
from yolo_prune_check.fanout import BACKENDS, Backend
from yolo_prune_check.run import measured as measured_module
from yolo_prune_check.run.sensitivity_record import read_sensitivity

COMMAND = (
    *("sensitivity", "yolov8n-digits", "--data", "digits", "--criterion", "l1"),
    *("--ratios", "0.5", "--val-part", "1/50"),
)
DATA = Path("sensitivity-report/sensitivity.json")


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run in one process writes."""
    folder = tmp_path_factory.mktemp("serial")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-m", "yolo_prune_check", *COMMAND], cwd=folder, env=environment, check=True)
    return written(folder)


def written(folder: Path) -> dict[str, bytes]:
    """The pages with the numbers behind them, and each point that is kept."""
    files = sorted(path for path in folder.rglob("*.*") if path.suffix in (".md", ".svg", ".json"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.stress
@pytest.mark.parametrize("backend", BACKENDS)
def test_the_points_are_those_of_one_process_though_workers_are_killed(
    backend: Backend,
    serial: dict[str, bytes],
    tmp_path: Path,
    command_line: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(measured_module, "measure", fanned.measured_though_killed)
    options: tuple[str, ...] = ("--jobs", "2", "--backend", backend)
    with ExitStack() as stack:
        if backend != "local":
            Path("of-a-cluster").touch()
            options += ("--address", stack.enter_context(cluster(backend)))
        ran = command_line(*COMMAND, *options)
    assert ran.code == 0, ran.err
    assert written(tmp_path) == serial
    found = read_sensitivity(DATA)
    drops = {point.drop for point in found.points}
    assert len(drops) > 10  # else to be equal would say nothing
    starts = Counter(path.name.split("-")[1] for path in Path().glob("start-*"))
    killed = {fanned.KILLED} if backend == "local" else {fanned.KILLED, fanned.WORKER_KILLED}
    assert {name for name, often in starts.items() if often > 1} == killed
    assert starts.total() == len(found.points) + 1 + len(killed)  # the untouched model, too, and one retry each
    assert len({path.name.split("-")[2] for path in Path().glob("start-*")}) > 2
    again = {"local": 1, "dask": 1, "ray": 2}[backend]  # dask starts again what its workers ran without a word
    assert ran.err.count("the process that worked on it died (") == again
    assert "Traceback" not in ran.err
