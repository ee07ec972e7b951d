"""What the README and the guides show is what happens."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.cli.conftest import CommandLine

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
INSPECT = (ROOT / "docs/inspect.md").read_text(encoding="utf-8")
SPECS = (ROOT / "docs/specs.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_the_prediction_in_the_readme_is_what_is_printed(command_line: CommandLine) -> None:
    (shown,) = [block for block in blocks(README, "console") if "yolo-prune-check predict" in block]
    command, _, output = shown.partition("\n")
    ran = command_line(*command.split()[2:])
    assert ran.out == output


def test_the_python_examples_in_the_readme_run(capsys: pytest.CaptureFixture[str]) -> None:
    example = "\n".join(blocks(README, "python")[:2])  # the second goes on with the first one's names
    exec(compile(example, "README.md", "exec"), {})
    said = capsys.readouterr().out.splitlines()
    promised = re.findall(r"^print\(.*\)\s+# (.*)$", example, re.MULTILINE)
    assert len(said) == len(promised) == 8
    for line, promise in zip(said, promised, strict=True):
        assert line.startswith(promise.removesuffix("…").rstrip())


def test_the_hypothesis_example_in_the_readme_runs_as_pasted(tmp_path: Path) -> None:
    """Under hypothesis' own time limit, or a shorter one: the profiles of this suite have none."""
    profile = settings.get_current_profile_name()
    settings.register_profile("pasted", settings(max_examples=3, deadline=1, derandomize=True, database=None))
    settings.load_profile("pasted")
    try:
        names: dict[str, Any] = {}
        first, *_, last = blocks(README, "python")
        pasted = tmp_path / "pasted.py"  # hypothesis reads the source of a test
        pasted.write_text(first + last, encoding="utf-8")
        exec(compile(first + last, str(pasted), "exec"), names)
        names["test_predictions_are_confirmed"]()
    finally:
        settings.load_profile(profile)


def test_the_python_example_of_the_guide_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = blocks(INSPECT, "python")
    exec(compile(example, "inspect.md", "exec"), {})
    assert "layer1.0.conv1[0:64] can be removed" in capsys.readouterr().out


@pytest.mark.slow
def test_the_test_run_in_the_readme_is_what_is_printed(tmp_path: Path) -> None:
    (shown,) = [block for block in blocks(README, "console") if "$ pytest first.prune.yaml" in block]
    command, *lines = shown.splitlines()
    spec = next(block for block in blocks(README, "yaml") if "id: mask-half" in block)
    (tmp_path / "first.prune.yaml").write_text(spec, encoding="utf-8")
    # pytest does not cut its lines to the terminal's width where these are set
    terminal = {name: value for name, value in os.environ.items() if name not in ("CI", "BUILD_NUMBER")}
    ran = subprocess.run(
        [sys.executable, "-m", *command.split()[1:]], cwd=tmp_path, capture_output=True, text=True, encoding="utf-8",
        env={**terminal, "PYTHONPATH": str(ROOT), "COLUMNS": "80"},
    )  # fmt: skip
    *lines, last = [line for line in lines if line != "…"]
    assert set(lines) <= set(ran.stdout.splitlines())
    assert re.search(r"1 failed, 1 passed in [\d.]+s", last)
    assert "1 failed, 1 passed in" in ran.stdout


@pytest.mark.parametrize("example", [*blocks(README, "yaml"), blocks(SPECS, "yaml")[0]])
def test_the_specs_shown_are_valid(example: str, tmp_path: Path) -> None:
    from yolo_prune_check.spec import load_spec

    spec = tmp_path / "example.prune.yaml"
    spec.write_text(re.sub(r"^model: .*\.pt$", "model: yolov8n.yaml", example, flags=re.MULTILINE), encoding="utf-8")
    assert load_spec(spec).scenarios


def test_every_field_is_explained() -> None:
    from yolo_prune_check.spec.schema import Expect, FineTune, Fuzz, Limits, ScenarioInput, Select, SpecFile

    for model in (SpecFile, ScenarioInput, Select, Fuzz, Limits, Expect):
        for name in model.model_fields:
            assert re.search(rf"^\| .*`{name}`", SPECS, re.MULTILINE), f"{model.__name__}.{name}"
    for name in FineTune.model_fields:
        assert re.search(rf"fine_tune: {{.*\b{name}:", SPECS)


def test_every_hazard_is_explained() -> None:
    from yolo_prune_check.channels.prediction import HAZARDS

    for code, kind in HAZARDS.items():
        assert f"| `{code}` | {kind.severity} | {kind.meaning} | {kind.remedy} |" in SPECS


def test_every_command_and_option_is_in_the_readme(command_line: CommandLine) -> None:
    from yolo_prune_check.cli.main import app

    for command in app.registered_commands:
        assert command.callback is not None
        assert f"`{command.callback.__name__}" in README
    for option in ("--prune-report-dir", "--prune-predict-only", "--prune-model"):
        assert option in README


@pytest.mark.parametrize(
    "page", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/specs.md", "docs/inspect.md"]
)
def test_links_lead_somewhere(page: str) -> None:
    made_by_make = {"reports/index.md", "reports/claims.md"}
    for target in re.findall(r"\]\(([^)#]+)", (ROOT / page).read_text(encoding="utf-8")):
        if "://" not in target and target not in made_by_make:
            assert ((ROOT / page).parent / target).exists(), target
