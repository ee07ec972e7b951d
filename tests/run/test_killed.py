"""Processes that are killed outright, and what is left of them."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.killed_run import FILE, WORKING_S, Moment, differences, end_group, is_torn, ran_until, write_scenario
from yolo_prune_check.errors import UserError
from yolo_prune_check.plugin.store import run_scenario
from yolo_prune_check.progress import progress
from yolo_prune_check.report import save_records
from yolo_prune_check.run.sidecar import verify_sidecar
from yolo_prune_check.spec import load_spec

PLACES = {"mask": ["step 2"], "group": ["step 1", FILE]}
"""Where processes are killed; `python -m benchmarks.kills` kills more, at all moments."""
SAVED = """\
model: yolov8n-digits
imgsz: 32
scenarios:
  - {id: x, execution: adapter, steps: [{layer: 1.0, keep: KEEP}]}
"""
KILLED_AT = """\
import os, signal, sys
from yolo_prune_check import cli
from yolo_prune_check.run import finish

def die(*_args, **_options):
    os.kill(os.getpid(), signal.SIGKILL)

write = finish.write_sidecar

def write_aside(*args, **options):
    os.fsync = die
    write(*args, **options)

finish.write_sidecar = {"before": die, "within": write_aside}[sys.argv.pop(1)]
cli.main()
"""
"""The command line, in a process that kills itself before it writes the final model's sidecar, or within that."""


def run_undisturbed() -> None:
    (scenario,) = load_spec("x.prune.yaml").scenarios
    record = run_scenario(scenario, work_dir=Path(".yolo-prune-check"), progress=progress(quiet=True))
    save_records([record], Path("out"))


@pytest.mark.slow
@pytest.mark.parametrize("execution", PLACES)
def test_killed_runs_end_with_the_record_of_an_undisturbed_one(
    execution: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, folder = tmp_path / "undisturbed", tmp_path / "killed"
    for each in (undisturbed, folder):
        write_scenario(each, execution=execution, images=4, epochs=1)
    monkeypatch.chdir(undisturbed)
    run_undisturbed()
    source = random.Random(0)
    went_on = 0
    for place in PLACES[execution]:
        ran = ran_until(folder, Moment(place, source.uniform(0, WORKING_S / 3), alone=place == FILE))
        went_on += any("goes on after step" in line for line in ran.said)
        if ran.outlived_by is not None:
            end_group(ran.outlived_by)
        if ran.done:
            break
    ran = ran_until(folder, None)
    assert ran.done
    assert went_on or any("goes on after step" in line for line in ran.said)
    pages = {"out/index.md", "out/x.md", "out/.pages.json"}
    assert [line for line in differences(folder, undisturbed) if line.partition(":")[0] not in pages] == []


@pytest.mark.slow
def test_a_final_model_gets_its_sidecar_wherever_the_process_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, folder = tmp_path / "undisturbed", tmp_path / "killed"
    for each, keep in ((undisturbed, "0-15"), (folder, "0-23")):
        each.mkdir()
        monkeypatch.chdir(each)
        Path("x.prune.yaml").write_text(SAVED.replace("KEEP", keep), encoding="utf-8")
        run_undisturbed()
    Path("x.prune.yaml").write_text(SAVED.replace("KEEP", "0-15"), encoding="utf-8")
    (final,) = Path().rglob("final.pt")

    def kill(moment: str) -> list[str]:
        command = [sys.executable, "-c", KILLED_AT, moment, "run", "x.prune.yaml", "--report-dir", "out"]
        assert subprocess.run(command, capture_output=True, check=False).returncode == -signal.SIGKILL
        return [path.name for path in Path().rglob("*.tmp")]

    assert kill("before") == []
    with pytest.raises(UserError, match="not the checkpoint that"):
        verify_sidecar(final)
    (temporary,) = kill("within")
    assert temporary.startswith(".final.json.")
    assert is_torn(folder)
    run_undisturbed()
    assert verify_sidecar(final)["plan"]["steps"] == [{"layer": "model.1.conv", "keep": "0-15"}]
    assert list(differences(folder, undisturbed)) == []
