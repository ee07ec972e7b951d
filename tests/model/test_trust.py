"""A checkpoint that asks for more than the allow-list is loaded only where the caller trusts it, this once."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from yolo_prune_check.errors import UserError
from yolo_prune_check.model.load import load_model
from yolo_prune_check.run.baseline import load_baseline

WORDS = "`trust_checkpoint: true` in its spec, --trust-checkpoint, pytest's --prune-trust-checkpoint or trust=True"


class Harmful:
    """Unpickled, it makes a folder."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.proof),)


class Foreign(nn.Conv2d):
    """A block of somebody else's."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A detector whose first convolution is of a class that is not stock."""
    model: Any = load_model("yolov8n.yaml")
    model.model[0].conv.__class__ = Foreign
    torch.save({"model": model}, tmp_path / "foreign.pt")
    return tmp_path / "foreign.pt"


@pytest.fixture
def gone(tmp_path: Path) -> Iterator[Path]:
    """A detector with a class of a module that is there no more."""
    module = ModuleType("somebody_elses")
    kind = type("Block", (nn.Conv2d,), {"__module__": module.__name__})
    vars(module)["Block"] = kind
    sys.modules[module.__name__] = module
    model: Any = load_model("yolov8n.yaml")
    model.model[0].conv.__class__ = kind
    torch.save({"model": model}, tmp_path / "gone.pt")
    del sys.modules[module.__name__]
    return tmp_path / "gone.pt"


def refused(file: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_model(file)
    return str(caught.value)


def test_a_refusal_says_how_to_trust(file: Path) -> None:
    message = refused(file)
    assert f"{Foreign.__module__}.Foreign. It was not loaded, since that would run the code. " in message
    assert WORDS in message


def test_a_trusted_checkpoint_is_loaded_with_its_own_classes(file: Path) -> None:
    model: Any = load_model(file, trust=True)
    assert type(model.model[0].conv) is Foreign
    assert not model.training
    assert model(torch.zeros(1, 3, 32, 32))[0].shape[1] == 84


def test_it_stays_refused_after_it_was_trusted(file: Path) -> None:
    """Neither PyTorch's allow-list nor a model kept from before lets it through."""
    assert type(load_baseline(str(file), 32, trust=True).model.get_submodule("model.0.conv")) is Foreign
    assert "beyond the network modules of PyTorch and Ultralytics" in refused(file)
    with pytest.raises(UserError, match="beyond the network modules"):
        load_baseline(str(file), 32)


def test_a_malicious_checkpoint_runs_only_where_it_is_trusted(tmp_path: Path) -> None:
    file, proof = tmp_path / "x.pt", tmp_path / "ran"
    torch.save({"model": Harmful(proof)}, file)
    refused(file)
    assert not proof.exists()
    with pytest.raises(UserError, match="holds no network but a dict with the keys model"):
        load_model(file, trust=True)
    assert proof.exists()


def test_trust_runs_nothing_in_a_file_that_needs_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old names that only the strict loader knows are found as well."""
    torch.save({"model": load_model("yolov8n.yaml")}, tmp_path / "stock.pt")
    asked: list[bool] = []
    load = torch.load

    def spy(*args: Any, **kwargs: Any) -> Any:
        asked.append(kwargs["weights_only"])
        return load(*args, **kwargs)

    monkeypatch.setattr(torch, "load", spy)
    load_model(tmp_path / "stock.pt", trust=True)
    assert asked == [True]


def test_what_fails_while_unpickling_is_the_users_to_know(gone: Path) -> None:
    with pytest.raises(UserError) as caught:
        load_model(gone, trust=True)
    assert str(caught.value) == (
        f"{gone}: the checkpoint cannot be loaded, though it is trusted (ModuleNotFoundError: No module named "
        "'somebody_elses'). It asks for somebody_elses.Block: what defines that must be importable here."
    )


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04" + b"\0" * 100, bytes(range(256)) * 20])
def test_trust_makes_no_checkpoint_of_other_bytes(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "x.pt"
    file.write_bytes(content)
    with pytest.raises(UserError, match="not a checkpoint that PyTorch can read"):
        load_model(file, trust=True)
