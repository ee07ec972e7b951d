"""Processes that are killed outright, and what is left of them."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.killed_run import (
    FILE,
    WORKING_S,
    Moment,
    differences,
    end_group,
    finals,
    is_torn,
    ran_until,
    sidecar_of,
    write_scenario,
)
from tests.train.tiny import Recorder
from yolo_prune_check.confirm import onnx_file
from yolo_prune_check.plugin.store import run_scenario
from yolo_prune_check.report import save_records
from yolo_prune_check.spec import load_spec

PLACES = ("step 1", FILE)
"""Where processes are killed; `python -m benchmarks.kills` kills more, at all moments and in every execution."""
SAVED = """\
model: yolov8n-digits
imgsz: 32
scenarios:
  - {id: x, execution: adapter, steps: [{layer: 1.0, keep: KEEP}]}
"""
KILLED_AT = """\
import os, signal, sys
from pathlib import Path
from yolo_prune_check import cli
from yolo_prune_check.run import final

def die(*_args, **_options):
    os.kill(os.getpid(), signal.SIGKILL)

write, replace = final.write_sidecar, Path.replace

def write_aside(*args, **options):
    os.fsync = die
    write(*args, **options)

def replace_unless_final(path, target):
    return die() if path.name == "final.pt" else replace(path, target)

moment = sys.argv.pop(1)
if moment == "between":
    Path.replace = replace_unless_final
else:
    final.write_sidecar = {"before": die, "within": write_aside}[moment]
cli.main()
"""
"""The command line, in a process that kills itself before it writes the final model's sidecar, within that, or when
that is in its place and the model is not."""


WITHOUT_ONNX = """\
from yolo_prune_check import cli
from yolo_prune_check.confirm import onnx_file

onnx_file._MODULES = ("onnx_of_another_world",)
cli.main()
"""
"""The command line where no file is exported, which takes long and has tests of its own."""


def run_undisturbed() -> list[str]:
    """Run the spec to its end, in this process; returns the lines that were shown."""
    (scenario,) = load_spec("x.prune.yaml").scenarios
    shown = Recorder()
    record = run_scenario(scenario, work_dir=Path(".yolo-prune-check"), progress=shown)
    save_records([record], Path("out"))
    return shown.lines


@pytest.mark.slow
def test_killed_runs_end_with_the_record_of_an_undisturbed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_file, "_MODULES", ("onnx_of_another_world",))
    undisturbed, folder = tmp_path / "undisturbed", tmp_path / "killed"
    for each in (undisturbed, folder):
        write_scenario(each, execution="group", images=4, epochs=1)
    monkeypatch.chdir(undisturbed)
    assert not any("goes on" in line for line in run_undisturbed())
    source = random.Random(0)
    lines = list[str]()
    for place in PLACES:
        moment = Moment(place, source.uniform(0, WORKING_S / 3), alone=place == FILE)
        ran = ran_until(folder, moment, start=("-c", WITHOUT_ONNX))
        lines += ran.said
        for group in ran.outlived_by:
            end_group(group)
        if ran.done:
            break
    monkeypatch.chdir(folder)
    lines += run_undisturbed()
    assert any("goes on after step" in line for line in lines)
    assert list(differences(folder, undisturbed)) == []


@pytest.mark.stress
def test_a_final_model_is_never_without_its_sidecar_wherever_the_process_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, folder = tmp_path / "undisturbed", tmp_path / "killed"
    for each, keep in ((undisturbed, "0-15"), (folder, "0-23")):
        each.mkdir()
        monkeypatch.chdir(each)
        Path("x.prune.yaml").write_text(SAVED.replace("KEEP", keep), encoding="utf-8")
        run_undisturbed()
    Path("x.prune.yaml").write_text(SAVED.replace("KEEP", "0-15"), encoding="utf-8")
    (final,) = finals(folder)

    def kill(moment: str) -> list[str]:
        command = [sys.executable, "-c", KILLED_AT, moment, "run", "x.prune.yaml", "--report-dir", "out"]
        assert subprocess.run(command, capture_output=True, check=False).returncode == -signal.SIGKILL
        assert (finals(folder), is_torn(folder)) == ([], False)  # nor is the model of the other plan there any more
        (aside,) = folder.rglob("deploy-*")
        return sorted(path.name.partition(".json.")[0] for path in [*aside.iterdir(), *final.parent.glob("final.*")])

    assert kill("before") == ["final.pt"]
    assert kill("within") == [".final", "final.pt"]
    assert kill("between") == ["final.json", "final.pt"]
    run_undisturbed()
    assert sidecar_of(final)["plan"]["steps"] == [{"layer": "model.1.conv", "keep": "0-15"}]
    assert list(differences(folder, undisturbed)) == []
