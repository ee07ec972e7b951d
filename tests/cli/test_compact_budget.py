"""``yolo-prune-check compact`` with a largest accepted loss."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.killed_run import write_few
from tests.cli.conftest import CommandLine
from yolo_prune_check.cli.budget import Budget
from yolo_prune_check.cli.compact_words import budget_line
from yolo_prune_check.confirm import onnx_file
from yolo_prune_check.errors import UserError
from yolo_prune_check.scores import Accuracy, MeanAveragePrecision, loss

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
    assert "can be used without this package" not in ran.out, "there is no file"
    assert not list(Path().glob("small.*"))
    assert not Path(".yolo-prune-check/compact/small.pt/unfinished").exists()
    told = command_line(*HALF, "--data", "few.yaml", "--max-map-drop", "0.1", "--json")
    assert told.code == 1
    assert told.json["out"] is None
    assert (told.json["budget"]["allowed"], told.json["budget"]["held"]) == (0.1, False)
    assert 0.1 < told.json["budget"]["loss"] < 1


def test_what_loses_just_as_much_is_written(command_line: CommandLine) -> None:
    """All that it has, so that the loss is known beforehand."""
    write_few(Path(), 8)
    before, after = command_line(*HALF, "--data", "few.yaml", "--json").json["metrics"]
    lost = loss(MeanAveragePrecision(**before), MeanAveragePrecision(**after))
    assert 0.1 < lost < 1
    missed = command_line(*HALF, "--data", "few.yaml", "--max-map-drop", f"{lost - 1e-6}")
    assert missed.code == 1
    assert "small.pt is that of an earlier run, and stays as it was" in missed.err
    Path("small.pt").unlink()
    ran = command_line(*HALF, "--data", "few.yaml", "--max-map-drop", f"{lost}", "--json")
    assert ran.code == 0
    assert ran.json["budget"] == {"option": "--max-map-drop", "allowed": lost, "loss": lost, "held": True}
    assert "within the budget: mAP50-95 falls by 0." in ran.err
    assert Path("small.pt").is_file()


def test_a_model_that_finds_nothing_is_refused_before_it_is_trained(command_line: CommandLine) -> None:
    write_few(Path(), 8)
    ran = command_line(*TUNED, "--imgsz", "32", "--max-map-drop", "1")
    assert ran.code == 2
    assert "--max-map-drop: a loss cannot be judged: the untouched model finds next to nothing in this data" in ran.err
    assert "fine-tune 1 epoch" not in ran.err
    assert not list(Path().glob("small.*"))


@pytest.mark.parametrize(
    ("before", "after", "allowed", "held", "said"),
    [
        (0.9, 0.88, 0.02, True, "falls by 0.0200, from 0.900 to 0.880; --max-map-drop allows 0.02"),  # more, as floats
        (0.875, 0.865, 0.01, True, "falls by 0.0100, from 0.875 to 0.865; --max-map-drop allows 0.01"),
        (0.5, 0.5 - 1e-16, 0.0, True, "falls by 0.0000, from 0.500 to 0.500; --max-map-drop allows 0"),
        (0.5, 0.6, 0.0, True, "falls by -0.1000 (a gain), from 0.500 to 0.600; --max-map-drop allows 0"),
        (0.9, 0.8799, 0.02, False, "falls by 0.0201, from 0.900 to 0.880; --max-map-drop allows 0.02"),
        (0.5, 0.49997, 0.0, False, "falls by 3e-05, from 0.500 to 0.500; --max-map-drop allows 0"),
    ],
)
def test_the_loss_is_compared_as_it_is_told(
    before: float, after: float, allowed: float, *, held: bool, said: str
) -> None:
    scores = [MeanAveragePrecision(0.95, score) for score in (before, after)]
    judged = Budget("max_map_drop", allowed).judge(*scores)
    assert judged.held is held
    assert budget_line(judged, *scores) == f"mAP50-95 {said}"


def test_of_a_classifier_the_accuracy_counts() -> None:
    accuracy = Budget("max_accuracy_drop", 0.01)
    accuracy.check_measure("classify")
    with pytest.raises(UserError, match=r"--max-map-drop: a classifier has no mAP. Give `--max-accuracy-drop` instead"):
        Budget("max_map_drop", 0.01).check_measure("classify")
    judged = accuracy.judge(Accuracy(0.9, 1.0, 0.1), Accuracy(0.88, 1.0, 0.1))
    assert (judged.loss, judged.held) == (0.02, False)


@pytest.mark.stress
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
        (("--data", "digits", "--max-map-drop", "-0.1"), "a loss lies between 0 and 1"),
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
