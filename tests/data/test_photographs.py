"""Real images for the proof."""

from __future__ import annotations

from pathlib import Path

import torch

from tests.train.tiny import write_data
from yolo_prune_check.data.photographs import COUNT, photographs


def test_without_data_they_are_those_that_ultralytics_brings_along() -> None:
    images = photographs(None, 64)
    assert images.shape == (COUNT, 3, 64, 64)
    assert 0 <= float(images.min()) < float(images.max()) <= 1


def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    data = str(write_data(tmp_path, train=2, val=3))
    whole = photographs(data, 32)
    first = sorted((tmp_path / "images/val").iterdir())[0]
    first.write_bytes(b"no image")
    rest = photographs(data, 32)
    assert torch.equal(rest[0], whole[1])
    for file in (tmp_path / "images/val").iterdir():
        file.write_bytes(b"no image")
    assert torch.equal(photographs(data, 32), photographs(None, 32))
