"""Which model YAMLs are found by name, held against Ultralytics itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from yolo_prune_check.model.quiet import prepare_ultralytics
from yolo_prune_check.model.stock import finds_yaml, stock_names

NAMES = [
    *("yolov8n6.yaml", "yolov5x6.yaml", "yolov8s-p6.yaml", "yolov5nu.yaml", "yolov3u.yaml", "yolov8n.yml"),
    *("v8/yolov8n.yaml", "cfg/models/v8/yolov8.yaml", " yolov8n.yaml", "YOLOV8N.yaml", "yolov8q.yaml", "gone.yaml"),
    *("coco8.yaml", "default.yaml", "yolo*.yaml", "yolov8nn.yaml", "yolo11n-resnet18.yaml", "away/yolov8n.yaml"),
    *("mine3n.yaml", "mine3.yaml", "folder.yaml", "sub/mine3x.yaml"),
]


def found_by_ultralytics(name: str) -> bool:
    prepare_ultralytics()
    from ultralytics.nn.tasks import yaml_model_load

    try:
        yaml_model_load(name)
    except FileNotFoundError:
        return False
    except OSError:  # a folder
        return True
    return True


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in ("mine3.yaml", "sub/mine3.yaml"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("nc: 1\n", encoding="utf-8")
    (tmp_path / "folder.yaml").mkdir()
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("here", "offline")
@pytest.mark.parametrize("name", NAMES)
def test_a_yaml_is_found_where_ultralytics_finds_it(name: str) -> None:
    assert finds_yaml(name) == found_by_ultralytics(name)


def test_every_stock_name_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert [name for name in stock_names() if not finds_yaml(name)] == []
    assert not finds_yaml("yolov99n.yaml")
