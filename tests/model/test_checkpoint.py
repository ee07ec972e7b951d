"""Reading a `.pt` runs nothing in it, and says what is wrong with one that holds no network."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from yolo_prune_check.errors import UserError
from yolo_prune_check.model.checkpoint import read_checkpoint
from yolo_prune_check.model.load import load_model


class Harmful:
    """Unpickled, it runs a command."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.proof),)


class Foreign(nn.Module):
    """A network of somebody else's."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "x.pt"


def refused(file: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_checkpoint(file)
    message = str(caught.value)
    assert message.startswith(f"{file}: ")
    assert "\n" not in message
    return message.removeprefix(f"{file}: ")


def test_a_malicious_checkpoint_runs_nothing(file: Path, tmp_path: Path) -> None:
    proof = tmp_path / "ran"
    torch.save({"model": Harmful(proof)}, file)
    assert f"asks for code beyond PyTorch's and Ultralytics' network modules: {os.mkdir.__module__}.mkdir" in refused(
        file
    )
    assert not proof.exists()
    with file.open("rb") as stream:  # the same file does run it where it is trusted: the test could fail
        torch.load(stream, weights_only=False)
    assert proof.exists()


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_bare_pickle_runs_nothing(protocol: int, file: Path, tmp_path: Path) -> None:
    proof = tmp_path / "ran"
    file.write_bytes(pickle.dumps(Harmful(proof), protocol=protocol))
    assert "not an archive written by torch.save" in refused(file)
    assert not proof.exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not a checkpoint that PyTorch can read (the file is empty)"),
        (bytes(range(256)) * 20, "not a checkpoint that PyTorch can read (it is not an archive written by torch.save)"),
        (b"PK\x03\x04" + b"\0" * 100, "not a checkpoint that PyTorch can read (the archive is damaged"),
    ],
)
def test_bytes_that_are_no_checkpoint(content: bytes, says: str, file: Path) -> None:
    file.write_bytes(content)
    assert refused(file).startswith(says)


def test_half_a_checkpoint(file: Path) -> None:
    torch.save({"model": nn.Conv2d(3, 64, 3)}, file)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert refused(file).startswith("not a checkpoint that PyTorch can read (the archive is damaged")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([1, 2], "the checkpoint holds no network but a list"),
        (torch.zeros(3), "the checkpoint holds no network but a Tensor"),
        ({}, "the checkpoint holds no network but an empty dict"),
        ({"model": None, "epoch": 3}, "the checkpoint holds no network but a dict with the keys model, epoch"),
        (
            nn.Conv2d(3, 8, 1).state_dict(),
            "the checkpoint holds no network but a state_dict of 2 tensors, weights without their network",
        ),
    ],
)
def test_checkpoints_without_a_network(content: object, says: str, file: Path) -> None:
    torch.save(content, file)
    assert refused(file).startswith(f"{says}. Give a checkpoint that Ultralytics saved")


@pytest.mark.filterwarnings("ignore::FutureWarning")  # PyTorch advises torch.export; users have the old files
def test_torchscript_is_not_a_checkpoint(file: Path) -> None:
    torch.jit.save(torch.jit.trace(nn.Conv2d(3, 8, 1), torch.zeros(1, 3, 4, 4)), str(file))
    assert "it is a TorchScript archive, whose layers cannot be pruned" in refused(file)


def test_another_network_is_named(file: Path) -> None:
    torch.save({"model": Foreign()}, file)
    assert f"{Foreign.__module__}.Foreign" in refused(file)


def test_what_ultralytics_modules_merely_contain_is_not_allowed(file: Path) -> None:
    """Its network modules import functions and classes that do more than hold weights."""
    from ultralytics.nn import tasks

    for content in (tasks.torch_safe_load, tasks._SafeLoad, tasks.guess_model_scale):
        torch.save({"model": content}, file)
        assert f"network modules: ultralytics.nn.tasks.{content.__qualname__}." in refused(file)


def test_a_network_that_is_no_detector(file: Path) -> None:
    torch.save({"model": nn.Conv2d(3, 8, 1)}, file)
    with pytest.raises(UserError, match="not an Ultralytics detection model but a Conv2d"):
        load_model(file)


def test_what_ultralytics_stores_beside_the_network(file: Path) -> None:
    """Paths, NumPy numbers, its own namespace, and the loss that stays attached to a model trained in this process."""
    from ultralytics.cfg import get_cfg
    from ultralytics.utils.loss import v8DetectionLoss

    model: Any = load_model("yolov8n.yaml")
    model.args = get_cfg()
    model.criterion = v8DetectionLoss(model)
    torch.save({"ema": model, "best_fitness": np.float64(0.5), "data": Path("a/b.yaml")}, file)
    read: Any = read_checkpoint(file)
    assert torch.equal(read.model[0].conv.weight, model.model[0].conv.weight)
    assert read.args.imgsz == model.args.imgsz


def test_reading_leaves_no_permission_behind(file: Path) -> None:
    torch.save({"model": load_model("yolov8n.yaml")}, file)
    read_checkpoint(file)
    with pytest.raises(pickle.UnpicklingError, match="weights_only"):
        torch.load(file, weights_only=True)
