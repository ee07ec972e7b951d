"""A suggested plan as files: a spec that is ready to run, and the plan alone, as ``compact`` takes it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from yolo_prune_check.channels.plan import Plan, as_ranges
from yolo_prune_check.errors import UserError
from yolo_prune_check.run.halves import CHECK, DECIDE
from yolo_prune_check.run.suggestion_record import Candidate
from yolo_prune_check.run.trial import Bench
from yolo_prune_check.spec.schema import FineTune

HEAD: Final = "# Made by `yolo-prune-check suggest`, which overwrites what is changed here."
"""First line of its files, by which they are known."""
ID: Final = "suggested"


@dataclass(frozen=True)
class Made:
    """How a spec came about.

    Attributes:
        command: The command that makes it again.
        bench: The model and the data.
        budget_name: The field of ``expect``: ``max_map_drop`` or ``max_accuracy_drop``.
        budget: Its value.
        training: How the small model is trained after the last step; None for not at all.
        seed: Of the training.
    """

    command: str
    bench: Bench
    budget_name: str
    budget: float
    training: FineTune | None
    seed: int


def spec_text(plan: Plan, candidate: Candidate, made: Made) -> str:
    """A whole ``*.prune.yaml`` whose one scenario runs the plan and checks the budget on the other half.

    Args:
        plan: By ``group``; names all that goes.
        candidate: What was measured of it.
        made: How it came about.
    """
    bench = made.bench
    cut = math.floor(candidate.macs_cut * 1000) / 1000
    lines = [
        *_head(made, candidate),
        f"model: {_text(bench.model)}",
        *(["trust_checkpoint: true"] if bench.trust else []),
        f"data: {_text(bench.data)}",
        f"imgsz: {bench.imgsz}",
        "scenarios:",
        f"  - id: {ID}",
        f"    why: Does the largest cut that held on part {DECIDE} of the val images hold on part {CHECK}?",
        *([] if bench.device == "cpu" else [f"    device: {_text(bench.device)}"]),
        *([] if made.seed == 0 else [f"    seed: {made.seed}"]),
        "    execution: group",
        f"    val_part: {CHECK}",
        "    measure: last",
        *([] if made.training is None else [f"    fine_tune: {_flow(made.training)}"]),
        f"    expect: {{verdict: safe, {made.budget_name}: {made.budget!r}, min_macs_cut: {cut:g}}}",
        "    steps:",
        *_steps(plan, "      "),
    ]
    return "\n".join(lines) + "\n"


def plan_text(plan: Plan, candidate: Candidate, made: Made) -> str:
    """The steps alone: a file for ``compact --plan``."""
    return "\n".join([*_head(made, candidate), "steps:", *_steps(plan, "  ")]) + "\n"


def refuse_foreign_spec(path: Path) -> None:
    """See that no file is overwritten that ``suggest`` has not made.

    Raises:
        UserError: It would be.
    """
    if path.exists() and not _is_own(path):
        hint = "Name another folder with `--out`, or move the file."
        raise UserError("it would be overwritten, and was not made by `suggest`", where=str(path), hint=hint)


def remove_own(path: Path) -> bool:
    """Remove a file that an earlier run of ``suggest`` made; what anybody else wrote stays.

    Returns:
        Whether there was one.

    Raises:
        UserError: It cannot be read or removed.
    """
    if not path.exists() or not _is_own(path):
        return False
    try:
        path.unlink()
    except OSError as error:
        raise UserError(f"it cannot be removed ({error.strerror})", where=str(path)) from error
    return True


def _is_own(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.readline().rstrip("\n") == HEAD
    except OSError as error:
        raise UserError(f"it cannot be read ({error.strerror})", where=str(path)) from error


def _head(made: Made, candidate: Candidate) -> list[str]:
    drop, error = candidate.drop or 0.0, candidate.error or 0.0
    return [
        HEAD,
        f"#   {made.command}",
        f"# Decided on part {DECIDE} of the val images alone: drop {drop:.4f}, with a standard error of {error:.4f}.",
        f"# Saves {candidate.macs_cut:.1%} of the multiply-accumulates, {candidate.params_cut:.1%} of the parameters.",
    ]


def _steps(plan: Plan, indent: str) -> list[str]:
    return [f"{indent}- {{layer: {_text(step.layer)}, keep: {_text(as_ranges(step.keep))}}}" for step in plan.steps]


def _flow(training: FineTune) -> str:
    """The fields that are not the defaults, and the two that say most."""
    told = {"epochs": training.epochs, "after": training.after, **training.model_dump(exclude_defaults=True)}
    return f"{{{', '.join(f'{name}: {json.dumps(value)}' for name, value in told.items())}}}"


def _text(words: str) -> str:
    """A text in quotes, which JSON and YAML read alike."""
    return json.dumps(words, ensure_ascii=False)
