"""``run --jobs``: scenarios in several processes come to the records of a run in one."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest

from benchmarks.killed_run import write_few
from tests.cli.conftest import CommandLine
from tests.clusters import ROOT, cluster, end, free_port
from yolo_prune_check.cli import run as run_module
from yolo_prune_check.errors import UserError
from yolo_prune_check.fanout import BACKENDS, LostError, fan_out
from yolo_prune_check.plugin.fanned import Asked
from yolo_prune_check.plugin.fanned import Ran as Answer
from yolo_prune_check.progress import Progress

IMAGES = 16
TRAINED = """\
model: yolov8n-digits
data: few.yaml
imgsz: 64
scenarios:
  - id: trained
    steps: [{layer: 1.0, keep: 0-15}, {layer: 3.0, keep: 0-31}]
    fine_tune: {epochs: 1, fraction: 0.5, batch: 4}
"""
BRIEF = f"""\
{TRAINED.replace(", {layer: 3.0, keep: 0-31}", "")}
  - id: breaks
    steps: [{{layer: 1.0, keep: 0-15}}]
    execution: local
    expect: {{verdict: unsafe}}
  - id: nowhere
    steps: [{{layer: 99.0, keep: 0-9}}]
"""
SPEC = f"""\
{TRAINED}
  - id: separable
    blocks: [1]
    layers: first
    select: {{criterion: separability, max_images: {IMAGES}}}
  - id: breaks
    steps: [{{layer: 1.0, keep: 0-15}}]
    execution: local
    expect: {{verdict: unsafe}}
  - id: limited
    steps: [{{layer: 1.0, keep: 0-9}}]
    limits: {{seconds: 300}}
  - id: nowhere
    steps: [{{layer: 99.0, keep: 0-9}}]
"""
IDS = ("trained", "separable", "breaks", "limited", "nowhere")


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], str]:
    """The records of a run in one process, and what it says at its end."""
    folder = write(tmp_path_factory.mktemp("serial"), SPEC)
    with started(folder) as running:
        out, err = running.communicate(timeout=120)
    assert running.returncode == 2, err  # one scenario cannot be started
    assert "could not be started" in out
    return records(folder), out


def write(folder: Path, spec: str) -> Path:
    write_few(folder, IMAGES)
    (folder / "x.prune.yaml").write_text(spec, encoding="utf-8")
    return folder


def started(folder: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "yolo_prune_check", "run", "x.prune.yaml", "--report-dir", "out", *more],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.fixture
def at(request: pytest.FixtureRequest) -> Iterator[tuple[str, ...]]:
    """The options that name a place; of a cluster, one that runs."""
    with ExitStack() as stack:
        options: tuple[str, ...] = ("--jobs", "2", "--backend", request.param)
        if request.param != "local":
            options += ("--address", stack.enter_context(cluster(request.param)))
        yield options


def records(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "out/records").rglob("*.json"))}


def kept_first_step(folder: Path) -> Path:
    """Wait until the first of the two steps is kept; returns the scenario's folder."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for state in (folder / ".yolo-prune-check").glob("x/trained-*/unfinished/state.json"):
            return state.parents[1]
        time.sleep(0.01)
    raise TimeoutError("no step was finished")


def worker_in(folder: Path) -> int:
    """The process that works in a scenario's folder: it holds the lock, as those do that it starts to read images."""
    lock = str(folder / ".lock")
    holding = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if any(file.path == lock for file in process.open_files()):
                holding.append(process.pid)
    (top,) = [pid for pid in holding if psutil.Process(pid).ppid() not in holding]
    return top


@pytest.mark.stress
@pytest.mark.parametrize("at", BACKENDS, indirect=True)
def test_the_records_are_those_of_one_process_though_a_worker_is_killed(
    serial: tuple[dict[str, bytes], str], tmp_path: Path, at: tuple[str, ...]
) -> None:
    write(tmp_path, SPEC)
    with started(tmp_path, *at) as running:
        os.kill(worker_in(kept_first_step(tmp_path)), signal.SIGKILL)
        out, err = running.communicate(timeout=120)
    assert running.returncode == 2, err
    assert records(tmp_path) == serial[0]
    assert out == serial[1]
    assert "goes on after step 1 of 2" in err
    assert "Traceback" not in err
    for number, name in enumerate(IDS, start=1):
        assert err.count(f"[{number}/5] x.prune.yaml::{name}: started\n") == 1
        assert err.count(f"[{number}/5] x.prune.yaml::{name}: finished, ") == 1


@pytest.mark.stress
def test_a_scenario_whose_processes_die_is_stopped_and_the_others_go_on(tmp_path: Path) -> None:
    write(tmp_path, BRIEF.replace("epochs: 1", "epochs: 50"))
    with started(tmp_path, "--jobs", "2") as running:
        killed: set[int] = set()
        while len(killed) < 2:
            for folder in (tmp_path / ".yolo-prune-check").glob("x/trained-*"):
                with suppress(ValueError):  # nobody works there at this moment
                    killed.add(worker := worker_in(folder))
                    os.kill(worker, signal.SIGKILL)
            time.sleep(0.2)
        out, err = running.communicate(timeout=120)
    assert running.returncode == 2, err
    found = {name: json.loads(record) for name, record in records(tmp_path).items()}
    assert {name: record["verdict"] for name, record in found.items()} == {
        "trained.json": "stopped",
        "breaks.json": "unsafe",
        "nowhere.json": "not-started",
    }
    assert found["trained.json"]["reasons"] == ["given up, as each process that worked on it died (SIGKILL(-9))"]
    assert "x::trained" in out
    assert "given up, as each process that worked on it died" in out


@pytest.mark.stress
@pytest.mark.parametrize("at", BACKENDS, indirect=True)
def test_ctrl_c_ends_the_workers_and_keeps_what_is_finished(tmp_path: Path, at: tuple[str, ...]) -> None:
    write(tmp_path, f"{TRAINED}  - {{id: refused, steps: [{{layer: 99.0, keep: 0-9}}]}}\n")
    with started(tmp_path, *at) as running:
        try:
            worker = psutil.Process(worker_in(kept_first_step(tmp_path)))
            os.killpg(running.pid, signal.SIGINT)  # as a terminal does, to all that run in it
            begin = time.monotonic()
            _, err = running.communicate(timeout=30)
            assert time.monotonic() - begin < 10
        finally:
            end(running.pid)
    assert running.returncode == 130, err
    assert err.splitlines()[-1].startswith("interrupted: ")
    assert "Traceback" not in err
    if "local" in at:
        assert not worker.is_running()
    else:
        until = time.monotonic() + 10
        while worker.is_running() and any(".lock" in file.path for file in worker.open_files()):
            assert time.monotonic() < until, "the worker goes on"
            time.sleep(0.1)
    assert not list(tmp_path.glob(".yolo-prune-check-*"))


def test_json_has_the_events_and_records_of_one_process(tmp_path: Path, command_line: CommandLine) -> None:
    write(tmp_path, BRIEF)
    alone = command_line("run", "x.prune.yaml", "--json")
    told = command_line("run", "x.prune.yaml", "--json", "--jobs", "2", "--report-dir", "out")
    assert told.code == alone.code == 2
    assert by_scenario(told.out) == by_scenario(alone.out)
    assert [json.loads(record)["verdict"] for record in records(tmp_path).values()] == ["unsafe", "not-started", "safe"]
    assert "scenarios: 3 of 3, done in " in told.err


def by_scenario(text: str) -> dict[str, list[object]]:
    """Events as JSON has them; whether a model is kept to be named is not looked at."""
    found: dict[str, list[object]] = {}
    for line in re.sub(r'("checkpoint": )"[^"]+"', r"\1null", text).splitlines():
        event = json.loads(line)
        found.setdefault(event["scenario"], []).append(event)
    return found


def test_without_a_cluster_nothing_runs_and_no_record_is_written(tmp_path: Path, command_line: CommandLine) -> None:
    write(tmp_path, SPEC)
    address = f"127.0.0.1:{free_port()}"
    ran = command_line("run", "x.prune.yaml", "--report-dir", "out", "--backend", "ray", "--address", address)
    assert ran.code == 2
    assert ran.out == ""
    assert f"no cluster of Ray answers there ([Errno 111] Connection refused): got '{address}'" in ran.err
    assert not (tmp_path / "out").exists()


def test_when_the_cluster_goes_away_what_is_finished_is_told_and_reported(
    tmp_path: Path, command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def goes_away(
        function: Callable[[Asked], Answer], items: list[Asked], *, shown: Progress, **_: object
    ) -> Iterator[tuple[int, Answer | LostError]]:
        yield from fan_out(function, items[:1], jobs=1, shown=shown)
        raise UserError("the cluster of dask went away", where="--address", value="tcp://here")

    monkeypatch.setattr(run_module, "fan_out", goes_away)
    scenarios = "".join(f"  - {{id: {name}, steps: [{{layer: 1.0, keep: 0-9}}]}}\n" for name in ("first", "second"))
    (tmp_path / "x.prune.yaml").write_text(f"model: yolov8n-digits\nimgsz: 64\nscenarios:\n{scenarios}", "utf-8")
    ran = command_line("run", "x.prune.yaml", "--report-dir", "out", "--predict-only", "--jobs", "2")
    assert ran.code == 2
    assert list(records(tmp_path)) == ["first.json"]
    index = (tmp_path / "out/index.md").read_text(encoding="utf-8")
    assert "first" in index
    assert "1 scenario" in ran.out
    assert "reports: out/index.md" in ran.out
    assert ran.err.splitlines()[-2] == "given up: 1 of 2 scenarios finished"
    assert ran.err.splitlines()[-1].endswith("--address: the cluster of dask went away: got 'tcp://here'.")
