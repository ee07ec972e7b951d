"""``compact --fine-tune``: how it is told to train, under the rules of ``fine_tune`` in specs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import pytest

from benchmarks.killed_run import write_few
from tests.cli.conftest import CommandLine
from tests.gpus import StandIn
from tests.train.tiny import write_data
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.confirm import deploy
from yolo_prune_check.confirm.check import Check
from yolo_prune_check.errors import UserError
from yolo_prune_check.run import compact as compact_module
from yolo_prune_check.run.compact import compact_key
from yolo_prune_check.spec.schema import FineTune

MISSING = ("compact", "missing.pt", "--ratio", "0.5", "-o", "small.pt", "--data", "digits")


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--fine-tune", "1001", "must be at most 1000: got 1001. Number of epochs."),
        ("--fine-tune", "-1", "must be at least 1: got -1. Number of epochs."),
        ("--batch", "0", "must be at least 1: got 0. Images per batch."),
        ("--lr", "0", "must be greater than 0: got 0.0. Learning rate"),
        ("--lr", "1.5", "must be at most 1: got 1.5. Learning rate"),
        ("--lr", "nan", "must be finite: got nan. Learning rate"),
        ("--fraction", "1.01", "must be at most 1: got 1.01. Fraction of the training images"),
        ("--workers", "65", "must be at most 64: got 65. Processes that read images"),
    ],
)
def test_what_no_spec_may_say_is_refused_before_anything_is_loaded(
    option: str, value: str, said: str, command_line: CommandLine
) -> None:
    ran = command_line(*MISSING, *(["--fine-tune", "1"] if option != "--fine-tune" else []), option, value)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"yolo-prune-check: {option}: {said}")


@pytest.mark.parametrize(
    "asked", [["--batch", "4"], ["--lr", "0.001"], ["--fraction", "1"], ["--amp"], ["--no-amp"]], ids=lambda it: it[0]
)
def test_how_to_train_says_nothing_where_nothing_is_trained(asked: list[str], command_line: CommandLine) -> None:
    ran = command_line(*MISSING, *asked)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        f"yolo-prune-check: {asked[0]}: this says how to train, and nothing is trained. "
        "Add `--fine-tune EPOCHS`, or leave it out.\n"
    )


def test_mixed_precision_on_the_cpu_is_refused_before_anything_is_loaded(command_line: CommandLine) -> None:
    ran = command_line(*MISSING, "--fine-tune", "1", "--amp")
    assert ran.code == 2
    assert "--device: mixed precision is for GPUs only: got 'cpu'. Leave out `fine_tune.amp` or `--amp`, or" in ran.err


def test_it_trains_as_it_is_told(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def keyed(*_: object, training: FineTune | None, **__: object) -> NoReturn:
        asked.append(training)
        raise UserError("enough")

    monkeypatch.setattr(compact_module, "compact_key", keyed)
    StandIn(monkeypatch, "H200")
    write_data(Path("data"), train=1, val=1)
    start = ("compact", "yolov8n.yaml", "--ratio", "0.5", "--imgsz", "32", "-o", "small.pt", "--data", "data/tiny.yaml")
    told = ("--batch", "4", "--lr", "0.02", "--fraction", "0.5", "--amp", "--workers", "2", "--device", "0")
    for more in ((), ("--fine-tune", "3"), ("--fine-tune", "3", *told)):
        assert "enough" in command_line(*start, *more).err
    usual = FineTune(epochs=3)
    assert asked == [None, usual, FineTune(epochs=3, batch=4, lr=0.02, fraction=0.5, amp=True, workers=2)]


def test_a_training_that_is_told_otherwise_is_another_one() -> None:
    usual = {
        "epochs": 3,
        "batch": 4,
        "lr": 0.01,
        "fraction": 0.5,
        "amp": False,
        "enforce_masks": True,
        "workers": 0,
        "after": "each",
    }
    others = {
        "epochs": 4,
        "batch": 8,
        "lr": 0.02,
        "fraction": 1.0,
        "amp": True,
        "enforce_masks": False,
        "workers": 1,
        "after": "last",
    }
    assert usual.keys() == others.keys() == FineTune.model_fields.keys()
    asked = [FineTune.model_validate({**usual, name: others[name]}) for name in usual]
    keys = {
        compact_key(
            Plan(), source="yolov8n.yaml", imgsz=64, data=None, training=training, seed=0, trust=False, device="cpu"
        )
        for training in (FineTune.model_validate(usual), *asked)
    }
    assert len(keys) == 1 + len(asked)


def test_a_training_that_makes_it_worse_is_told(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compact_module, "deployed", lambda *_, **__: (Check(deploy.RELOADED, True),))
    monkeypatch.setattr(compact_module, "prove", lambda *_: ())
    write_few(Path(), 4)
    start = ("compact", "yolov8n-digits", "--ratio", "0.01", "--imgsz", "64", "-o", "small.pt", "--data", "few.yaml")
    ran = command_line(*start, "--fine-tune", "1", "--lr", "0.2", "--batch", "2", "--json")
    assert ran.code == 0, ran.err
    _, pruned, trained = (scores["map50_95"] for scores in ran.json["metrics"])
    assert pruned > trained + 0.01
    fell = f"mAP50-95 fell from {pruned:.3f} to {trained:.3f}"
    assert ran.json["worsened"] == fell
    assert (
        f"warning: training made it worse: {fell}. Train longer, or with a smaller --lr than 0.2.\nsaved small.pt\n"
    ) in ran.err
