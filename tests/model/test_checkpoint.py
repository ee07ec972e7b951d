"""Reading a `.pt` runs nothing in it, and says what is wrong with one that holds no network."""

from __future__ import annotations

import os
import pickle
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.zoo import build
from yolo_prune_check.data import shipped_model
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
    assert (
        f"asks for code beyond the network modules of PyTorch and Ultralytics: {os.mkdir.__module__}.mkdir"
        in refused(file)
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
        assert f"PyTorch and Ultralytics: ultralytics.nn.tasks.{content.__qualname__}." in refused(file)


@pytest.mark.parametrize("network", [nn.Conv2d(3, 8, 1), build("resnet18")], ids=["Conv2d", "ResNet"])
def test_a_network_that_is_none_of_ultralytics(network: nn.Module, file: Path) -> None:
    torch.save({"model": network}, file)
    with pytest.raises(UserError, match=f"not an Ultralytics model but a {type(network).__name__}"):
        load_model(file)


def test_a_network_without_a_head(file: Path) -> None:
    model: Any = load_model("yolov8n.yaml")
    del model.model[-1]
    torch.save({"model": model}, file)
    with pytest.raises(UserError, match="its last block is no head of Ultralytics: got 'C2f'"):
        load_model(file)


class Called:
    """Unpickled, it is what a constructor returns for these arguments."""

    def __init__(self, kind: type, *arguments: object) -> None:
        self.call = kind, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


def test_no_constructor_of_a_network_runs(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some read YAMLs, evaluate what stands there, or download weights."""
    from ultralytics.nn import modules, tasks

    ran: list[type] = []
    for kind in (tasks.PoseModel, modules.TorchVision, nn.Conv2d):
        monkeypatch.setattr(kind, "__init__", lambda self, *_arguments: ran.append(type(self)))
    calls = [Called(tasks.PoseModel, "x.yaml"), Called(modules.TorchVision, "resnet18"), Called(nn.Conv2d, 3, 8, 1)]
    torch.save(calls, file)
    assert "the checkpoint holds no network but a list" in refused(file)
    assert ran == []
    torch.load(file, weights_only=False)  # the same file does call them where it is trusted: the test could fail
    assert ran == [tasks.PoseModel, modules.TorchVision, nn.Conv2d]


@pytest.mark.parametrize("name", ["__init__", "fuse", "train", "gone"])
def test_getattr_gives_forward_passes_only(name: str, file: Path) -> None:
    torch.save({"model": [Called(getattr, nn.Conv2d, "forward"), Called(getattr, nn.Conv2d, name)]}, file)
    assert f"the checkpoint cannot be loaded (it asks for the attribute '{name}' of a type)" in refused(file)


def test_a_fused_model_runs_as_before(file: Path) -> None:
    model: Any = load_model("yolov8n.yaml")
    image = torch.rand(1, 3, 64, 64)
    torch.save({"model": model.fuse(verbose=False)}, file)
    with torch.no_grad():
        assert torch.equal(load_model(file)(image)[0], model(image)[0])


def test_what_classifiers_bring_to_prepare_images(file: Path) -> None:
    from ultralytics.data.augment import classify_transforms

    model: Any = load_model("yolov8n-cls.yaml")
    model.transforms = classify_transforms(64)
    torch.save({"model": model}, file)
    loaded: Any = load_model(file)
    assert str(loaded.transforms) == str(model.transforms)


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


def test_reading_neither_leaves_permissions_behind_nor_takes_those_of_others(file: Path) -> None:
    """Whatever else runs in the process may allow what it likes: it is not asked, and keeps it."""
    before = set(torch.serialization.get_safe_globals())
    torch.save({"model": load_model("yolov8n.yaml")}, file)
    read_checkpoint(file)
    assert set(torch.serialization.get_safe_globals()) == before
    torch.save({"model": Called(os.getcwd)}, file)
    with torch.serialization.safe_globals([os.getcwd]):
        assert "beyond the network modules of PyTorch and Ultralytics: " in refused(file)
        assert os.getcwd in torch.serialization.get_safe_globals()


def test_a_checkpoint_with_damaged_bytes_is_refused_or_read(file: Path) -> None:
    """Whatever they lead PyTorch's reader to, the user gets a message."""
    with zipfile.ZipFile(shipped_model("yolov8n-digits")) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    (pickled,) = (name for name in parts if name.endswith("data.pkl"))
    source, places = random.Random(0), list[str | None]()
    for _ in range(100):
        damaged = bytearray(parts[pickled])
        for _ in range(source.choice((1, 1, 2, 5))):
            damaged[source.randrange(len(damaged))] = source.randrange(256)
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in parts.items():
                archive.writestr(name, bytes(damaged) if name == pickled else content)
        try:
            read_checkpoint(file)
        except UserError as error:
            places.append(error.where)
    assert set(places) == {str(file)}
    assert 50 < len(places) < 100
