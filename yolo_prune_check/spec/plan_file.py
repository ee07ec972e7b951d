"""A plan by itself, in a file: the steps of a scenario without the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from yolo_prune_check.spec.located import Mapping, plain
from yolo_prune_check.spec.messages import problems_of
from yolo_prune_check.spec.problems import SpecProblems, as_error
from yolo_prune_check.spec.reader import read
from yolo_prune_check.spec.schema import Steps, Strict


class PlanFile(Strict):
    """Which channels of which layers stay, by execution group."""

    steps: Steps
    """The layers, each once, with the channels that stay."""
    extend: bool = True
    """Whether channels tied to those that a step removes go as well; else the plan is unsafe."""
    round_to: Annotated[int, Field(ge=2, le=256)] | None = None
    """Give channels back until every width is a multiple of this number, such as 8."""


def load_plan(path: str | Path) -> PlanFile:
    """Read a plan: a YAML or JSON file with `steps`, as in a spec, or the JSON file beside a pruned model.

    Raises:
        UserError: It has mistakes; the message names all of them with file, line and column.
    """
    try:
        root, _ = read(Path(path))
    except SpecProblems as error:
        raise as_error(error.problems) from error
    beside = root.get("plan")
    if isinstance(beside, Mapping) and "sha256" in root:
        root = beside.only({"steps"})
    try:
        return PlanFile.model_validate(plain(root))
    except ValidationError as error:
        raise as_error(problems_of(error, PlanFile, root)) from error
