"""``yolo-prune-check compact``: the image size that it takes, and what does not fit, is told first."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.cli.conftest import CommandLine
from tests.small import dense_digits
from tests.train.tiny import write_data
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.prune.copied import copied
from yolo_prune_check.run.checkpoint import save_checkpoint

DIGITS = ", ".join(map(str, range(10)))


def write_trained_at(imgsz: Any, file: str) -> None:
    save_checkpoint(copied(dense_digits()), Path(file), imgsz=imgsz)


def test_it_is_what_the_checkpoint_was_trained_at(command_line: CommandLine) -> None:
    """An unsafe plan is refused before anything is run; what it was traced at is told all the same."""
    write_trained_at([96, 160], "best.pt")
    Path("plan.yaml").write_text("steps: [{layer: 22.2, keep: 0-7}]\n", encoding="utf-8")
    ran = command_line("compact", "best.pt", "--plan", "plan.yaml", "-o", "small.pt", "--json")
    assert ran.code == 1
    assert (ran.json["imgsz"], ran.json["out"], ran.json["verdict"]) == (160, None, "unsafe")
    assert ran.json["prediction"]["hazards"][0]["code"] == "head-output-changed"
    assert "note: " not in ran.err
    assert "nothing was written: the plan is unsafe" in ran.err


@pytest.fixture
def not_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> NoReturn:
        raise AssertionError("it was traced")

    monkeypatch.setattr(ChannelGraph, "trace", fail)


@pytest.mark.usefixtures("not_traced")
@pytest.mark.parametrize(
    ("model", "names", "more", "said"),
    [
        ("yolov8n-digits", "bright, dark", [], "2 classes, but yolov8n-digits was trained for 10"),
        (
            "yolov8n-digits",
            f"{DIGITS[3:]}, {DIGITS[0]}",
            [],
            "class 0 is '1', but yolov8n-digits was trained to call it '0'",
        ),
        ("yolov8n-cls.yaml", DIGITS, [], "a model for classify needs another kind of data set"),
        ("yolov8n-worldv2.yaml", DIGITS, ["--fine-tune", "1"], "an open-vocabulary detector is trained with texts"),
        ("yolov8n-pose.yaml", DIGITS, [], "the model finds keypoints of shape [17, 3], the data set has others"),
    ],
)
def test_data_that_do_not_fit_are_told_before_anything_takes_time(
    model: str, names: str, more: list[str], said: str, command_line: CommandLine, tmp_path: Path
) -> None:
    data = write_data(tmp_path / "set", train=1, val=1)
    data.write_text(data.read_text().replace("bright, dark", names))
    ran = command_line("compact", model, "--ratio", "0.5", "--data", str(data), *more, "-o", "small.pt", "--json")
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_a_device_that_cannot_train_so_is_told_before_a_model_is_loaded(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from yolo_prune_check.train import devices

    monkeypatch.setattr(devices, "_count", lambda: 3)
    ran = command_line(
        "compact",
        "missing.pt",
        "--ratio",
        "0.5",
        "--data",
        "digits",
        "--fine-tune",
        "1",
        "--device",
        "0,1,2",
        "-o",
        "x.pt",
    )
    assert ran.code == 2
    assert "--device: 3 devices cannot share a batch equally: got 32" in ran.err
