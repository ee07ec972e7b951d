"""Processes that are killed outright, and what is left of them."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from benchmarks.kills import WORKING_S, Moment, differences, ran_until, write_scenario
from yolo_prune_check.plugin.store import run_scenario
from yolo_prune_check.progress import progress
from yolo_prune_check.report import save_records
from yolo_prune_check.spec import load_spec

KILLS = int(os.environ.get("KILLS", "3"))
"""How many processes are killed; `python -m benchmarks.kills` kills more, at all moments."""


@pytest.mark.slow
def test_killed_runs_end_with_the_record_of_an_undisturbed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    undisturbed, folder = tmp_path / "undisturbed", tmp_path / "killed"
    for each in (undisturbed, folder):
        write_scenario(each, images=4, epochs=1)
    monkeypatch.chdir(undisturbed)
    (scenario,) = load_spec("x.prune.yaml").scenarios
    save_records(
        [run_scenario(scenario, work_dir=Path(".yolo-prune-check"), progress=progress(quiet=True))], Path("out")
    )
    source = random.Random(0)
    went_on = 0
    for kill in range(KILLS):
        done, said = ran_until(folder, Moment(1 + kill % 3, source.uniform(0, WORKING_S / 3)))
        went_on += any("goes on after step" in line for line in said)
        if done:
            break
    done, said = ran_until(folder, None)
    assert done
    assert went_on or any("goes on after step" in line for line in said)
    pages = {"out/index.md", "out/x.md", "out/.pages.json"}
    assert [line for line in differences(folder, undisturbed) if line.partition(":")[0] not in pages] == []
