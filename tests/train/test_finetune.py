"""Fine-tuning keeps masks and shapes, which stock training does not; and it leaves no trace."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.train.tiny import SIZE, TRAIN, Recorder, files, narrow, same, state
from yolo_prune_check.channels.plan import MASK_KINDS, MaskKind, Plan, Step
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.load import load_model
from yolo_prune_check.progress import progress
from yolo_prune_check.prune.mask import MaskSet, weight_norm_count
from yolo_prune_check.spec.schema import FineTune
from yolo_prune_check.train.evaluate import evaluate
from yolo_prune_check.train.failure import TrainingError
from yolo_prune_check.train.finetune import FineTuneResult, fine_tune

QUIET = progress(quiet=True)
CONVS = {"model.1.conv": "model.1.bn", "model.4.m.0.cv2.conv": "model.4.m.0.cv2.bn", "model.22.cv3.0.2": None}
KEEP = {"model.1.conv": range(0, 32, 2), "model.4.m.0.cv2.conv": range(5), "model.22.cv3.0.2": (1,)}


def masks_of(kind: MaskKind = "silent") -> MaskSet:
    return MaskSet.from_plan(Plan([Step(layer, keep) for layer, keep in KEEP.items()], mask=kind), CONVS)


def tune(model: Any, data: str, work: Path, masks: MaskSet | None = None, seed: int = 0, **more: Any) -> FineTuneResult:
    settings = FineTune(**{"epochs": 1, "batch": 4, "lr": 1e-3, **more})
    return fine_tune(
        model, data=data, imgsz=SIZE, settings=settings, seed=seed, masks=masks, work_dir=work, progress=QUIET
    )


def stock_training(model: Any, data: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """One epoch of plain `YOLO(file).train()`; the trained network."""
    import ultralytics.data.utils
    from ultralytics.models import YOLO

    monkeypatch.setattr(ultralytics.data.utils, "check_font", lambda *_: None)  # it would go online
    file = folder / "pruned.pt"
    torch.save({"model": model}, file)
    threads = torch.get_num_threads()
    stock: Any = YOLO(file)
    stock.train(
        data=data, epochs=1, imgsz=SIZE, batch=4, device="cpu", amp=False, plots=False, workers=0, project=str(folder)
    )
    torch.set_num_threads(threads)
    return stock.trainer.ema.ema


@pytest.mark.parametrize("kind", MASK_KINDS)
def test_no_masked_channel_comes_back(network: Any, tiny: str, tmp_path: Path, kind: MaskKind) -> None:
    masks = masks_of(kind)
    masks.apply(network)
    result = tune(network, tiny, tmp_path, masks)
    conv: Any = result.model.get_submodule("model.1.conv")
    assert result.regrown == dict.fromkeys(CONVS, 0)
    assert masks.regrown(result.model) == dict.fromkeys(CONVS, 0)
    assert weight_norm_count(conv) == 16
    assert not same(state(result.model), state(network))  # and yet it has learned


def test_the_raw_model_and_the_average_keep_the_masks_after_every_step(
    network: Any, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from yolo_prune_check.train.trainer import GivenModelTrainer

    masks, seen = masks_of(), []
    step = GivenModelTrainer.optimizer_step

    def watched(trainer: Any) -> None:
        step(trainer)
        seen.append((masks.regrown(trainer.model), masks.regrown(trainer.ema.ema)))

    monkeypatch.setattr(GivenModelTrainer, "optimizer_step", watched)
    tune(network, tiny, tmp_path, masks, epochs=2)
    none = dict.fromkeys(CONVS, 0)
    assert seen == [(none, none)] * (2 * 3)  # ten images in batches of four: three steps an epoch


def test_without_enforcement_every_channel_comes_back_and_is_counted(network: Any, tiny: str, tmp_path: Path) -> None:
    masks = masks_of()
    masks.apply(network)
    result = tune(network, tiny, tmp_path, masks, enforce_masks=False)
    assert result.regrown == {"model.1.conv": 16, "model.4.m.0.cv2.conv": 27, "model.22.cv3.0.2": 1}


def test_stock_training_lets_masks_grow_back(
    network: Any, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    masks = masks_of("weights")
    masks.apply(network)
    trained = stock_training(network, tiny, tmp_path, monkeypatch)
    assert weight_norm_count(trained.get_submodule("model.1.conv")) == 32
    assert masks.regrown(trained)["model.1.conv"] == 16


def test_stock_training_rebuilds_what_was_narrowed(
    network: Any, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow(network, 20)
    trained = stock_training(network, tiny, tmp_path, monkeypatch)
    assert trained.model[1].conv.out_channels == 32


def test_our_training_keeps_what_was_narrowed(network: Any, tiny: str, tmp_path: Path) -> None:
    narrow(network, 20)
    result = tune(network, tiny, tmp_path)
    shapes = {name: tuple(value.shape) for name, value in result.model.state_dict().items()}
    assert shapes == {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert shapes["model.1.conv.weight"][0] == 20
    assert not torch.equal(result.model.state_dict()["model.1.conv.weight"], network.model[1].conv.weight)


def test_it_trains_the_module_it_is_given(
    network: Any, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module no YAML could rebuild: its forward pass must be the one that is run."""
    from yolo_prune_check.train.trainer import GivenModelTrainer

    calls: list[bool] = []

    class Spy(nn.SiLU):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            calls.append(self.training)
            return super().forward(x)

    network.model[1].act = Spy()
    trainers: list[Any] = []
    setup = GivenModelTrainer.setup_model

    def watched(trainer: Any) -> None:
        trainers.append(trainer)
        setup(trainer)

    monkeypatch.setattr(GivenModelTrainer, "setup_model", watched)
    result = tune(network, tiny, tmp_path)
    assert calls == [True] * 3
    assert isinstance(result.model.get_submodule("model.1.act"), Spy)
    assert trainers[0].model is trainers[0]._given


def test_the_argument_is_untouched(network: Any, tiny: str, tmp_path: Path) -> None:
    for index, parameter in enumerate(network.parameters()):
        parameter.requires_grad = index % 3 == 0
    before, flags = state(network), [p.requires_grad for p in network.parameters()]
    attributes = {k: v for k, v in vars(network).items() if not k.startswith("_")}
    result = tune(network, tiny, tmp_path, masks_of())
    assert same(state(network), before)
    assert [p.requires_grad for p in network.parameters()] == flags
    assert {k: v for k, v in vars(network).items() if not k.startswith("_")} == attributes
    assert not network.training
    assert not set(map(id, result.model.parameters())) & set(map(id, network.parameters()))


def test_the_result_is_like_the_argument_in_all_but_its_weights(network: Any, tiny: str, tmp_path: Path) -> None:
    for index, parameter in enumerate(network.parameters()):
        parameter.requires_grad = index % 3 == 0
    network.names = {0: "a", 1: "b"}
    result = tune(network.half(), tiny, tmp_path, epochs=2)
    model: Any = result.model
    assert result.epochs == 2
    assert result.seconds > 0
    assert type(model) is type(network)
    assert not any(module.training for module in model.modules())
    assert {value.dtype for value in model.state_dict().values()} == {torch.float32, torch.int64}
    assert [p.requires_grad for p in model.parameters()] == [p.requires_grad for p in network.parameters()]
    assert model.names == {0: "a", 1: "b"}
    assert vars(model).keys() == vars(network).keys()  # no criterion, no paths of a training run
    assert torch.equal(model.model[22].dfl.conv.weight, network.model[22].dfl.conv.weight.float())  # frozen


def test_the_same_seed_gives_the_same_weights_whatever_the_global_state(
    network: Any, tiny: str, tmp_path: Path
) -> None:
    results = []
    for seed, disturbance in ((4, 1), (4, 2), (5, 2)):
        random.seed(disturbance)
        np.random.seed(disturbance)
        torch.manual_seed(disturbance)
        results.append(state(tune(network, tiny, tmp_path, masks_of(), seed=seed).model))
    assert same(results[0], results[1])
    assert not same(results[0], results[2])


@pytest.mark.parametrize("fails", [False, True])
def test_global_state_is_as_before(
    network: Any, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "77")
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)

    filling: Any = torch.utils.deterministic

    def snapshot() -> list[Any]:
        return [
            random.getstate(),
            [str(part) for part in np.random.get_state()],
            torch.get_rng_state().tolist(),
            torch.get_num_threads(),
            torch.are_deterministic_algorithms_enabled(),
            torch.backends.cudnn.deterministic,
            filling.fill_uninitialized_memory,
            os.environ.get("PYTHONHASHSEED"),
            os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
        ]

    if fails:
        nn.init.constant_(network.model[5].conv.weight, torch.nan)
    before = snapshot()
    with pytest.raises(UserError, match="diverged") if fails else no_error():
        tune(network, tiny, tmp_path)
    assert snapshot() == before


@contextmanager
def no_error() -> Iterator[None]:
    yield


def test_training_runs_with_the_callers_number_of_threads(
    network: Any, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from yolo_prune_check.train.trainer import GivenModelTrainer

    seen: list[int] = []
    step = GivenModelTrainer.optimizer_step

    def watched(trainer: Any) -> None:
        seen.append(torch.get_num_threads())
        step(trainer)

    monkeypatch.setattr(GivenModelTrainer, "optimizer_step", watched)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(before + 2)
        tune(network, tiny, tmp_path)
        assert set(seen) == {before + 2}
    finally:
        torch.set_num_threads(before)


def test_nothing_is_left_behind_or_written_beside_the_data(
    network: Any,
    fresh_data: Callable[[], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("training went online")

    data, here = fresh_data(), tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    before = files(data.parent)
    tune(network, str(data), tmp_path / "work", masks_of())
    assert files(data.parent) == before
    assert list((tmp_path / "work").iterdir()) == []
    assert list(here.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_a_failed_training_leaves_nothing_either(network: Any, tiny: str, tmp_path: Path) -> None:
    nn.init.constant_(network.model[5].conv.weight, torch.nan)
    with pytest.raises(UserError) as caught:
        tune(network, tiny, tmp_path / "work")
    assert str(caught.value) == (
        "fine-tuning diverged in batch 1: the loss is nan. Choose a smaller learning rate than 0.001, or prune less."
    )
    assert list((tmp_path / "work").iterdir()) == []


def test_files_that_are_kept_hold_the_masks(network: Any, tiny: str, tmp_path: Path) -> None:
    masks = masks_of()
    result = fine_tune(
        network,
        data=tiny,
        imgsz=SIZE,
        settings=FineTune(epochs=1, batch=4, lr=1e-3),
        seed=0,
        masks=masks,
        work_dir=tmp_path,
        progress=QUIET,
        keep_files=True,
    )
    (checkpoint,) = tmp_path.rglob("last.pt")
    saved = torch.load(checkpoint, weights_only=False)["ema"]  # ours: written a second ago
    assert masks.regrown(saved) == dict.fromkeys(CONVS, 0)
    for name, value in result.model.state_dict().items():
        assert torch.equal(saved.state_dict()[name].float(), value.to(saved.state_dict()[name].dtype).float())


def test_no_logger_of_ultralytics_is_called(
    network: Any, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ultralytics.utils.callbacks import base

    called: list[str] = []
    monkeypatch.setattr(
        base, "default_callbacks", {e: [lambda _t, e=e: called.append(e)] for e in base.default_callbacks}
    )
    tune(network, tiny, tmp_path)
    assert called == []


@pytest.mark.parametrize(
    ("epochs", "batch", "fraction", "images", "batches"),
    [(1, 4, 1.0, 10, 3), (2, 3, 0.5, 5, 4), (1, 3, 1.0, 9, 3), (1, 64, 0.3, 3, 1), (1, 1, 0.2, 2, 2)],
    ids=["all", "half-twice", "no-batch-of-one", "one-batch", "batch-of-one-asked-for"],
)
def test_progress_counts_the_batches_of_the_share_that_is_trained_on(
    network: Any, tiny: str, tmp_path: Path, epochs: int, batch: int, fraction: float, images: int, batches: int
) -> None:
    recorder = Recorder()
    settings = FineTune(epochs=epochs, batch=batch, fraction=fraction, lr=1e-4)
    fine_tune(
        network, data=tiny, imgsz=SIZE, settings=settings, seed=0, masks=None, work_dir=tmp_path, progress=recorder
    )
    assert TRAIN == 10
    plural = "s" if epochs > 1 else ""
    assert recorder.tasks == [(f"fine-tune {epochs} epoch{plural} on {images} images", batches)]
    assert recorder.steps == [1] * batches


def test_smaller_batches_are_reported_where_memory_runs_out(
    network: Any, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ultralytics.nn.tasks import BaseModel

    loss, recorder = BaseModel.loss, Recorder()

    def large_batches_fail(model: Any, batch: Any, preds: Any = None) -> Any:
        if len(batch["img"]) > 2:
            raise RuntimeError("CUDA out of memory")
        return loss(model, batch, preds)

    monkeypatch.setattr(BaseModel, "loss", large_batches_fail)
    settings = FineTune(epochs=1, batch=4, lr=1e-4)
    fine_tune(
        network, data=tiny, imgsz=SIZE, settings=settings, seed=0, masks=None, work_dir=tmp_path, progress=recorder
    )
    assert recorder.lines == ["the device is out of memory: batches of 2 instead of 4 images"]


def test_memory_that_is_never_enough_is_told(
    network: Any, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ultralytics.nn.tasks import BaseModel

    def never(*_: Any, **__: Any) -> Any:
        raise RuntimeError("CUDA out of memory. Tried 2 GiB\nmore")

    monkeypatch.setattr(BaseModel, "loss", never)
    told = r"^fine-tuning ran out of memory \(CUDA out of memory\. Tried 2 GiB\)\. Choose a smaller batch or"
    with pytest.raises(TrainingError, match=told):
        tune(network, tiny, tmp_path)
    monkeypatch.setattr(BaseModel, "forward", never)
    with pytest.raises(
        TrainingError, match=r"^an evaluation ran out of memory \(CUDA .*\)\. Choose a smaller image size"
    ):
        evaluate(network, data=tiny, imgsz=SIZE, progress=Recorder())


def test_unreadable_images_are_reported_and_left_out(
    network: Any, fresh_data: Callable[[], Path], tmp_path: Path
) -> None:
    data = fresh_data()
    (data.parent / "images/train/03.png").write_bytes(b"no image")
    (data.parent / "labels/train/05.txt").write_text("7 0.5 0.5 0.1 0.1\n")
    recorder = Recorder()
    settings = FineTune(epochs=1, batch=4, lr=1e-4)
    fine_tune(
        network, data=str(data), imgsz=SIZE, settings=settings, seed=0, masks=None, work_dir=tmp_path, progress=recorder
    )
    (line,) = recorder.lines
    assert line.startswith(f"{data}: 2 of 10 images left out; the first: ")
    assert "03.png" in line


def test_training_that_changes_nothing_fails(network: Any, tiny: str, tmp_path: Path) -> None:
    settings = FineTune(epochs=1, batch=4, lr=1e-3).model_copy(update={"lr": 1e-45})
    with pytest.raises(UserError, match="fine-tuning changed nothing: every parameter is what it was"):
        fine_tune(
            network, data=tiny, imgsz=SIZE, settings=settings, seed=0, masks=None, work_dir=tmp_path, progress=QUIET
        )


@pytest.mark.parametrize("lr", [0.0, -0.1, 1.5, float("nan")])
def test_a_senseless_learning_rate_is_refused(network: Any, tiny: str, tmp_path: Path, lr: float) -> None:
    settings = FineTune(epochs=1, batch=4).model_copy(update={"lr": lr})
    with pytest.raises(UserError, match="the learning rate must lie between 0 and 1"):
        fine_tune(
            network, data=tiny, imgsz=SIZE, settings=settings, seed=0, masks=None, work_dir=tmp_path, progress=QUIET
        )


def test_a_model_with_too_few_classes_is_refused(network: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the data set has 10 classes, the model only 2"):
        tune(network, "digits", tmp_path)


def test_a_module_that_is_no_yolo_is_refused(tiny: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"only YOLO models that detect, .* or fine-tuned: got 'Conv2d'"):
        tune(nn.Conv2d(3, 3, 1), tiny, tmp_path)


@pytest.mark.parametrize("name", ["yoloe-v8n.yaml", "yoloe-v8n-seg.yaml"])
def test_a_model_that_does_not_learn_from_images_alone_is_refused(name: str, tiny: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"an open-vocabulary detector is trained with texts, .*: got 'YOLOE"):
        tune(load_model(name), tiny, tmp_path)


def test_one_image_is_too_few(network: Any, tiny: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="fine-tuning needs two images at least"):
        tune(network, tiny, tmp_path, fraction=0.1)


def test_labels_that_are_nowhere_are_named(network: Any, fresh_data: Callable[[], Path], tmp_path: Path) -> None:
    data = fresh_data()
    (data.parent / "labels").rename(data.parent / "annotations")
    with pytest.raises(UserError) as caught:
        tune(network, str(data), tmp_path)
    expected = data.parent / "labels" / "train" / "00.txt"
    assert str(caught.value) == f"{data}: no image has a label. The first one's is looked for in {expected}."
