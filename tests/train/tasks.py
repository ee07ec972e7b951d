"""For each task a tiny data set and a small network that fits it."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from tests.train.tiny import SIZE
from yolo_prune_check.progress import progress
from yolo_prune_check.spec.schema import FineTune

MODELS = {
    "detect": ("DetectionModel", "yolov8n.yaml"),
    "segment": ("SegmentationModel", "yolov8n-seg.yaml"),
    "pose": ("PoseModel", "yolov8n-pose.yaml"),
    "obb": ("OBBModel", "yolov8n-obb.yaml"),
    "classify": ("ClassificationModel", "yolov8n-cls.yaml"),
}
CLASSES = ("bright", "dark")
KEYPOINTS = (4, 3)


def build(task: str, cfg: str | None = None, nc: int = 2) -> Any:
    """The smallest stock network of a task, for two classes unless told otherwise."""
    from yolo_prune_check.model.quiet import prepare_ultralytics

    prepare_ultralytics()
    from ultralytics.nn import tasks

    kind, yaml = MODELS[task]
    more: dict[str, Any] = {"data_kpt_shape": KEYPOINTS} if task == "pose" else {}
    with torch.random.fork_rng():
        torch.manual_seed(11)
        return getattr(tasks, kind)(cfg or yaml, nc=nc, verbose=False, **more).eval()


def write_task_data(root: Path, task: str, train: int = 6, val: int = 4) -> Path:
    """Bright and dark squares on noise, labelled for a task; what `data` names."""
    rng = np.random.default_rng(7)
    for split, count in (("train", train), ("val", val)):
        for number in range(count):
            picture = rng.integers(90, 150, (SIZE, SIZE, 3), dtype=np.uint8)
            kind, side = number % 2, int(rng.integers(16, 32))
            x, y = (int(v) for v in rng.integers(0, SIZE - side, 2))
            picture[y : y + side, x : x + side] = 235 if kind == 0 else 20
            if task == "classify":
                image = root / split / CLASSES[kind] / f"{number:02d}.png"
            else:
                image = root / "images" / split / f"{number:02d}.png"
                label = root / "labels" / split / f"{number:02d}.txt"
                label.parent.mkdir(parents=True, exist_ok=True)
                label.write_text(_row(task, kind, x / SIZE, y / SIZE, side / SIZE) + "\n")
            image.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(image)
    if task == "classify":
        return root
    keypoints = f"kpt_shape: {list(KEYPOINTS)}\n" if task == "pose" else ""
    yaml = root / f"{task}.yaml"
    yaml.write_text(f"path: {root}\ntrain: images/train\nval: images/val\nnames: {list(CLASSES)}\n{keypoints}")
    return yaml


def _row(task: str, kind: int, x: float, y: float, side: float) -> str:
    corners = [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]
    box = (x + side / 2, y + side / 2, side, side)
    values: tuple[float, ...] = {
        "detect": box,
        "segment": tuple(v for corner in corners for v in corner),
        "obb": tuple(v for corner in corners for v in corner),
        "pose": (*box, *(v for corner in corners for v in (*corner, 2.0))),
    }[task]
    return " ".join([str(kind), *(f"{value:.6f}" for value in values)])


def write_classifier(folder: Path) -> str:
    """`cls.pt`, which tells bright squares from dark ones at `SIZE`, and `squares`, the folder of these."""
    from yolo_prune_check.run.checkpoint import save_checkpoint

    save_checkpoint(_classifier(), folder / "cls.pt", imgsz=SIZE)
    write_task_data(folder / "squares", "classify", train=12, val=8)
    return "cls.pt"


@lru_cache
def _classifier() -> Any:
    """Trained in two seconds, once."""
    from yolo_prune_check.train.finetune import fine_tune

    with tempfile.TemporaryDirectory() as folder:
        data = write_task_data(Path(folder) / "squares", "classify", train=12, val=8)
        model = build("classify")
        model.names = dict(enumerate(CLASSES))
        settings = FineTune(epochs=16, batch=4, lr=2e-3)
        shown, work = progress(quiet=True), Path(folder) / "work"
        return fine_tune(
            model, data=str(data), imgsz=SIZE, settings=settings, seed=0, masks=None, work_dir=work, progress=shown
        ).model


def sighted(model: Any) -> Any:
    """Lets an untrained head find, around each point of its finest grid, a square of 24 px with all that its task adds.

    Scores are random, and far enough apart that rounding does not change their order.
    """
    head = model.model[-1]
    with torch.no_grad():
        _wake(model)
        for level, (boxes, scores) in enumerate(zip(head.cv2, head.cv3, strict=True)):
            scores[-1].bias.fill_(0.0 if level == 0 else -20.0)
            scores[-1].weight.mul_(1.0 if level == 0 else 0.0)
            bins = boxes[-1].bias.view(4, -1)
            bins.zero_()
            bins[:, 1:3] = 8.0
            boxes[-1].weight.mul_(0.01)
            if hasattr(head, "cv4"):
                extra = head.cv4[level][-1]
                extra.weight.mul_(0.01)
                extra.bias.copy_(_extra(head, extra.bias))
        if hasattr(head, "proto"):
            head.proto.cv3.bn.bias.fill_(2.0)
    return model


def _wake(model: Any) -> None:
    """Norms fitted to pictures: in an untrained network signals fade from layer to layer."""
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    generator = torch.Generator().manual_seed(1)
    pictures = torch.nn.functional.interpolate(torch.rand(8, 3, 8, 8, generator=generator), 64)
    model.train()(pictures)
    model.eval()


def _extra(head: Any, bias: torch.Tensor) -> torch.Tensor:
    if hasattr(head, "kpt_shape"):
        corners = [(-1, -1), (1, -1), (1, 1), (-1, 1)]
        return torch.tensor([v for x, y in corners for v in (0.75 * x + 0.25, 0.75 * y + 0.25, 2.0)])
    upright = -1.0986  # the angle is (sigmoid - 1/4) · π
    return torch.full_like(bias, upright if hasattr(head, "ne") else 1.0)
