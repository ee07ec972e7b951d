"""The benchmark that kills runs: which kinds take their turn, what their specs say, and what the page says."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks.killed_run import FILE, LINES, START, Moment, Ran, end_group, kill, lives, write_scenario
from benchmarks.kills import turns
from benchmarks.kills_page import page
from benchmarks.kills_tally import KINDS, Kind, Tally
from tests.run.test_limited import wait_for
from yolo_prune_check.spec import load_spec

WITH_WORKERS, LIMITED = Kind("group", "sequential", workers=2), Kind("mask", "sequential", limited=True)
STARTER = """\
import subprocess, sys, time
rest = [sys.executable, "-c", "import time; time.sleep(60)"]
subprocess.Popen(rest, start_new_session=True)
print("started", flush=True)
time.sleep(60)
"""
"""As the process of a scenario with limits: what it starts leads a group of its own."""


@pytest.mark.parametrize("alone", [False, True])
def test_a_process_is_killed_alone_or_with_what_it_started_in_a_group_of_its_own(alone: bool) -> None:
    command = [sys.executable, "-c", STARTER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        groups = kill(process.pid, alone=alone)
        process.wait()
    (other,) = groups - {process.pid}
    assert not lives(process.pid)
    assert wait_for(lambda: lives(other) == alone)
    end_group(other)
    assert wait_for(lambda: not lives(other))


def test_every_kind_is_a_scenario_as_it_says(tmp_path: Path) -> None:
    found = set()
    for number, kind in enumerate(KINDS):
        write_scenario(tmp_path / str(number), **asdict(kind))
        (scenario,) = load_spec(tmp_path / f"{number}/x.prune.yaml").scenarios
        limited = scenario.limits is not None
        found.add(Kind(scenario.execution, scenario.schedule, scenario.workers or 0, limited))
    assert found == set(KINDS)
    assert {WITH_WORKERS, LIMITED} < found


@pytest.mark.parametrize("kills", [8, 9, 15, 30])
@pytest.mark.parametrize("fruitless", [False, True])
def test_every_kind_is_killed(kills: int, fruitless: bool, tmp_path: Path) -> None:
    tally = Tally()
    for turn, (kind, most) in enumerate(turns(kills, tally)):
        if fruitless and turn % 3 == 0:  # the moment came after its end
            continue
        for _ in range(most):
            tally.add(kind, Moment(START, 0), Ran(False, []), tmp_path)
    assert tally.kills == kills
    assert all(tally.kills_of(kind) for kind in KINDS)


def test_the_page_says_what_was_counted(tmp_path: Path) -> None:
    tally = Tally()
    for kind in KINDS:
        tally.add(kind, Moment("step 2", 0), Ran(False, []), tmp_path)
        tally.runs[kind] += 1
    tally.add(WITH_WORKERS, Moment(FILE, 0, alone=True), Ran(False, [], (1,)), tmp_path)
    assert tally.clean
    text = page(tally, "python -m benchmarks.kills --kills 9")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(KINDS) + 1
    assert rows[2] == ["`mask`, sequential", "–", "–", "1", "–", "–", "1", "1", "0"]
    assert rows[-3] == ["`group`, sequential, 2 workers", "–", "–", "1", "–", "1", "2", "1", "0"]
    assert rows[-2][0] == "`mask`, sequential, limits"
    assert rows[-1] == ["all", "–", "–", "8", "–", "1", "9", "8", "0"]
    assert len(LINES) == 5
    assert "- Kills that left a final model without its sidecar: 0." in text
    assert "- Kills of a process alone: 1. Something that it had started was still there just after 1 of them." in text
    assert "`python -m benchmarks.kills --kills 9 --write docs/kills.md`" in text
    (tmp_path / "final.pt").write_bytes(b"")
    tally.add(LIMITED, Moment(START, 0), Ran(False, []), tmp_path)
    assert (tally.torn, tally.clean) == (1, False)
    assert "- Kills that left a final model without its sidecar: 1." in page(tally, "")
