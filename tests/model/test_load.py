"""Loading: every kind of source, what comes out, and every way to name something that is no model."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.image_size import trained_size
from yolo_prune_check.model.load import load_model
from yolo_prune_check.prune.apply import prune
from yolo_prune_check.prune.scatter import adapters_in


@pytest.fixture(scope="module")
def nano() -> Any:
    return load_model("yolov8n.yaml")


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def equal(first: nn.Module, second: nn.Module) -> bool:
    one, two = first.state_dict(), second.state_dict()
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("source", ["yolov8n-digits", "yolov8n.yaml", Path("yolov8n.yaml")])
def test_a_model_in_eval_mode_and_float32(source: str | Path) -> None:
    from ultralytics.nn.tasks import DetectionModel

    model = load_model(source)
    assert type(model) is DetectionModel
    assert not any(module.training for module in model.modules())
    floats = [value for value in model.state_dict().values() if value.is_floating_point()]
    assert {value.dtype for value in floats} == {torch.float32}


def test_the_shipped_detector_has_ten_classes() -> None:
    model: Any = load_model("yolov8n-digits")
    assert model.model[-1].nc == 10
    assert model.names[3] == "3"


@pytest.mark.parametrize(("name", "millions"), [("yolov8n.yaml", 3.157), ("yolov8s.yaml", 11.167)])
def test_the_letter_is_the_scale(name: str, millions: float) -> None:
    assert parameters(load_model(name)) / 1e6 == pytest.approx(millions, abs=0.001)


def test_a_yaml_gives_the_same_weights_for_the_same_seed_only() -> None:
    torch.manual_seed(123)
    first = load_model("yolov8n.yaml")
    torch.rand(10)
    assert equal(first, load_model("yolov8n.yaml"))
    assert equal(first, load_model("yolov8n.yaml", seed=0))
    assert not equal(first, load_model("yolov8n.yaml", seed=1))


def test_building_leaves_the_random_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    load_model("yolov8n.yaml", seed=9)
    assert torch.equal(torch.rand(3), expected)


def test_a_yaml_of_ones_own_next_to_its_scale(tmp_path: Path, nano: Any) -> None:
    import ultralytics

    stock = Path(ultralytics.__file__).parent / "cfg" / "models" / "v8" / "yolov8.yaml"
    (tmp_path / "yolov8.yaml").write_text(stock.read_text(encoding="utf-8"), encoding="utf-8")
    assert parameters(load_model(tmp_path / "yolov8n.yaml")) == parameters(nano)


def test_loading_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    load_model("yolov8.yaml")  # Ultralytics would warn that no scale was given
    load_model("yolov8n-digits")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("form", ["model", "ema", "both", "module", "half"])
def test_checkpoints_in_every_form(form: str, nano: Any, tmp_path: Path) -> None:
    other = load_model("yolov8n.yaml", seed=7)
    content: dict[str, Any] = {
        "model": {"model": nano, "ema": None, "train_args": {"imgsz": 64}},
        "ema": {"model": None, "ema": nano},
        "both": {"model": other, "ema": nano},  # Ultralytics prefers the moving average
        "module": nano,
        "half": {"model": copy.deepcopy(nano).half()},
    }
    file = tmp_path / "x.pt"
    torch.save(content[form], file)
    loaded = load_model(file)
    expected = copy.deepcopy(nano).half().float() if form == "half" else nano
    assert equal(loaded, expected)
    assert not loaded.training


def test_requires_grad_stays_as_stored(nano: Any, tmp_path: Path) -> None:
    model = copy.deepcopy(nano)
    model.model[0].conv.weight.requires_grad = False
    torch.save({"model": model}, tmp_path / "x.pt")
    loaded: Any = load_model(tmp_path / "x.pt")
    assert not loaded.model[0].conv.weight.requires_grad
    assert loaded.model[1].conv.weight.requires_grad


def test_the_environment_of_a_child_process_stays_offline(nano: Any) -> None:
    assert os.environ["YOLO_OFFLINE"] == "true"
    assert os.environ["YOLO_AUTOINSTALL"] == "false"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("yolov8n-digit", "no such model: got 'yolov8n-digit'. Did you mean 'yolov8n-digits'?"),
        ("yolov8n", "no such model: got 'yolov8n'. Did you mean 'yolov8n.yaml'?"),
        (
            "completely different",
            "no such model: got 'completely different'. "
            "Give a shipped name (yolov8n-digits), a .pt checkpoint or a model .yaml.",
        ),
        (
            "yolo11n.pt",
            "no such checkpoint: got 'yolo11n.pt'. Checkpoints are not downloaded. "
            "The untrained model is 'yolo11n.yaml'.",
        ),
        (
            "runs/best.pt",
            "no such checkpoint: got 'runs/best.pt'. Checkpoints are not downloaded.",
        ),
        ("yolo8n.yaml", "no such model YAML: got 'yolo8n.yaml'. Did you mean 'yolov8n.yaml'?"),
        (
            "zzz.yaml",
            "no such model YAML: got 'zzz.yaml'. Give a path, or a stock name such as 'yolov8n.yaml'.",
        ),
        (
            "https://example.com/yolov8n.pt",
            "a model is never downloaded: got 'https://example.com/yolov8n.pt'. Download it yourself",
        ),
        ("ul://user/project/model", "a model is never downloaded: got 'ul://user/project/model'."),
        ("yoloe-11q.yaml", "no such model YAML: got 'yoloe-11q.yaml'. Did you mean 'yoloe-11"),
    ],
)
@pytest.mark.usefixtures("offline")
def test_what_is_no_model_is_refused_without_the_network(source: str, says: str) -> None:
    with pytest.raises(UserError) as caught:
        load_model(source)
    assert str(caught.value).startswith(says)


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a model", encoding="utf-8")
    with pytest.raises(UserError, match=r"not a model: got '.*notes\.txt'\. Give a shipped name \(yolov8n-digits\)"):
        load_model(file)


def test_a_folder_named_like_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "x.pt").mkdir()
    with pytest.raises(UserError, match=r"a folder, not a checkpoint: got .* Give the \.pt file itself\."):
        load_model(tmp_path / "x.pt")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "lacks backbone, head, nc"),
        ("- a\n- list\n", "cannot be read"),
        ("a: [1\n", "cannot be read"),
        ("nc: 80\n", "lacks backbone, head"),
        (
            "nc: 80\nbackbone: [[-1, 1, Conv, [64, 3, 2]]]\nhead: [[-1, 1, Conv, [64]]]\n",
            "no head of Ultralytics: got 'Conv'. End it with one of Classify, .*, Detect",
        ),
        ("nc: 80\nbackbone: []\nhead: []\n", "no head of Ultralytics: got ''"),
        ("nc: 80\nbackbone: [[-1, 1, Konv, [64, 3, 2]]]\nhead: [[[0], 1, Detect, [nc]]]\n", r"does not build.*Konv"),
        (
            "nc: 80\nbackbone: [[-1, 1, Conv, [64, 3, 2]]]\nhead: [[[7], 1, Detect, [nc]]]\n",
            "does not build.*IndexError",
        ),
    ],
)
def test_a_yaml_that_is_no_network(text: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=rf"mine\.yaml: .*the model YAML .*{says}"):
        load_model(file)


@pytest.mark.parametrize("first", ["", "from ultralytics import YOLO\n"])
def test_a_yaml_runs_no_code(first: str, tmp_path: Path) -> None:
    """Also where Ultralytics was imported, and so configured, before this package."""
    proof = tmp_path / "ran"
    file = tmp_path / "mine.yaml"
    file.write_text(
        f"nc: 80\nactivation: __import__('pathlib').Path({str(proof)!r}).touch()\n"
        "backbone: [[-1, 1, Conv, [64, 3, 2]]]\nhead: [[[0], 1, Detect, [nc]]]\n",
        encoding="utf-8",
    )
    code = f"{first}from yolo_prune_check import load_model\nload_model({str(file)!r})"
    unset = {name: value for name, value in os.environ.items() if name != "ULTRALYTICS_SAFE_LOAD"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=unset, check=False)
    assert "does not build" in done.stderr
    assert not proof.exists()


def test_a_checkpoint_whose_activations_write_in_place(nano: Any, tmp_path: Path) -> None:
    """As Ultralytics sets them whenever it loads one: adapters stand behind the activation all the same."""
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    there = nano.model[1].act
    for module in nano.modules():
        if isinstance(module, nn.SiLU):
            module.inplace = True
    torch.save({"model": nano}, tmp_path / "x.pt")
    loaded = load_model(tmp_path / "x.pt")
    assert {module.inplace for module in loaded.modules() if isinstance(module, nn.SiLU)} == {False}
    with torch.no_grad():
        assert torch.equal(loaded(image)[0], nano.eval()(image)[0])
    assert there.inplace
    small = prune(loaded, Plan([Step("model.4.cv1.conv", range(9))], "adapter"))
    assert adapters_in(small) == ("model.4.cv1.act",)
    fused: Any = small
    assert fused.fuse(verbose=False)(image)[0].shape == (1, 84, 84)


@pytest.mark.parametrize(("own", "size"), [(None, 96), ({"imgsz": 160}, 160)])
def test_a_model_remembers_its_training_where_only_the_file_does(
    own: dict[str, int] | None, size: int, nano: Any, tmp_path: Path
) -> None:
    """As that of a classifier, to which Ultralytics' trainer gives no arguments."""
    if own is None:
        vars(nano).pop("args", None)
    else:
        nano.args = own
    torch.save({"model": nano, "train_args": {"imgsz": 96, "batch": 4}}, tmp_path / "x.pt")
    assert trained_size(load_model(tmp_path / "x.pt")) == size
