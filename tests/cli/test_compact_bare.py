"""What ``compact --fine-tune`` writes is of use in an environment that has Ultralytics, and nothing of what we need."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from PIL import Image

from benchmarks.killed_run import write_few
from tests.cli.bare import make_bare, required_by
from tests.cli.conftest import CommandLine
from tests.confirm.test_deploy_docs import TRAINING_HERE, USING_HERE, run, shapes
from yolo_prune_check.data import shipped_data, shipped_model

ONNX = tuple(name for name in ("onnx", "onnxruntime") if find_spec(name))
PRESENT = required_by(["ultralytics", *ONNX])
NAMES = """\
import json, re
from importlib.metadata import distributions
print(json.dumps(sorted(re.sub(r"[-_.]+", "-", each.name).lower() for each in distributions())))
"""
SEEN = """
import sys
outside = {
    name: file for name, module in sys.modules.items()
    if (file := getattr(module, "__file__", None)) and "site-packages" in file and not file.startswith(sys.prefix)
}
assert not outside, outside
Path("seen.json").write_text(json.dumps([found.box.map50, found.box.map]))
"""
EXPORTED = """
YOLO("final.onnx").predict("image.jpg", imgsz=64, save=False)
"""
TRAINED = """
Path("files.json").write_text(json.dumps([str(model.trainer.best), str(model.trainer.last)]))
"""


@pytest.fixture(scope="module")
def bare() -> Iterator[Path]:
    """The Python of that environment, made of links."""
    with TemporaryDirectory() as folder:
        yield make_bare(Path(folder) / "bare", PRESENT)


def ask(python: Path, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=False)


def model_in(file: str | Path) -> Any:
    return torch.load(file, weights_only=False)["model"]


@pytest.mark.stress
def test_the_small_model_is_used_where_there_is_nothing_but_ultralytics(
    bare: Path, command_line: CommandLine, tmp_path: Path
) -> None:
    assert json.loads(ask(bare, NAMES).stdout) == sorted(PRESENT)
    assert ask(bare, "import yolo_prune_check").stderr.endswith("No module named 'yolo_prune_check'\n")

    val = shipped_data("digits").parent / "images/val"
    few = write_few(tmp_path, 16).read_text("utf-8")
    Path("my.yaml").write_text(few.replace("val: val.txt", f"val: {val}"), encoding="utf-8")
    made = ("compact", "yolov8n-digits", "--ratio", "0.1", "--imgsz", "64", "--data", "my.yaml", "--fine-tune", "1")
    ran = command_line(*made, "-o", "final.pt")
    assert ran.code == 0, ran.err
    Image.open(next(val.glob("*.png"))).save("image.jpg")

    using = USING_HERE.replace("model.val(", "found = model.val(")
    assert using.count("found = ") == 1
    if ONNX != ("onnx", "onnxruntime"):
        using = "".join(line for line in using.splitlines(keepends=True) if ".export(" not in line)
    run(using + (EXPORTED if ".export(" in using else "") + SEEN, tmp_path, bare)
    measured = json.loads(Path("final.json").read_text("utf-8"))["record"]["metrics"][-1]
    assert measured["map50"] > 0.1
    assert json.loads(Path("seen.json").read_text("utf-8")) == pytest.approx(
        [measured["map50"], measured["map50_95"]], abs=0.001
    )

    run(TRAINING_HERE + TRAINED, tmp_path, bare)
    best, last = (model_in(file) for file in json.loads(Path("files.json").read_text("utf-8")))
    assert (
        shapes(best)
        == shapes(last)
        == shapes(model_in("final.pt"))
        != shapes(model_in(shipped_model("yolov8n-digits")))
    )
