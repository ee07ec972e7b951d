"""How a scenario chooses channels, in words: equal for equal choices, different for different ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from yolo_prune_check.run.finish import blank_record
from yolo_prune_check.run.record import Record
from yolo_prune_check.spec import load_spec

PLAN = "    blocks: [1]\n    layers: first\n"


def record_of(tmp_path: Path, fields: str) -> Record:
    spec = tmp_path / "x.prune.yaml"
    spec.write_text(f"model: yolov8n.yaml\ndata: digits\nscenarios:\n  - id: x\n{fields}", encoding="utf-8")
    (scenario,) = load_spec(spec).scenarios
    return blank_record(scenario, verdict="stopped", reasons=(), failures=(), agrees=None)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (f"{PLAN}    select: {{criterion: l1, ratio: 0.5}}\n", "l1, ratio 0.5"),
        (f"{PLAN}    select: {{criterion: random, ratio: 0.5, seed: 7}}\n", "random, ratio 0.5, seed 7"),
        (f"{PLAN}    seed: 7\n    select: {{criterion: random, ratio: 0.5}}\n", "random, ratio 0.5"),
        (PLAN, "taylor, ratio 0.5, 200 images"),
        (
            f"{PLAN}    select: {{criterion: separability}}\n",
            "separability, the knee decides how many, 200 images, perplexity 10",
        ),
        (
            f"{PLAN}    select: {{criterion: separability, max_images: 64, ratio: 0.2, place: box, survivor: gamma}}\n",
            "separability, ratio 0.2, 64 images, perplexity 10, mean over the box, survivors by gamma",
        ),
        (
            f"{PLAN}    select: {{criterion: l2, scope: global, floor: 0.3}}\n",
            "l2 by global, ratio 0.5, floor 0.3",
        ),
        (
            "    steps: [{layer: 2.0, keep: 0-3}, {layer: 4.0, keep: [1, 3]}]\n",
            "2.0 keeps 0-3; 4.0 keeps 1,3",
        ),
    ],
)
def test_the_choice_in_words(tmp_path: Path, fields: str, words: str) -> None:
    assert record_of(tmp_path, fields).selected == words


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("epochs: 1", "1 epoch"),
        ("epochs: 2, fraction: 0.25", "2 epochs on 25% of the images"),
        ("epochs: 1, batch: 8, lr: 0.01", "1 epoch, batch 8, lr 0.01"),
        ("epochs: 1, amp: true", "1 epoch, mixed precision"),
        ("epochs: 1, enforce_masks: false", "1 epoch, masks not enforced"),
    ],
)
def test_the_training_in_words(tmp_path: Path, settings: str, words: str) -> None:
    assert record_of(tmp_path, f"{PLAN}    fine_tune: {{{settings}}}\n").fine_tune == words
