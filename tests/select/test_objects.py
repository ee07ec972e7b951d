"""Images and boxes come out as Ultralytics' own validation data set gives them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.select.pictures import write_pictures
from yolo_prune_check.errors import UserError
from yolo_prune_check.select.objects import read_objects

LABELS = ["3 0.5 0.5 0.2 0.4\n7 0.1 0.9 0.2 0.2", "0 0.25 0.25 0.5 0.5", None, "", "9 0.5 0.75 1 0.5"]


@pytest.fixture
def data(tmp_path: Path) -> str:
    return write_pictures(tmp_path, LABELS)


@pytest.mark.parametrize("imgsz", [96, 160])
def test_like_ultralytics_validation(data: str, imgsz: int) -> None:
    from ultralytics.cfg import get_cfg
    from ultralytics.data.dataset import YOLODataset

    class Stock(YOLODataset):
        """Ultralytics' own, square; but for its cache file."""

        def cache_labels(self, path: Path = Path("x"), *args: Any) -> dict[str, Any]:
            return super().cache_labels(path)

    stock = Stock(
        img_path=str(Path(data).parent / "images" / "train"),
        imgsz=imgsz,
        augment=False,
        rect=False,
        hyp=get_cfg(overrides={"imgsz": imgsz}),
        data={"names": dict.fromkeys(range(10), "n"), "nc": 10, "channels": 3},
        task="detect",
    )
    (batch,) = read_objects(data, imgsz, 100).batches()
    assert len(stock) == len(batch.images) == len(LABELS)
    for number in range(len(LABELS)):
        expected = stock[number]
        assert torch.equal((batch.images[number] * 255).round().byte(), expected["img"])
        objects = batch.objects[number]
        assert objects.classes.tolist() == expected["cls"].flatten().int().tolist()
        centre, size = expected["bboxes"][:, :2] * imgsz, expected["bboxes"][:, 2:] * imgsz
        corners = torch.cat([centre - size / 2, centre + size / 2], dim=1).numpy()
        np.testing.assert_allclose(objects.boxes, corners.reshape(-1, 4), atol=1e-3)


def test_count_and_size(data: str) -> None:
    images = read_objects(data, 100, 100)
    assert images.size == 128
    assert len(images) == 5
    assert images.count == 4
    assert images.left_out == ()


def test_a_few_images_are_spread_over_all(data: str) -> None:
    assert [file.name for file in read_objects(data, 64, 2).files] == ["000.png", "002.png"]


def test_batches_are_bounded_and_keep_the_order(tmp_path: Path) -> None:
    data = write_pictures(tmp_path, [f"{number % 10} 0.5 0.5 0.5 0.5" for number in range(40)], sizes=((32, 32),))
    batches = list(read_objects(data, 64, 100).batches())
    assert [len(batch.images) for batch in batches] == [32, 8]
    assert [int(objects.classes[0]) for batch in batches for objects in batch.objects] == [n % 10 for n in range(40)]
    assert [len(batch.images) for batch in read_objects(data, 640, 3).batches()] == [1, 1, 1]


def test_an_unusable_image_is_left_out_and_named(data: str) -> None:
    (Path(data).parent / "labels" / "train" / "000.txt").write_text("3 0.5 0.5 7 0.4\n", encoding="utf-8")
    images = read_objects(data, 64, 100)
    assert len(images) == 4
    assert "000.png" in images.left_out[0]


def test_no_usable_image(tmp_path: Path) -> None:
    data = write_pictures(tmp_path, ["99 0.5 0.5 0.5 0.5"])
    with pytest.raises(UserError, match=r"no image of the data set can be used.*class 99"):
        read_objects(data, 64, 100)


@pytest.mark.parametrize(("imgsz", "images"), [(0, 10), (64, 0)])
def test_sizes_must_be_positive(data: str, imgsz: int, images: int) -> None:
    with pytest.raises(UserError, match="must be positive"):
        read_objects(data, imgsz, images)


def test_nothing_is_written_beside_the_data(data: str) -> None:
    before = sorted(Path(data).parent.rglob("*"))
    list(read_objects(data, 64, 100).batches())
    assert sorted(Path(data).parent.rglob("*")) == before
