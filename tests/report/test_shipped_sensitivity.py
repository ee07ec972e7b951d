"""The pages on sensitivity in docs/ are what comes out of the numbers beside them, and their spec fits the model."""

from __future__ import annotations

import re
from pathlib import Path

from yolo_prune_check.report.sensitivity.page import PAGE, sensitivity_page
from yolo_prune_check.run.sensitivity_record import read_sensitivity
from yolo_prune_check.spec import load_spec
from yolo_prune_check.spec.plan_file import load_plan

SHIPPED = Path(__file__).parents[2] / "docs" / "sensitivity-digits"


def test_the_page_is_made_of_the_numbers() -> None:
    found = read_sensitivity(SHIPPED / "sensitivity.json")
    page = (SHIPPED / PAGE).read_text(encoding="utf-8")
    assert sensitivity_page(found, curves=True) == page
    for name in re.findall(r"\]\(([\w.-]+)\)", page):
        assert (SHIPPED / name).is_file()


def test_the_suggested_spec_is_that_of_the_page_and_of_the_plan() -> None:
    (scenario,) = load_spec(SHIPPED / "suggestion.prune.yaml").scenarios
    assert scenario.steps == load_plan(SHIPPED / "suggestion.plan.yaml").steps
    page = (SHIPPED / "suggestion.md").read_text("utf-8")
    (taken,) = re.findall(r"\*\*taken\*\* \|[^|]+\|[^|]+\| +([\d.]+) %", page)
    assert scenario.expect.min_macs_cut is not None
    assert abs(float(taken) / 100 - scenario.expect.min_macs_cut) < 0.0011
    assert (scenario.val_part, scenario.measure) == ("2/2", "last")
    (checked,) = re.findall(r"on part 2/2, which did not, ([\d.]+): it held\.", page)
    assert scenario.expect.max_map_drop is not None
    assert float(checked) <= scenario.expect.max_map_drop


def test_the_commands_of_the_suggestion_name_what_is_there() -> None:
    commands = re.findall(r"^yolo-prune-check .+$", (SHIPPED / "suggestion.md").read_text("utf-8"), re.MULTILINE)
    named = [Path(word) for command in commands for word in command.split() if word.endswith(".yaml")]
    spec, plan = SHIPPED / "suggestion.prune.yaml", SHIPPED / "suggestion.plan.yaml"
    assert [SHIPPED.parents[1] / path for path in named] == [spec, plan]
    assert commands[0].endswith(f" --out {SHIPPED.relative_to(SHIPPED.parents[1])}")
    for path in (spec, plan):
        assert f"#   {commands[0]}" in path.read_text("utf-8").splitlines()
