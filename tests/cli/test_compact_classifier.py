"""``yolo-prune-check compact`` of a classifier: measured by its accuracy, trained, and proven as it is then."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine
from tests.train.tasks import write_classifier
from tests.train.tiny import SIZE
from yolo_prune_check.model.load import load_model
from yolo_prune_check.progress import progress
from yolo_prune_check.run import compact as compact_module
from yolo_prune_check.train.evaluate import evaluate

PLAN = ("compact", "cls.pt", "--ratio", "0.5", "--imgsz", "64", "-o", "small.pt")


def test_it_is_measured_before_and_after_and_trained(command_line: CommandLine) -> None:
    write_classifier(Path())
    ran = command_line(*PLAN, "--data", "squares", "--fine-tune", "2")
    assert ran.code == 0, ran.err
    untouched, pruned, trained = json.loads(Path("small.json").read_text(encoding="utf-8"))["record"]["metrics"]
    assert untouched == {"top1": 1.0, "top5": 1.0, "majority": 0.5}
    small = load_model("small.pt")
    assert asdict(evaluate(small, data="squares", imgsz=SIZE, progress=progress(quiet=True))) == trained
    words = re.sub(" +", " ", ran.out)
    for name, scores in (("pruned", pruned), ("pruned and trained", trained)):
        assert f"top-1 accuracy, {name} 1.000 {scores['top1']:.3f}" in words
        assert f"top-5 accuracy, {name} 1.000 1.000" in words
    assert "mAP" not in ran.out


def test_data_of_another_kind_are_refused_before_anything_is_done(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact_module, "prove", lambda *_: pytest.fail("it was proven first"))
    write_classifier(Path())
    ran = command_line(*PLAN, "--data", "digits")
    assert ran.code == 2
    assert "a model for classify needs another kind of data set. Give a folder with train/CLASS/" in ran.err
    ran = command_line("compact", "yolov8n-digits", *PLAN[2:], "--data", "squares")
    assert ran.code == 2
    assert "a model for detect needs another kind of data set. Give a dataset YAML" in ran.err
    assert not Path("small.pt").exists()
