"""A detection set of sixteen small images, and small things the tests of this folder share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

SIZE = 64
TRAIN, VAL = 10, 6


def write_data(root: Path, train: int = TRAIN, val: int = VAL) -> Path:
    """Bright squares (class 0) and dark ones (class 1) on noise, in Ultralytics' layout; returns the YAML."""
    rng = np.random.default_rng(7)
    for split, count in (("train", train), ("val", val)):
        images, labels = root / "images" / split, root / "labels" / split
        images.mkdir(parents=True)
        labels.mkdir(parents=True)
        for number in range(count):
            picture = rng.integers(90, 150, (SIZE, SIZE, 3), dtype=np.uint8)
            kind, side = number % 2, int(rng.integers(16, 32))
            x, y = (int(v) for v in rng.integers(0, SIZE - side, 2))
            picture[y : y + side, x : x + side] = 235 if kind == 0 else 20
            Image.fromarray(picture).save(images / f"{number:02d}.png")
            box = ((x + side / 2) / SIZE, (y + side / 2) / SIZE, side / SIZE, side / SIZE)
            (labels / f"{number:02d}.txt").write_text(" ".join([str(kind), *(f"{v:.6f}" for v in box)]) + "\n")
    yaml = root / "tiny.yaml"
    yaml.write_text(f"path: {root}\ntrain: images/train\nval: images/val\nnames: [bright, dark]\n")
    return yaml


def narrow(model: Any, keep: int) -> None:
    """Shrink `model.1.conv` to its first `keep` channels, and its only consumer with it: no YAML says so."""
    conv, norm, consumer = model.model[1].conv, model.model[1].bn, model.model[2].cv1.conv
    conv.weight = nn.Parameter(conv.weight[:keep].detach().clone())
    conv.out_channels = keep
    for name in ("weight", "bias"):
        setattr(norm, name, nn.Parameter(getattr(norm, name)[:keep].detach().clone()))
    for name in ("running_mean", "running_var"):
        setattr(norm, name, getattr(norm, name)[:keep].clone())
    norm.num_features = keep
    consumer.weight = nn.Parameter(consumer.weight[:, :keep].detach().clone())
    consumer.in_channels = keep


def state(model: Any) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    """Bit for bit, NaN included."""
    return a.keys() == b.keys() and all(torch.equal(a[k].nan_to_num(7.0), b[k].nan_to_num(7.0)) for k in a)


def files(folder: Path) -> dict[str, int]:
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in sorted(folder.rglob("*"))}


class Recorder:
    """A `Progress` that remembers."""

    def __init__(self) -> None:
        self.tasks: list[tuple[str, int | None]] = []
        self.steps: list[int] = []
        self.lines: list[str] = []

    @contextmanager
    def task(self, title: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        self.tasks.append((title, total))
        yield self.steps.append

    def line(self, text: str) -> None:
        self.lines.append(text)
