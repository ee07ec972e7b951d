"""A random plan as a spec that anyone can run."""

from __future__ import annotations

import json
from collections.abc import Sequence

from yolo_prune_check.channels.plan import Plan, as_ranges


def spec_text(
    plan: Plan, *, model: str, trust: bool, imgsz: int, verdict: str, seed: int, differences: Sequence[str]
) -> str:
    """A whole ``*.prune.yaml`` with one scenario, whose steps are written out.

    A layer named twice becomes one step that keeps what both keep, which is the same plan.

    Args:
        plan: The plan.
        model: As ``load_model`` takes it; a path that is relative is so to the working directory.
        trust: Whether the model is a checkpoint that was trusted, and has to be again.
        imgsz: Image size in pixels.
        verdict: What to expect of it: `safe` or `unsafe`.
        seed: Seed with which the plan was drawn.
        differences: How the prediction was refuted.
    """
    steps = plan.kept()
    lines = [
        "# A random plan for which prediction and execution differ: a defect of yolo-prune-check, please report it.",
        f"# Drawn with seed {seed}, then shrunk. `yolo-prune-check run` on this file exits with 3 while they differ.",
        *(f"#   {' '.join(difference.split())}" for difference in differences),
    ]
    if plan.execution == "local" and len(steps) > 1:
        lines.append("# `run` takes the steps one by one, and stops at one that breaks by itself.")
    lines += [
        f"model: {_text(model)}",
        *(["trust_checkpoint: true"] if trust else []),
        f"imgsz: {imgsz}",
        "scenarios:",
        "  - id: counterexample",
        "    why: The smallest plan found whose prediction was refuted.",
        f"    execution: {plan.execution}",
        *([f"    mask: {plan.mask}"] if plan.execution == "mask" else []),
        "    steps:",
        *(
            f"      - {{layer: {_text(layer)}, keep: {_text(as_ranges(keep)) if keep else '[]'}}}"
            for layer, keep in steps.items()
        ),
        f"    expect: {{verdict: {verdict}}}",
    ]
    return "\n".join(lines) + "\n"


def _text(words: str) -> str:
    """A text in quotes, which JSON and YAML read alike."""
    return json.dumps(words, ensure_ascii=False)
