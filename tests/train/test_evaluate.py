"""Evaluation: Ultralytics' numbers, without its side effects."""

from __future__ import annotations

import copy
import json
import math
import random
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.train.tiny import SIZE, VAL, Recorder, files, same, state, write_data
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.data import shipped_data
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.load import load_model
from yolo_prune_check.progress import progress
from yolo_prune_check.prune.mask import MaskSet
from yolo_prune_check.scores import MeanAveragePrecision
from yolo_prune_check.spec.schema import FineTune
from yolo_prune_check.train.evaluate import evaluate
from yolo_prune_check.train.finetune import fine_tune

QUIET = progress(quiet=True)


def test_it_gives_the_numbers_of_stock_validation(
    digits_model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ultralytics.data.utils
    from ultralytics.models import YOLO

    ours = evaluate(digits_model, data="digits", imgsz=128, progress=QUIET)
    monkeypatch.setattr(ultralytics.data.utils, "check_font", lambda *_: None)  # it would go online
    file = tmp_path / "digits.pt"
    torch.save({"model": copy.deepcopy(digits_model)}, file)
    threads = torch.get_num_threads()
    validated: Any = YOLO(file)
    stock = validated.val(
        data=str(shipped_data("digits")),
        imgsz=128,
        batch=32,
        device="cpu",
        plots=False,
        workers=0,
        project=str(tmp_path),
    )
    torch.set_num_threads(threads)
    assert ours.map50 == pytest.approx(stock.box.map50, abs=1e-3)
    assert ours.map50_95 == pytest.approx(stock.box.map, abs=1e-3)
    assert ours.map50 > 0.8  # a detector that works, or the comparison would say little


def test_the_argument_is_untouched(network: Any, tiny: str) -> None:
    network.train()
    before = state(network)
    head = {k: v for k, v in vars(network.model[-1]).items() if not k.startswith("_")}
    evaluate(network, data=tiny, imgsz=SIZE, progress=QUIET)
    assert same(state(network), before)
    assert network.training
    assert all(parameter.requires_grad for name, parameter in network.named_parameters() if "dfl" not in name)
    assert sum(isinstance(module, nn.BatchNorm2d) for module in network.modules()) == 57  # not fused
    for name, value in head.items():
        now = getattr(network.model[-1], name)
        assert torch.equal(now, value) if isinstance(value, torch.Tensor) else now == value


def test_twice_is_the_same_and_global_state_stays(network: Any, tiny: str) -> None:
    random.seed(1)
    before = (random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist(), torch.get_num_threads())
    first = evaluate(network, data=tiny, imgsz=SIZE, progress=QUIET)
    after = (random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist(), torch.get_num_threads())
    assert before == after
    random.seed(2)
    assert evaluate(network, data=tiny, imgsz=SIZE, progress=QUIET) == first


@pytest.mark.parametrize("value", [-100.0, math.nan], ids=["silent", "nan"])
def test_a_model_that_detects_nothing_has_zero(network: Any, tiny: str, value: float) -> None:
    for branch in network.model[-1].cv3:
        nn.init.zeros_(branch[-1].weight)
        nn.init.constant_(branch[-1].bias, value)
    assert evaluate(network, data=tiny, imgsz=SIZE, progress=QUIET) == MeanAveragePrecision(0.0, 0.0)


def test_a_half_precision_model_is_measured_in_float32(network: Any, tiny: str) -> None:
    half = copy.deepcopy(network).half()
    assert evaluate(half, data=tiny, imgsz=SIZE, progress=QUIET) == evaluate(
        copy.deepcopy(half).float(), data=tiny, imgsz=SIZE, progress=QUIET
    )
    assert next(half.parameters()).dtype == torch.float16


def test_progress_counts_images(network: Any, tiny: str) -> None:
    recorder = Recorder()
    evaluate(network, data=tiny, imgsz=SIZE, progress=recorder, batch=4)
    assert recorder.tasks == [("evaluate on 6 images", VAL)]
    assert recorder.steps == [4, 2]


def test_it_writes_nothing_and_goes_nowhere(
    network: Any,
    fresh_data: Callable[[], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("evaluation went online")

    data = fresh_data()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    before = files(data.parent)
    evaluate(network, data=str(data), imgsz=SIZE, progress=QUIET)
    assert files(data.parent) == before
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_a_planted_cache_file_is_not_read(network: Any, fresh_data: Callable[[], Path], tmp_path: Path) -> None:
    """Ultralytics unpickles `labels/val.cache`: a data set could run code."""
    data, trace = fresh_data(), tmp_path / "trace"

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (trace,))

    with (data.parent / "labels" / "val.cache").open("wb") as file:
        np.save(file, np.array(Trap(), dtype=object), allow_pickle=True)
    evaluate(network, data=str(data), imgsz=SIZE, progress=QUIET)
    assert not trace.exists()


def test_training_and_evaluation_find_the_data_where_ultralytics_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config/Ultralytics").mkdir(parents=True)
    (tmp_path / "config/Ultralytics/settings.json").write_text(json.dumps({"datasets_dir": str(tmp_path / "sets")}))
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path / "sets/coco8", train=3, val=2)  # of the first two of COCO's classes
    recorder, settings = Recorder(), FineTune(epochs=1, batch=4, lr=1e-4)
    network = load_model("yolov8n.yaml")
    evaluate(network, data="coco8.yaml", imgsz=32, progress=recorder)
    fine_tune(
        network,
        data="coco8.yaml",
        imgsz=32,
        settings=settings,
        seed=0,
        masks=None,
        work_dir=tmp_path / "work",
        progress=recorder,
    )
    assert [title for title, _ in recorder.tasks] == ["evaluate on 2 images", "fine-tune 1 epoch on 3 images"]


def test_no_download_script_of_a_data_set_runs(network: Any, fresh_data: Callable[[], Path], tmp_path: Path) -> None:
    data, trace = fresh_data(), tmp_path / "trace"
    script = f"download: |\n  from pathlib import Path\n  Path({str(trace)!r}).touch()\n"
    data.write_text(data.read_text().replace("images/val", "images/nowhere") + script)
    with pytest.raises(UserError, match="the images of 'val' do not exist: got 'images/nowhere'"):
        evaluate(network, data=str(data), imgsz=SIZE, progress=QUIET)
    assert not trace.exists()


def test_image_sizes_are_rounded_up_to_the_stride(network: Any, tiny: str) -> None:
    assert evaluate(network, data=tiny, imgsz=SIZE - 1, progress=QUIET) == evaluate(
        network, data=tiny, imgsz=SIZE, progress=QUIET
    )


@pytest.mark.parametrize("name", ["yolo26n.yaml", "yolov10n.yaml", "yolov8n-worldv2.yaml", "yoloe-v8n.yaml"])
def test_every_kind_of_yolo_detector_can_be_measured(name: str, tiny: str) -> None:
    measured = evaluate(load_model(name), data=tiny, imgsz=SIZE, progress=QUIET)
    assert 0 <= measured.map50_95 <= measured.map50 < 0.5  # untrained


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("yolov8n-cls.yaml", "a model for classify needs another kind of data set"),
        (
            "yolov8n-rtdetr.yaml",
            "only YOLO models that detect, .*: got 'RTDETRDetectionModel for detect'",
        ),
    ],
)
def test_a_model_of_another_kind_is_refused(name: str, says: str, tiny: str) -> None:
    with pytest.raises(UserError, match=says):
        evaluate(load_model(name), data=tiny, imgsz=SIZE, progress=QUIET)


@pytest.mark.parametrize(("imgsz", "batch"), [(0, 32), (64, 0)])
def test_senseless_sizes_are_refused(network: Any, tiny: str, imgsz: int, batch: int) -> None:
    with pytest.raises(UserError, match="image size and batch must be positive"):
        evaluate(network, data=tiny, imgsz=imgsz, progress=QUIET, batch=batch)


def test_a_model_that_ran_in_inference_mode_can_be_measured_and_trained(
    network: Any, tiny: str, tmp_path: Path
) -> None:
    """The head caches tensors of its last pass, and those of inference mode refuse gradients."""
    fresh = evaluate(network, data=tiny, imgsz=SIZE, progress=QUIET)
    with torch.inference_mode():
        network(torch.zeros(1, 3, 96, 96))
    assert evaluate(network, data=tiny, imgsz=SIZE, progress=QUIET) == fresh
    settings = FineTune(epochs=1, batch=4, lr=1e-3)
    tuned = fine_tune(
        network, data=tiny, imgsz=SIZE, settings=settings, seed=0, masks=None, work_dir=tmp_path, progress=QUIET
    )
    tuned.model(torch.zeros(1, 3, 64, 64))


def test_fine_tuning_wins_back_what_masking_cost(digits_model: Any, tmp_path: Path) -> None:
    layers = {f"model.{block}.conv": f"model.{block}.bn" for block in (1, 3)}
    widths = {name: digits_model.get_submodule(name).out_channels for name in layers}
    masks = MaskSet.from_plan(Plan([Step(name, range(width // 2)) for name, width in widths.items()]), layers)
    dense = evaluate(digits_model, data="digits", imgsz=128, progress=QUIET)
    masks.apply(digits_model)
    masked = evaluate(digits_model, data="digits", imgsz=128, progress=QUIET)
    result = fine_tune(
        digits_model,
        data="digits",
        imgsz=128,
        settings=FineTune(epochs=1, fraction=0.15, batch=16, lr=1e-3),
        seed=0,
        masks=masks,
        work_dir=tmp_path,
        progress=QUIET,
    )
    tuned = evaluate(result.model, data="digits", imgsz=128, progress=QUIET)
    assert masked.map50 < dense.map50 - 0.1
    assert tuned.map50 > masked.map50 + 0.1
    assert set(result.regrown.values()) == {0}
