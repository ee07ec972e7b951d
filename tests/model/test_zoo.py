"""Every architecture that Ultralytics ships loads, runs on an image, and comes back from a checkpoint."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from benchmarks.zoo import FAMILIES, TORCHVISION, build, randomise_norms
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.addresses import find_layer
from yolo_prune_check.model.blocks import blocks_of
from yolo_prune_check.model.layers import layers_of
from yolo_prune_check.model.load import load_model
from yolo_prune_check.model.stock import stock_names
from yolo_prune_check.model.tasks import require_detector, require_trainable, task_of

# Class and task of one model each; the other members of these families are built alike.
SMALL = {
    "yolov3-tiny.yaml": ("DetectionModel", "detect"),
    "yolov5n-p6.yaml": ("DetectionModel", "detect"),
    "yolov6n.yaml": ("DetectionModel", "detect"),
    "yolov8n-ghost-p2.yaml": ("DetectionModel", "detect"),
    "yolov8n-seg.yaml": ("SegmentationModel", "segment"),
    "yolov8n-cls-resnet50.yaml": ("ClassificationModel", "classify"),
    "yolov8n-world.yaml": ("WorldModel", "detect"),
    "yolov8n-worldv2.yaml": ("WorldModel", "detect"),
    "yolov8n-rtdetr.yaml": ("RTDETRDetectionModel", "detect"),
    "rtdetr-l.yaml": ("RTDETRDetectionModel", "detect"),
    "yolov9t.yaml": ("DetectionModel", "detect"),
    "yolov10n.yaml": ("DetectionModel", "detect"),
    "yolo11n-pose.yaml": ("PoseModel", "pose"),
    "yolo11-cls-resnet18.yaml": ("ClassificationModel", "classify"),
    "yolo12n-obb.yaml": ("OBBModel", "obb"),
    "yolo26n.yaml": ("DetectionModel", "detect"),
    "yolo26n-seg.yaml": ("SegmentationModel", "segment"),
    "yolo26n-sem.yaml": ("SemanticSegmentationModel", "semantic"),
    "yolo26n-depth.yaml": ("DepthModel", "depth"),
    "yolo26n-pose.yaml": ("PoseModel", "pose"),
    "yolo26n-obb.yaml": ("OBBModel", "obb"),
    "yolo26n-cls.yaml": ("ClassificationModel", "classify"),
    "yoloe-11n.yaml": ("YOLOEModel", "detect"),
    "yoloe-26n-seg.yaml": ("YOLOESegModel", "segment"),
}
OF_ALL_TASKS = ("yolov8n-seg", "yolo11n-pose", "yolo12n-obb", "yolov8n-cls", "yolov8n-rtdetr", "yolov8n-world",
                "yoloe-11n-seg", "yolo26n-sem", "yolo26n-depth", "yolo11-cls-resnet18")  # fmt: skip


def tensors_in(output: Any) -> list[torch.Tensor]:
    if isinstance(output, torch.Tensor):
        return [output]
    parts = output.values() if isinstance(output, dict) else output if isinstance(output, (list, tuple)) else ()
    return [tensor for part in parts for tensor in tensors_in(part)]


def outputs_of(model: nn.Module, images: int = 1) -> list[torch.Tensor]:
    image = torch.rand(images, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return tensors_in(model(image))


@pytest.mark.parametrize("name", SMALL)
def test_the_class_of_its_task_built_and_run(name: str) -> None:
    model = load_model(name)
    assert (type(model).__name__, task_of(model)) == SMALL[name]
    assert not any(module.training for module in model.modules())
    assert {value.dtype for value in model.state_dict().values() if value.is_floating_point()} == {torch.float32}
    results = outputs_of(model, images=2)
    assert results
    assert all(tensor.isfinite().all() for tensor in results)


@pytest.mark.parametrize("name", SMALL)
def test_blocks_hold_all_convolutions(name: str) -> None:
    model = load_model(name)
    layers = layers_of(model)
    convolutions = [name for name, module in model.named_modules() if isinstance(module, nn.Conv2d)]
    assert [layer.name for layer in layers] == convolutions
    assert [layer for block in blocks_of(model) for layer in block.layers] == list(layers)
    assert all(find_layer(model, layer.address) == layer for layer in layers[:: len(layers) // 4])


def test_the_list_names_every_stock_yaml_and_nothing_else() -> None:
    listed = [name for names in FAMILIES.values() for name in names]
    assert len(set(listed)) == len(listed)
    assert set(listed) <= set(stock_names())
    unscaled = re.compile(r"(?<=\d)[nsmlx](?=[-.])")
    assert {unscaled.sub("", name) for name in listed} == {unscaled.sub("", name) for name in stock_names()}


def test_stock_names_have_the_letters_that_their_file_defines() -> None:
    names = stock_names()
    assert len(set(names)) == len(names)
    assert {"yolov8x.yaml", "yoloe-11l-seg.yaml", "yolov10b.yaml", "yolov9t.yaml", "rtdetr-l.yaml"} <= set(names)
    assert not {"yolov10nn.yaml", "yolov3n.yaml", "yolov9tn.yaml", "yolo11n-cls-resnet18.yaml"} & set(names)


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision_classifiers(name: str) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    model = build(name, seed=1)
    assert torch.equal(torch.rand(2), expected)
    assert not model.training
    (logits,) = outputs_of(model)
    assert logits.shape == (1, 1000)
    assert torch.equal(outputs_of(build(name, seed=1))[0], logits)
    assert not torch.equal(outputs_of(build(name, seed=2))[0], logits)


def test_random_norms_shift_every_channel() -> None:
    model = build("yolov8n-cls.yaml")
    randomise_norms(model, seed=0)
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms
    assert all(torch.ne(values, 0).all() for norm in norms for values in norm.state_dict().values() if values.ndim)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("weights", ["[512, resnet18, DEFAULT, True, 2]", "[512, resnet18]"])
def test_a_torchvision_backbone_is_built_without_its_weights(weights: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        f"nc: 7\nbackbone: [[-1, 1, TorchVision, {weights}]]\nhead: [[-1, 1, Classify, [nc]]]\n", encoding="utf-8"
    )
    first, again, other = (load_model(file, seed=seed).state_dict() for seed in (0, 0, 1))
    name = "model.0.m.0.weight"
    assert torch.equal(first[name], again[name])
    assert not torch.equal(first[name], other[name])


@pytest.mark.parametrize(("stock", "classes"), [("yolov8-worldv2", 7), ("yoloe-v8", 7), ("yolov8-world", 90)])
def test_open_vocabularies_of_other_sizes_run_on_an_image(stock: str, classes: int, tmp_path: Path) -> None:
    import ultralytics

    text = Path(ultralytics.__file__).parent.joinpath("cfg/models/v8", f"{stock}.yaml").read_text(encoding="utf-8")
    file = tmp_path / f"{stock}.yaml"
    file.write_text(text.replace("nc: 80", f"nc: {classes}"), encoding="utf-8")
    model = load_model(file)
    randomise_norms(model, seed=0)  # in a fresh model next to nothing arrives at the head
    boxes, *_ = outputs_of(model)
    assert boxes.shape[:2] == (1, 4 + classes)
    scores = boxes[0, 4:]
    assert not torch.equal(scores[0], scores[1])  # each class has its own embedding


@pytest.mark.parametrize("name", OF_ALL_TASKS)
@pytest.mark.parametrize("form", ["while training", "finished"])
def test_back_from_a_checkpoint_as_ultralytics_saves_it(name: str, form: str, tmp_path: Path) -> None:
    from ultralytics.cfg import get_cfg

    model: Any = load_model(f"{name}.yaml")
    randomise_norms(model, seed=0)
    expected = {key: value.half().float() if value.is_floating_point() else value
                for key, value in model.state_dict().items()}  # fmt: skip
    if form == "while training":
        model.args = get_cfg()
        content = {"epoch": 3, "model": None, "ema": model.half(), "train_args": vars(get_cfg())}
    else:
        model.args = dict(get_cfg())
        content = {"epoch": -1, "model": model.half(), "ema": None, "train_args": dict(get_cfg()), "optimizer": None}
    torch.save(content, tmp_path / "best.pt")
    loaded = load_model(tmp_path / "best.pt")
    assert (type(loaded), task_of(loaded)) == (type(model), task_of(model))
    found = loaded.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], value) for key, value in expected.items())
    assert not loaded.training
    reference = outputs_of(model.float().eval())
    assert all(torch.equal(one, two) for one, two in zip(outputs_of(loaded), reference, strict=True))


@pytest.mark.parametrize("name", ["yolov8n-seg", "yolov8n-rtdetr", "yolo26n-pose"])
def test_a_loss_that_stayed_attached(name: str, tmp_path: Path) -> None:
    from ultralytics.cfg import get_cfg

    model: Any = load_model(f"{name}.yaml")
    model.args, model.nc = get_cfg(), 80
    model.criterion = model.init_criterion()
    torch.save(model, tmp_path / "whole.pt")
    assert type(load_model(tmp_path / "whole.pt")) is type(model)


@pytest.mark.parametrize(
    ("name", "got"),
    [
        ("yolov8n-seg.yaml", "SegmentationModel for segment"),
        ("yolov8n-cls.yaml", "ClassificationModel for classify"),
        ("yoloe-11n-seg.yaml", "YOLOESegModel for segment"),
        ("yolov8n-rtdetr.yaml", "RTDETRDetectionModel for detect"),
        ("resnet18", "ResNet"),
    ],
)
def test_what_is_no_yolo_detector(name: str, got: str) -> None:
    with pytest.raises(UserError, match=f"only YOLO detection models can be .*: got '{got}'. Use a detection model."):
        require_detector(build(name))


@pytest.mark.parametrize("name", ["yolov10n.yaml", "yolov8n-worldv2.yaml", "yoloe-v8n.yaml", "yolo26n.yaml"])
def test_what_is_one(name: str) -> None:
    require_detector(build(name))


@pytest.mark.parametrize("name", ["yolov8n-worldv2.yaml", "yoloe-v8n.yaml"])
def test_open_vocabularies_are_not_trained(name: str) -> None:
    with pytest.raises(UserError, match="an open-vocabulary detector is trained with texts"):
        require_trainable(build(name))
    require_trainable(build("yolov8n.yaml"))
