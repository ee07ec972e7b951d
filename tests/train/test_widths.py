"""A network that comes back with other widths is caught, whoever changed it."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.channels.carry_out import carry_out
from tests.train.tiny import SIZE, narrow
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.removal import find_removal
from yolo_prune_check.errors import UserError
from yolo_prune_check.progress import progress
from yolo_prune_check.spec.schema import FineTune
from yolo_prune_check.train.finetune import FineTuneResult, fine_tune
from yolo_prune_check.train.widths import RebuiltError, require_widths, widths_in_files, widths_of


def tune(model: Any, data: str, work: Path, **more: Any) -> FineTuneResult:
    return fine_tune(
        model,
        data=data,
        imgsz=SIZE,
        settings=FineTune(epochs=1, batch=4, lr=1e-3),
        seed=0,
        masks=None,
        work_dir=work,
        progress=progress(quiet=True),
        **more,
    )


@pytest.fixture
def pruned(network: Any) -> Any:
    """Half of three layers' groups gone, of every kind of edge among them."""
    graph = ChannelGraph.trace(network, imgsz=SIZE)
    names = ("model.1.conv", "model.4.cv1.conv", "model.9.cv1.conv")
    halves = [Step(name, range(0, graph.layer(name).out_channels, 2)) for name in names]
    return carry_out(network, find_removal(graph, Plan(halves, "group")))


def test_what_was_removed_stays_removed_in_every_copy_that_training_makes(
    pruned: Any, tiny: str, tmp_path: Path
) -> None:
    before = widths_of(pruned)
    result = tune(pruned, tiny, tmp_path, keep_files=True)
    assert before["model.1.conv.out_channels"] == before["model.2.cv1.conv.in_channels"] == (16,)
    assert before["model.9.cv1.conv.weight"] == (64, 256, 1, 1)
    assert widths_of(result.model) == before
    checkpoints = sorted(tmp_path.rglob("*.pt"))
    assert [file.name for file in checkpoints] == ["best.pt", "last.pt"]
    assert widths_in_files(checkpoints) == [before, before]  # read by another process
    assert not torch.equal(result.model.get_submodule("model.1.conv").weight, pruned.model[1].conv.weight)


@pytest.fixture
def rebuilding(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the stock trainer does with `model.yaml`, in an otherwise unchanged trainer."""
    from ultralytics.models.yolo.detect import DetectionTrainer

    from yolo_prune_check.train import trainer

    class Rebuilding(trainer.GivenDetector):
        def setup_model(self) -> None:
            self.model = DetectionTrainer.get_model(self, cfg=self._given.yaml, weights=self._given, verbose=False)

    monkeypatch.setitem(trainer.TRAINERS, "detect", Rebuilding)


@pytest.mark.usefixtures("rebuilding")
def test_a_trainer_that_rebuilds_from_the_yaml_is_caught(network: Any, tiny: str, tmp_path: Path) -> None:
    narrow(network, 20)
    with pytest.raises(RebuiltError) as caught:
        tune(network, tiny, tmp_path)
    assert caught.value.where == "model.1.conv"
    assert str(caught.value) == (
        "model.1.conv: training rebuilt the network: in the network that is trained, weight is 32 × 16 × 3 × 3 and was "
        "20 × 16 × 3 × 3. Train with this package's trainer, which trains the very module it is given."
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("rebuilding")
def test_a_rebuilt_network_of_the_same_widths_is_caught_too(network: Any, tiny: str, tmp_path: Path) -> None:
    with pytest.raises(RebuiltError, match="trains another network than the one it was given"):
        tune(network, tiny, tmp_path)


def test_a_checkpoint_of_another_network_is_caught(
    network: Any, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ultralytics writes `model.half()`; here another one slips in on the way to the file."""
    from yolo_prune_check.train import trainer

    save = trainer.GivenModelTrainer.save_model

    def elsewhere(self: Any) -> bool:
        done = save(self)
        content = torch.load(self.last, weights_only=False)  # ours: written a moment ago
        narrow(content["ema"], 12)
        torch.save(content, self.last)
        return done

    monkeypatch.setattr(trainer.GivenModelTrainer, "save_model", elsewhere)
    narrow(network, 20)
    with pytest.raises(
        RebuiltError, match=r"model\.1\.conv: .* in last\.pt, weight is 12 × .* and was 20 × 16 × 3 × 3"
    ):
        tune(network, tiny, tmp_path, keep_files=True)


def test_a_width_attribute_counts_as_much_as_a_shape(network: Any) -> None:
    before = widths_of(network)
    network.model[2].c = 24
    with pytest.raises(RebuiltError, match=r"^model\.2: .* in the result, c is 24 and was 16\."):
        require_widths(before, widths_of(network), "the result")


def test_a_module_that_is_new_or_gone_is_a_difference() -> None:
    one, two = nn.Sequential(nn.Conv2d(3, 4, 1)), nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    with pytest.raises(RebuiltError, match=r"^1: .* weight is 4 and was missing"):
        require_widths(widths_of(one), widths_of(two), "the result")
    with pytest.raises(RebuiltError, match=r"^1: .* weight is missing and was 4"):
        require_widths(widths_of(two), widths_of(one), "the result")


def test_the_error_crosses_process_borders() -> None:
    error = pickle.loads(pickle.dumps(RebuiltError("a", where="b")))
    assert type(error) is RebuiltError
    assert str(error) == "b: a."


def test_a_file_that_cannot_be_read_back_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "half.pt"
    file.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(
        UserError, match=r"checkpoints cannot be read back in a fresh process: got '.*half\.pt: .* damaged"
    ):
        widths_in_files([file])
