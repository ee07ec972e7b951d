"""``yolo-prune-check compact`` with a largest accepted loss."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.killed_run import write_few
from tests.cli.conftest import CommandLine
from yolo_prune_check.confirm import onnx_file

HALF = ("compact", "yolov8n-digits", "--ratio", "0.5", "--criterion", "l1", "-o", "small.pt")
TUNED = (*HALF, "--data", "few.yaml", "--fine-tune", "1")


@pytest.fixture(autouse=True)
def _without_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_file, "_MODULES", ("onnx_of_another_world",))


def test_what_loses_more_is_not_written(command_line: CommandLine) -> None:
    """By weights the digits lose everything at half of the channels."""
    write_few(Path(), 8)
    ran = command_line(*HALF, "--data", "few.yaml", "--max-map-drop", "0.1")
    assert ran.code == 1
    assert "nothing was written: mAP50-95 falls by 0." in ran.err
    assert "; --max-map-drop allows 0.1" in ran.err
    assert "`suggest`" in ran.err
    assert "mAP50-95, pruned" in ran.out, "what it costs is told all the same"
    assert not list(Path().glob("small.*"))
    assert not Path(".yolo-prune-check/compact/small.pt/unfinished").exists()
    told = command_line(*HALF, "--data", "few.yaml", "--max-map-drop", "0.1", "--json")
    assert told.code == 1
    assert told.json["out"] is None
    assert told.json["missed"].startswith("mAP50-95 falls by 0.")


def test_what_loses_less_is_written(command_line: CommandLine) -> None:
    write_few(Path(), 8)
    ran = command_line(*HALF, "--data", "few.yaml", "--max-map-drop", "1", "--json")
    assert ran.code == 0
    assert ran.json["missed"] is None
    assert Path("small.pt").is_file()


@pytest.mark.slow
def test_a_model_that_was_trained_waits_for_a_larger_budget(command_line: CommandLine) -> None:
    write_few(Path(), 8)
    refused = command_line(*TUNED, "--max-map-drop", "0")
    assert refused.code == 1
    assert "the same command with a larger budget writes it" in refused.err
    again = command_line(*TUNED, "--max-map-drop", "1")
    assert again.code == 0
    assert "fine-tune 1 epoch" in refused.err
    assert "fine-tune 1 epoch" not in again.err, "it is not trained again"
    assert Path("small.pt").is_file()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("--max-map-drop", "0.1"), "--max-map-drop: a loss is measured on data"),
        (("--data", "digits", "--max-map-drop", "2"), "a loss lies between 0 and 1"),
        (("--data", "digits", "--max-map-drop", "0.1", "--max-accuracy-drop", "0.1"), "must be said once"),
        (("--data", "digits", "--max-accuracy-drop", "0.1"), "only a classifier has an accuracy"),
    ],
)
def test_a_budget_that_says_nothing_is_refused(asked: tuple[str, ...], said: str, command_line: CommandLine) -> None:
    ran = command_line(*HALF, *asked)
    assert ran.code == 2
    assert said in ran.err
    assert not list(Path().glob("small.*"))
