"""What users get wrong, and the one message each gets; both fronts are held to it."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class BadInput:
    """Files of a folder, of which ``bad.prune.yaml`` is run, and the whole message with ``{at}`` before file names.

    ``known`` says when: as the ``spec`` is read; when its ``data`` are looked for, as ``validate`` and ``run`` do at
    the start; when ``run`` has loaded each ``model`` that data are named for; or when the ``scenario`` begins, which is
    when ``run`` looks up the ``name`` of a model, as ``validate`` does.
    """

    name: str
    files: dict[str, str]
    message: str
    known: Literal["spec", "data", "model", "name", "scenario"] = "spec"

    def message_at(self, folder: str) -> str:
        """The message when the files lie in a folder, such as ``some/``."""
        return self.message.replace("{at}", folder)

    def write(self, folder: Path) -> None:
        for name, text in self.files.items():
            (folder / name).write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")


def _spec(scenario: str, *, model: str = "yolov8n.yaml") -> dict[str, str]:
    return {"bad.prune.yaml": f"model: {model}\nimgsz: 64\nscenarios:\n  - id: a\n    {scenario}\n"}


def _ratio(value: str) -> dict[str, str]:
    return _spec(f"blocks: [1]\n    layers: first\n    select: {{criterion: l1, ratio: {value}}}")


LAYERS = "blocks: [1]\n    layers: first\n    select: {criterion: l1, ratio: 0.5}"

SPEC = _spec(LAYERS)["bad.prune.yaml"]
RATIO = "Fraction of the channels that is removed, between 0 and 1. Without it half; separability chooses by Kneedle."
KEYS = (
    "why, model, trust_checkpoint, data, imgsz, device, blocks, layers, order, select, steps, fuzz, activations, "
    "execution, mask, extend, round_to, schedule, on_mismatch, fine_tune, val_part, measure, limits, expect, tags, "
    "seed, id, matrix"
)

AT_RATIO = "{at}bad.prune.yaml:7:36: `select.ratio`"

PART = "Write k/n: every n-th val image beginning with the k-th, such as 1/2 and 2/2 for two halves."
DATA = "Name a data set under `data`, such as digits."

CASES = (
    BadInput(
        "part-of-no-kind",
        _spec(f"{LAYERS}\n    data: digits\n    val_part: half"),
        f"{{at}}bad.prune.yaml:9:15: not a part of the val images: got 'half'. {PART}",
    ),
    BadInput(
        "part-beyond-the-last",
        _spec(f"{LAYERS}\n    data: digits\n    val_part: 3/2"),
        f"{{at}}bad.prune.yaml:9:15: there is no such part of the val images: got '3/2'. {PART} k is at "
        "least 1 and at most n, which is at most 1000.",
    ),
    BadInput(
        "part-of-no-data",
        _spec(f"{LAYERS}\n    val_part: 1/2"),
        f"{{at}}bad.prune.yaml:8:5: `val_part` says nothing without data. Remove it. {DATA}",
    ),
    BadInput(
        "measure-no-data",
        _spec(f"{LAYERS}\n    measure: last"),
        f"{{at}}bad.prune.yaml:8:5: `measure` says nothing without data. Remove it. {DATA}",
    ),
    BadInput(
        "broken-yaml",
        {"bad.prune.yaml": "model: yolov8n.yaml\nscenarios: [\n"},
        "{at}bad.prune.yaml:3:1: not valid YAML (while parsing a flow node expected the node content, "
        "but found '<stream end>'). Check indentation, brackets and quotes there.",
    ),
    BadInput(
        "unknown-key",
        _spec(f"{LAYERS}\n    oder: listed"),
        f"{{at}}bad.prune.yaml:8:5: unknown key `oder`. Did you mean `order`? Valid keys: {KEYS}.",
    ),
    BadInput(
        "wrong-type",
        _spec("blocks: one\n    layers: first"),
        "{at}bad.prune.yaml:5:13: `blocks` must be a list: got 'one'. Write it as a list: [one].",
    ),
    BadInput(
        "missing-include",
        {"bad.prune.yaml": f"include: gone.yaml\n{SPEC}"},
        "{at}bad.prune.yaml:1:10: no such file to include: {at}gone.yaml. "
        "The path is relative to the file that includes it.",
    ),
    BadInput(
        "missing-model",
        _spec(LAYERS, model="gone.pt"),
        "{at}bad.prune.yaml:1:8: no such model file: got 'gone.pt'. "
        "Paths are relative to the spec or to the working directory; nothing is downloaded.",
    ),
    BadInput(
        "missing-model-yaml",
        _spec(LAYERS, model="gone.yaml"),
        "{at}bad.prune.yaml:1:8: no such model YAML: got 'gone.yaml'. "
        "Give a path, or a stock name such as 'yolov8n.yaml'.",
        known="name",
    ),
    BadInput(
        "mistyped-model",
        _spec(LAYERS, model="yolov8n-digit"),
        "{at}bad.prune.yaml:1:8: no such model: got 'yolov8n-digit'. Did you mean 'yolov8n-digits'?",
        known="name",
    ),
    BadInput("ratio-0", _ratio("0"), f"{AT_RATIO} must be greater than 0: got 0. {RATIO}"),
    BadInput("ratio-1", _ratio("1"), f"{AT_RATIO} must be less than 1: got 1. {RATIO}"),
    BadInput("ratio-2", _ratio("2"), f"{AT_RATIO} must be less than 1: got 2. {RATIO}"),
    BadInput(
        "no-device",
        _spec(f"{LAYERS}\n    device: [0, 0]"),
        "{at}bad.prune.yaml:8:13: GPU 0 is named twice: got [0, 0]. Name each once.",
    ),
    BadInput(
        "no-scenarios",
        {"bad.prune.yaml": "model: yolov8n.yaml\nscenarios: []\n"},
        "{at}bad.prune.yaml:2:12: `scenarios` is empty: a spec needs at least one. "
        "A scenario begins with `- id: NAME`.",
    ),
    BadInput(
        "duplicate-id",
        {"bad.prune.yaml": f"{SPEC}  - id: a\n    {LAYERS}\n"},
        "{at}bad.prune.yaml:8:9: the id `a` is used twice. First at {at}bad.prune.yaml:4:9; rename one.",
    ),
    BadInput(
        "include-cycle",
        {"bad.prune.yaml": f"include: other.yaml\n{SPEC}", "other.yaml": "include: bad.prune.yaml\n"},
        "{at}other.yaml:1:10: include cycle: {at}bad.prune.yaml → {at}other.yaml → {at}bad.prune.yaml. "
        "Remove one of the includes.",
    ),
    BadInput(
        "not-a-model",
        {**_spec(LAYERS, model="text.pt"), "text.pt": "no model\n"},
        "{at}bad.prune.yaml:1:8: {at}text.pt: not a checkpoint that PyTorch can read "
        "(it is not an archive written by torch.save). "
        "Give a checkpoint that Ultralytics saved, or one of its models saved with torch.save.",
        known="scenario",
    ),
    BadInput(
        "unknown-block",
        _spec(LAYERS.replace("[1]", "[77]")),
        "{at}bad.prune.yaml:5:14: unknown block: got 77. yolov8n.yaml has blocks 0 to 22.",
        known="scenario",
    ),
    BadInput(
        "layer-out-of-range",
        _spec(LAYERS.replace("first", "[3]")),
        "{at}bad.prune.yaml:6:14: layer index out of range: block 1 has 1 Conv2d (1.0): got 3. "
        "Indices count from 0 within each block.",
        known="scenario",
    ),
    BadInput(
        "channel-out-of-range",
        _spec("steps: [{layer: 2.0, keep: [999]}]"),
        "{at}bad.prune.yaml:5:32: model.2.cv1.conv has no such channel: got 999. It has channels 0 to 31.",
        known="scenario",
    ),
    BadInput(
        "missing-data",
        _spec(f"{LAYERS}\n    data: nothing.yaml", model="yolov8n-digits"),
        "{at}bad.prune.yaml:8:11: no such data set: got 'nothing.yaml'. "
        "It is no file here, and none that Ultralytics ships; nothing is downloaded. "
        "Give a dataset YAML in Ultralytics' format, for a classifier a folder with train/CLASS/ and val/CLASS/, or a "
        "shipped set: digits.",
        known="data",
    ),
    BadInput(
        "data-for-another-task",
        _spec(f"{LAYERS}\n    data: digits", model="yolov8n-cls.yaml"),
        "{at}bad.prune.yaml:8:11: digits: a model for classify needs another kind of data set. "
        "Give a folder with train/CLASS/ and val/CLASS/.",
        known="model",
    ),
    BadInput(
        "training-without-texts",
        _spec(f"{LAYERS}\n    data: digits\n    fine_tune: {{epochs: 1}}", model="yolov8n-worldv2.yaml"),
        "{at}bad.prune.yaml:9:16: an open-vocabulary detector is trained with texts, which this package has none of: "
        "got 'WorldModel'. Leave out `fine_tune`.",
        known="model",
    ),
)
