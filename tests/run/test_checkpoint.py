"""What is saved is an Ultralytics checkpoint, and says in a sidecar where it comes from."""

from __future__ import annotations

import hashlib
import pickletools
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.killed_run import sidecar_of
from tests.small import SIZE, dense_digits, half_plan, size_of, small_digits
from yolo_prune_check.channels.plan import Execution, Plan, Step
from yolo_prune_check.data import shipped_model
from yolo_prune_check.model.load import load_model
from yolo_prune_check.prune.apply import prune
from yolo_prune_check.prune.copied import copied
from yolo_prune_check.run.checkpoint import save_checkpoint
from yolo_prune_check.run.sidecar import write_sidecar


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("saved") / "final.pt"
    save_checkpoint(small_digits(), file, imgsz=SIZE, data="my.yaml")
    return file


def content_of(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(file, weights_only=False)
    return content


def test_the_small_model_comes_back_bit_for_bit_in_float32(saved: Path) -> None:
    small, loaded = small_digits(), load_model(saved)
    assert size_of(loaded) == size_of(small) < size_of(dense_digits()) / 3
    assert [value.dtype for value in loaded.state_dict().values()] == [v.dtype for v in small.state_dict().values()]
    image = torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(loaded(image)[0], copied(small)(image)[0])


def test_it_names_what_plain_ultralytics_takes_by_default(saved: Path) -> None:
    from ultralytics import YOLO, __version__

    yolo: Any = YOLO(saved)
    assert yolo.task == "detect"
    assert yolo.names == {label: str(label) for label in range(10)}
    assert yolo.overrides == {
        "imgsz": SIZE,
        "data": "my.yaml",
        "task": "detect",
        "single_cls": False,
        "model": str(saved),
    }
    assert yolo.model.stride.tolist() == [8, 16, 32]
    assert yolo.ckpt["version"] == __version__
    assert "date" not in yolo.ckpt  # the same model gives the same file


def test_without_them_it_says_what_the_model_was_trained_with(tmp_path: Path) -> None:
    save_checkpoint(small_digits(), tmp_path / "x.pt")
    args = content_of(tmp_path / "x.pt")["train_args"]
    assert (args["imgsz"], args["task"]) == (128, "detect")
    assert Path(args["data"]).is_file()  # and not `digits`, which Ultralytics does not know


def test_a_shipped_data_set_is_named_by_its_file(tmp_path: Path) -> None:
    save_checkpoint(small_digits(), tmp_path / "x.pt", data="digits")
    assert Path(content_of(tmp_path / "x.pt")["train_args"]["data"]).is_file()


def test_a_model_of_another_task_and_without_training(tmp_path: Path) -> None:
    save_checkpoint(load_model("yolov8n-seg.yaml"), tmp_path / "x.pt", imgsz=SIZE)
    assert content_of(tmp_path / "x.pt")["train_args"] == {"task": "segment", "imgsz": SIZE}


def test_the_file_names_nothing_of_this_package(saved: Path) -> None:
    with zipfile.ZipFile(saved) as archive:
        (pickled,) = [name for name in archive.namelist() if name.endswith("data.pkl")]
        said = [arg for _, arg, _ in pickletools.genops(archive.read(pickled)) if isinstance(arg, str)]
    assert any("ultralytics.nn.tasks" in text for text in said)  # the scan does find the names of modules
    assert [text for text in said if "yolo_prune_check" in text] == []


@pytest.mark.parametrize(
    ("model", "execution"), [("yolov8n-digits", "adapter"), ("yolov8n.yaml", "mask"), ("yolo11n-seg.yaml", "group")]
)
def test_a_model_that_was_reloaded_gives_the_same_file(model: str, execution: Execution, tmp_path: Path) -> None:
    pruned = prune(load_model(model), Plan([Step("model.1.conv", range(16))], execution))
    files = [tmp_path / name / "final.pt" for name in ("made", "reloaded")]
    save_checkpoint(pruned, files[0])
    save_checkpoint(load_model(files[0]), files[1])
    assert files[0].read_bytes() == files[1].read_bytes()


def test_what_training_left_on_the_model_is_not_saved(tmp_path: Path) -> None:
    from ultralytics.cfg import get_cfg
    from ultralytics.utils.loss import v8DetectionLoss

    model: Any = copied(small_digits())
    model.args = get_cfg()
    model.criterion = v8DetectionLoss(model)
    model.pt_path = "somewhere/else.pt"
    save_checkpoint(model, tmp_path / "x.pt")
    saved = content_of(tmp_path / "x.pt")["model"]
    assert saved.criterion is None
    assert not hasattr(saved, "pt_path")
    assert model.criterion is not None
    assert model.pt_path == "somewhere/else.pt"


def test_the_sidecar_says_where_the_file_comes_from(saved: Path) -> None:
    plan = Plan([Step("model.1.conv", [0, 1, 2, 9]), Step("model.3.conv", range(32))], "group")
    path = write_sidecar(saved, plan=plan, source="yolov8n-digits", record={"verdict": "safe", "steps": [1, 2]})
    assert path == saved.with_name("final.json")
    assert not list(saved.parent.glob(".*"))
    content = sidecar_of(saved)
    assert content["format"] == 1
    assert (content["file"], content["sha256"]) == ("final.pt", hashlib.sha256(saved.read_bytes()).hexdigest())
    assert content["plan"] == {
        "execution": "group",
        "mask": None,
        "steps": [{"layer": "model.1.conv", "keep": "0-2,9"}, {"layer": "model.3.conv", "keep": "0-31"}],
    }
    shipped = hashlib.sha256(shipped_model("yolov8n-digits").read_bytes()).hexdigest()
    assert content["source"] == {"model": "yolov8n-digits", "sha256": shipped}
    assert content["record"] == {"verdict": "safe", "steps": [1, 2]}
    assert content["versions"]["ultralytics"] == version("ultralytics")
    assert content["versions"]["yolo-prune-check"] == version("yolo-prune-check")


def test_a_source_that_is_a_file_and_one_that_is_not(saved: Path) -> None:
    write_sidecar(saved, plan=Plan([], "mask", "weights"), source=str(saved))
    content = sidecar_of(saved)
    assert content["source"]["sha256"] == content["sha256"]
    assert content["plan"] == {"execution": "mask", "mask": "weights", "steps": []}
    write_sidecar(saved, plan=half_plan(), source="yolov8n.yaml")
    assert sidecar_of(saved)["source"] == {"model": "yolov8n.yaml", "sha256": None}
