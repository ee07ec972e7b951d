"""What is kept must not depend on how many threads add up the sums."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import torch

from yolo_prune_check.model.addresses import find_layer
from yolo_prune_check.model.load import load_model
from yolo_prune_check.select.choose import evidence_of, select_channels
from yolo_prune_check.spec.schema import Select

ROOT = Path(__file__).parents[2]
CODE = "import json; from tests.select.test_threads import kept; print(json.dumps(kept(2)))"


def kept(threads: int) -> list[list[int]]:
    """Channels kept of two layers."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        model = load_model("yolov8n-digits")
        select = Select(max_images=40)
        evidence = evidence_of(model, select, data="digits", imgsz=128, seed=0)
        found = [select_channels(evidence, find_layer(model, address), select) for address in ("2.0", "4.1")]
    finally:
        torch.set_num_threads(before)
    return [list(each.keep) for each in found]


def test_one_and_two_threads_choose_the_same_channels() -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}  # of all libraries, not of torch alone
    command = [sys.executable, "-c", CODE]
    out = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=ROOT).stdout
    one, two = kept(1), json.loads(out)
    assert one == two
    assert all(len(channels) > 1 for channels in one)
