"""What docs/deploy.md tells people to paste works where this package is not installed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from tests.confirm.test_deploy import NAMES
from tests.small import SIZE, dense_digits, small_digits
from tests.train.tasks import build, write_task_data
from tests.train.tiny import write_data
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.model.quiet import prepare_ultralytics
from yolo_prune_check.prune.apply import prune
from yolo_prune_check.run.checkpoint import save_checkpoint
from yolo_prune_check.run.sidecar import FORMAT
from yolo_prune_check.select.everywhere import plan_everywhere
from yolo_prune_check.select.evidence import Evidence

PAGE = (Path(__file__).parents[2] / "docs/deploy.md").read_text(encoding="utf-8")
USING, TRAINING, CLASSIFYING = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)

NOT_INSTALLED = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "yolo_prune_check":
            raise ModuleNotFoundError(f"No module named {name!r}")

sys.meta_path.insert(0, Absent())
"""

# Ultralytics is neither to write into folders of its own nor to spend the time of a test.
SETTINGS = "imgsz=64, epochs=1, batch=4, workers=0, plots=False, device='cpu', project=str(Path('runs').resolve())"

ELSEWHERE = "plots=False, project=str(Path('runs').resolve())"
USING_HERE = USING.replace('"image.jpg"', '"image.jpg", save=False').replace('"my.yaml"', f'"my.yaml", {ELSEWHERE}')
# onnxslim is not among the test packages.
USING_HERE = USING_HERE.replace('format="onnx"', 'format="onnx", simplify=False')
TRAINING_HERE = TRAINING.replace("epochs=50, imgsz=640", SETTINGS)

STOCK = f"""
stock = YOLO("final.pt")
stock.train(data="my.yaml", {SETTINGS})
Path("files.json").write_text(json.dumps([str(model.trainer.best), str(model.trainer.last), str(stock.trainer.best)]))
"""

OF_MORE_CLASSES = f"""
try:
    Path("my-folder/train/third").mkdir()
    YOLO("final.pt").train(trainer=SmallTrainer, data="my-folder", {SETTINGS})
except ValueError as error:
    Path("files.json").write_text(json.dumps([str(model.trainer.best), str(model.trainer.last), str(error)]))
"""

Shapes = dict[str, tuple[int, ...]]


def shapes(model: Any) -> Shapes:
    return {name: tuple(value.shape) for name, value in model.state_dict().items()}


def run(code: str, folder: Path, python: Path | None = None) -> None:
    """Run code where this package is not installed: by that Python, or by this one, which is told that it is not."""
    prepare_ultralytics()  # the child is to be offline as well
    imports = "import json\nfrom pathlib import Path\n"
    start = [sys.executable, "-c", NOT_INSTALLED] if python is None else [str(python), "-I", "-c", ""]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [*start[:-1], start[-1] + imports + code],
        cwd=folder, capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With the small model, a data set of its ten classes, and a picture."""
    save_checkpoint(small_digits(), tmp_path / "final.pt", imgsz=SIZE)
    data = write_data(tmp_path / "data", train=4, val=2)
    names = "names: [" + ", ".join(f"'{label}'" for label in range(10)) + "]\n"
    text = data.read_text(encoding="utf-8").replace("names: [bright, dark]\n", names)
    (tmp_path / "my.yaml").write_text(text, encoding="utf-8")
    Image.new("RGB", (SIZE, SIZE)).save(tmp_path / "image.jpg")
    return tmp_path


@pytest.mark.slow
def test_the_trainer_keeps_the_small_network_and_the_stock_one_does_not(folder: Path) -> None:
    assert TRAINING_HERE != TRAINING
    run(TRAINING_HERE + STOCK, folder)
    best, last, stock = (
        torch.load(path, weights_only=False)["model"] for path in json.loads((folder / "files.json").read_text("utf-8"))
    )
    assert shapes(best) == shapes(last) == shapes(small_digits())
    assert shapes(stock) == shapes(dense_digits())
    start = small_digits().state_dict()["model.0.conv.weight"]
    assert not torch.equal(best.state_dict()["model.0.conv.weight"].float(), start.half().float()), "it has learned"
    assert (best.state_dict()["model.0.conv.weight"].float() - start).abs().max() < 0.1, "from where it was"


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """With a small classifier and a folder of its two classes."""
    model = build("classify")
    graph = ChannelGraph.trace(model, imgsz=SIZE)
    plan = plan_everywhere(Evidence(model), graph, "l1", scope="group", ratio=0.5)
    save_checkpoint(prune(model, plan, graph=graph), tmp_path / "final.pt", imgsz=SIZE)
    write_task_data(tmp_path / "my-folder", "classify")
    return tmp_path


@pytest.mark.slow
def test_so_does_that_of_a_classifier(classes: Path) -> None:
    code = CLASSIFYING.replace("epochs=50, imgsz=224", SETTINGS)
    assert code != CLASSIFYING
    run(code + OF_MORE_CLASSES, classes)
    best, last, refused = json.loads((classes / "files.json").read_text("utf-8"))
    assert refused == "the network tells 2 classes apart, not 3"
    small, best, last = (torch.load(path, weights_only=False)["model"] for path in (classes / "final.pt", best, last))
    assert shapes(best) == shapes(last) == shapes(small) != shapes(build("classify"))
    learned, start = (model.state_dict()["model.9.linear.weight"].float() for model in (best, small))
    assert not torch.equal(learned, start.half().float()), "it has learned"
    assert (learned - start).abs().max() < 0.1, "from where it was"


def test_predicting_validating_and_exporting(folder: Path) -> None:
    run(USING_HERE, folder)
    assert (folder / "final.onnx").stat().st_size > 1_000_000


def test_every_check_and_key_is_explained() -> None:
    for name in NAMES:
        assert f"| `{name}` |" in PAGE
    for key in ("format", "file", "sha256", "versions", "source", "plan", "record"):
        assert re.search(rf"^\| .*`{key}`", PAGE, re.MULTILINE)
    assert f"version of this layout: {FORMAT} |" in PAGE
