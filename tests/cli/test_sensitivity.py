"""``yolo-prune-check sensitivity``: from a model to a page, kept point by point."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine
from tests.cli.test_compact_killed import ENVIRONMENT
from tests.train.tasks import write_classifier
from tests.train.tiny import write_data
from yolo_prune_check.run import measured as measured_module
from yolo_prune_check.run.sensitivity_record import read_sensitivity

OUT = Path("sensitivity-report")
FILES = ("sensitivity.md", "sensitivity.json", "sensitivity-map.svg", "sensitivity-curves.svg")
COMMAND = ("sensitivity", "cls.pt", "--data", "squares", "--imgsz", "32", "--ratios", "0.01,0.75")
KILLED = """\
import os, signal
from yolo_prune_check.cli import main
from yolo_prune_check.run import measured
begun, measure = [], measured.measure
def killed(job):
    begun.append(job)
    if len(begun) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return measure(job)
measured.measure = killed
main()
"""
"""The command line, killed when three points are measured and the fourth is begun."""


def counted(err: str) -> tuple[int, int]:
    """Models that were measured, and those that had been kept."""
    words = re.findall(r"(\d+) models? measured, (\d+) models? measured before", err)
    return int(words[-1][0]), int(words[-1][1])


def written() -> dict[str, bytes]:
    return {name: (OUT / name).read_bytes() for name in FILES}


def test_a_killed_run_goes_on_and_a_second_one_reads_all(command_line: CommandLine) -> None:
    write_classifier(Path())
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *COMMAND], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert killed.returncode == -9, killed.stderr
    assert not OUT.exists()
    ran = command_line(*COMMAND)
    assert ran.code == 0, ran.err
    found = read_sensitivity(OUT / "sensitivity.json")
    points = sum(point.status == "measured" for point in found.points) + 1  # the untouched model
    assert counted(ran.err) == (points - 3, 3)
    first = written()
    again = command_line(*COMMAND, "--json")
    assert counted(again.err) == (0, points)
    assert written() == first
    assert again.json == json.loads(first["sensitivity.json"])
    page = first["sensitivity.md"].decode()
    for unit in found.units:
        assert f"| `{unit.name}`" in page
    assert len(re.findall(r"\| +nothing goes", page)) == sum(point.status == "unchanged" for point in found.points) > 0
    assert found.images == 4
    assert "part 1/2 of the val images (4 images)" in page
    for name in FILES[2:]:
        assert f"]({name})" in page
        texts = ET.fromstring(first[name].split(b"\n", 1)[1]).iter()
        assert sum(1 for _ in texts) > 50


def test_ctrl_c_leaves_what_was_measured(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    write_classifier(Path())
    measure, begun = measured_module.measure, []

    def interrupted(job: measured_module.Job) -> object:
        begun.append(job)
        if len(begun) == 3:
            raise KeyboardInterrupt
        return measure(job)

    command = (*COMMAND, "--criterion", "l1", "--per", "layer")
    with monkeypatch.context() as patch:
        patch.setattr(measured_module, "measure", interrupted)
        ran = command_line(*command)
    assert ran.code == 130
    assert "interrupted: 2 models measured, 0 models measured before and kept; the same command goes on" in ran.err
    assert not OUT.exists()
    ran = command_line(*command)
    assert ran.code == 0, ran.err
    found = read_sensitivity(OUT / "sensitivity.json")
    assert counted(ran.err)[1] == 2
    assert {len(unit.layers) for unit in found.units} == {1}
    assert "put back as zeros behind it" in (OUT / "sensitivity.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", ["sensitivity", "suggest"])
def test_a_cluster_that_is_not_there_is_noticed_before_anything_is_done(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    budget = ("--max-map-drop", "0.02") if command == "suggest" else ()
    ran = command_line(command, "not-there.pt", "--data", "digits", "--backend", "dask", *budget)
    assert ran.code == 2
    assert ran.err.startswith("yolo-prune-check: --address: the backend dask needs the address of a scheduler")


def test_where_there_is_nothing_to_lose_the_page_says_so(command_line: CommandLine) -> None:
    write_data(Path("data").absolute(), train=2, val=4)
    ran = command_line(
        *("sensitivity", "yolov8n.yaml", "--data", "data/tiny.yaml", "--imgsz", "32", "--ratios", "0.01"),
        *("--criterion", "l1", "--val-part", "1/4"),
    )
    assert ran.code == 0, ran.err
    assert "warning: the untouched model finds next to nothing in this data (mAP50 0.000)" in ran.err
    page = (OUT / "sensitivity.md").read_text(encoding="utf-8")
    assert "**the untouched model finds next to nothing" in page
    assert "what they cost cannot be seen on these data" in page
    assert "| cheap" not in page
    assert "groups; what they cost cannot be seen on these data" in ran.out


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--ratios", "half"), "--ratios: not a share of channels: got 'half'. Such as --ratios 0.25,0.5,0.75."),
        (("--ratios", "1"), "--ratios: the share of channels to remove must lie between 0 and 1: got '1'."),
        (("--ratios", ","), "--ratios: no share of channels is given"),
        (("--val-part", "3/2"), "--val-part: there is no such part of the val images: got '3/2'."),
        (("--val-part", "300/300"), "the part of the val images is empty: got '300/300'."),
        (("--data", "none.yaml"), "no such data set: got 'none.yaml'."),
        (("--address", "here:1"), "--address: only dask and ray have an address"),
        (("--device", "gpu"), "--device: not a device: got 'gpu'."),
    ],
)
def test_bad_input(command_line: CommandLine, more: tuple[str, ...], message: str) -> None:
    ran = command_line("sensitivity", "yolov8n-digits", "--data", "digits", "--imgsz", "32", *more)
    assert ran.code == 2
    assert message in ran.err
    assert not OUT.exists()


@pytest.mark.parametrize("name", FILES)
def test_files_of_others_stay(command_line: CommandLine, name: str) -> None:
    OUT.mkdir()
    (OUT / name).write_text("mine", encoding="utf-8")
    ran = command_line(*COMMAND[:1], "yolov8n-digits", "--data", "digits")
    assert ran.code == 2
    assert f"{name}: " in ran.err
    assert (OUT / name).read_text(encoding="utf-8") == "mine"
