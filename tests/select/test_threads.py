"""What is kept must not depend on how many threads add up the sums."""

from __future__ import annotations

import json
import os
import subprocess
import sys

_CODE = """
import json, sys, torch
torch.set_num_threads(int(sys.argv[1]))
from yolo_prune_check.model.addresses import find_layer
from yolo_prune_check.model.load import load_model
from yolo_prune_check.select.choose import select_channels
from yolo_prune_check.spec.schema import Select
model = load_model("yolov8n-digits")
for address in ("2.0", "4.1"):
    chosen = select_channels(model, find_layer(model, address), Select(max_images=40), activations="hooked",
                             data="digits", imgsz=128, seed=0)
    print(json.dumps(chosen.keep))
"""


def kept(threads: int) -> list[list[int]]:
    """Channels kept of two layers, chosen in a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-c", _CODE, str(threads)]
    out = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    return [json.loads(line) for line in out.splitlines()]


def test_one_and_two_threads_choose_the_same_channels() -> None:
    one, two = kept(1), kept(2)
    assert one == two
    assert all(len(channels) > 1 for channels in one)
