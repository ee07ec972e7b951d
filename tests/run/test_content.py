"""What changes the key under which results are kept, and what does not."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import torch

from tests.train.tiny import write_data
from yolo_prune_check import versions as libraries
from yolo_prune_check.model.load import load_model
from yolo_prune_check.run import content
from yolo_prune_check.run.checkpoint import save_checkpoint
from yolo_prune_check.run.content import content_key
from yolo_prune_check.spec import load_spec

SPEC = """\
model: {model}
data: {data}
imgsz: 64
scenarios:
  - id: x
    blocks: [1]
    layers: first
    select: {{criterion: l1, ratio: 0.5}}
"""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"), train=2, val=2).parent


@pytest.fixture
def key(tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(images, "data")
    Path("data/tiny.yaml").write_text("train: images/train\nval: images/val\nnames: [bright, dark]\n")

    def key(
        model: str = "yolov8n.yaml", data: str = "data/tiny.yaml", add: str = "", predict_only: bool = False
    ) -> str:
        Path("x.prune.yaml").write_text(SPEC.format(model=model, data=data) + add, encoding="utf-8")
        (scenario,) = load_spec("x.prune.yaml").scenarios
        return content_key(scenario, predict_only=predict_only)

    return key


def test_it_depends_on_what_the_scenario_says_and_not_on_where(key) -> None:
    first = key()
    assert len(first) == 64
    assert key() == first
    assert key(add="# a comment, and an empty line\n\n") == first
    assert len({first, key(add="    seed: 1\n"), key(add="    why: so\n"), key(predict_only=True)}) == 4


def test_it_depends_on_the_content_of_a_model(key) -> None:
    model = load_model("yolov8n.yaml")
    save_checkpoint(model, Path("a.pt"))
    first = key(model="a.pt")
    os.utime("a.pt", ns=(1, 1))
    assert key(model="a.pt") == first
    with torch.no_grad():
        model.get_submodule("model.1.conv").weight[0, 0, 0, 0] += 1
    save_checkpoint(model, Path("a.pt"))
    assert key(model="a.pt") != first


def test_it_depends_on_the_text_and_the_scale_of_a_model_yaml(key) -> None:
    stock = key(), key(model="yolov8s.yaml")
    assert stock[0] != stock[1]
    import ultralytics

    own = Path("yolov8.yaml")
    shutil.copy(next(Path(ultralytics.__file__).parent.joinpath("cfg/models").rglob("yolov8.yaml")), own)
    same = key()  # a file here comes before the stock one
    own.write_text(own.read_text("utf-8").replace("nc: 80", "nc: 2"), encoding="utf-8")
    assert key() != same


def test_it_depends_on_the_images_and_labels_of_a_data_set(key) -> None:
    first = key()
    label = Path("data/labels/val/00.txt")
    times = label.stat().st_atime_ns, label.stat().st_mtime_ns
    label.write_text(label.read_text().replace("0", "1", 1))
    os.utime(label, ns=(times[0], times[1] + 1))
    labelled = key()
    shutil.copy("data/images/train/00.png", "data/images/train/99.png")
    more = key()
    Path("data/tiny.yaml").write_text("train: images/train\nval: images/val\nnames: [dark, bright]\n")
    renamed = key()
    Path("data/images/val/00.npy").write_bytes(b"read by Ultralytics in the place of 00.png")
    assert len({first, labelled, more, renamed, key()}) == 5


def test_it_depends_on_where_the_data_set_is_found(
    key, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`path:` is looked for here first, then where Ultralytics' settings say."""
    config, folders = tmp_path_factory.mktemp("config"), tmp_path_factory.mktemp("datasets")
    settings = config / "Ultralytics/settings.json"
    settings.parent.mkdir()
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(config))
    Path("data/tiny.yaml").write_text("path: set\ntrain: images/train\nval: images/val\nnames: [bright, dark]\n")
    keys = [key()]
    for name in ("a", "b"):
        shutil.copytree("data/images", folders / name / "set/images")
        settings.write_text(json.dumps({"datasets_dir": str(folders / name)}))
        keys.append(key())
    (folders / "b/set/images/val/00.png").unlink()
    keys.append(key())
    shutil.copytree("data/images", "set/images")
    here = key()
    settings.write_text(json.dumps({"datasets_dir": str(folders / "a")}))
    assert key() == here
    assert len({*keys, here}) == 5


def test_it_depends_on_source_versions_and_threads(key, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {key()}
    with monkeypatch.context() as patch:
        patch.setattr(libraries, "version", lambda name: "0.0" if name == "torchinfo" else "1.0")
        keys.add(key())
    with monkeypatch.context() as patch:
        patch.setattr(torch, "get_num_threads", lambda: 99)
        keys.add(key())
    copy = Path("package/yolo_prune_check").absolute()
    shutil.copytree(Path(content.__file__).parents[1], copy, ignore=shutil.ignore_patterns("weights", "__pycache__"))
    monkeypatch.setattr(libraries, "_PACKAGE", copy)
    libraries.source_hash.cache_clear()
    assert key() in keys  # the same source elsewhere
    with (copy / "run/engine.py").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    libraries.source_hash.cache_clear()
    keys.add(key())
    libraries.source_hash.cache_clear()
    assert len(keys) == 4


def test_only_what_is_timed_depends_on_the_processor(key, monkeypatch: pytest.MonkeyPatch) -> None:
    assert content.processor()
    more = {"mask": "", "group": "    execution: group\n", "budget": "    expect: {max_latency_ratio: 1}\n"}
    before = {name: key(add=add) for name, add in more.items()}
    predicted = key(add=more["group"], predict_only=True)
    monkeypatch.setattr(content, "processor", lambda: "another")
    assert {name for name, add in more.items() if key(add=add) != before[name]} == {"group", "budget"}
    assert key(add=more["group"], predict_only=True) == predicted


def test_what_is_not_there_has_a_key_and_is_told_when_it_is_loaded(key) -> None:
    there = key()
    Path("x.prune.yaml").unlink()
    assert key(model="no-such-model.yaml", data="no-such.yaml") != there
