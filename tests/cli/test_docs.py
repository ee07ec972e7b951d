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
DEPLOY = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def python() -> list[str]:
    """The README's examples of this package, in their order."""
    return [block for block in blocks(README, "python") if "ypc." in block]


def test_the_prediction_in_the_readme_is_what_is_printed(command_line: CommandLine) -> None:
    (shown,) = [block for block in blocks(README, "console") if "yolo-prune-check predict" in block]
    command, _, output = shown.partition("\n")
    ran = command_line(*command.split()[2:])
    assert ran.out == output


def test_the_small_model_in_the_readme_is_what_comes_out_and_plain_ultralytics_predicts_with_it(
    command_line: CommandLine, tmp_path: Path
) -> None:
    from ultralytics.utils import ASSETS

    (shown,) = [block for block in blocks(README, "console") if block.startswith("$ yolo-prune-check compact")]
    command, _, output = shown.partition("\n")
    ran = command_line(*command.split()[2:])
    assert ran.code == 0, ran.err
    assert _without_noise(_without_counts(ran.out)) == _without_noise(_without_counts(output))
    for row, tolerance in (("parameters", 0.02), ("multiply-accumulates", 0.01), ("mAP50-95, pruned", 0.03)):
        before, after = _numbers(ran.out, row)
        assert (before, after / before) == pytest.approx((_numbers(output, row)[0], _share(output, row)), abs=tolerance)
    (use,) = [block for block in blocks(README, "python") if 'YOLO("small.pt")' in block]
    (tmp_path / "image.jpg").write_bytes((ASSETS / "bus.jpg").read_bytes())
    exec(compile(use, "README.md", "exec"), {})


def _numbers(output: str, row: str) -> tuple[float, float]:
    """A row of the first table: before, after."""
    (line,) = [line for line in output.splitlines() if re.match(rf"{row} +[\d.,]+ +[\d.,]+", line)]
    before, after = re.findall(r"(?<= )[\d.,]+", line.removeprefix(row))[:2]
    return float(before.replace(",", "")), float(after.replace(",", ""))


def _share(output: str, row: str) -> float:
    before, after = _numbers(output, row)
    return after / before


def _without_counts(output: str) -> str:
    """Which channels go depends on the last digits of sums where two are worth nearly the same."""
    output = re.sub(r"(?<![\w.])[\d,]*\d,\d{3}(?!\w)", "#", output)
    output = re.sub(r"-\d+\.\d %", "#", output)
    output = re.sub(r"^(mAP.*?, pruned).*$", r"\1", output, flags=re.MULTILINE)
    return re.sub(r"\d+ of the \d+ that it names; \d+ stay\s+after all, most in [\w.]+", "#", output)


def _without_noise(output: str) -> list[str]:
    """Lines without what differs from machine to machine: milliseconds, the last digits of sums, and so the widths.

    Of the file's rows only what was checked and whether it held: the rest is wrapped, and names versions of libraries.
    """
    costs, title, file = output.strip().partition("\nThe file\n")
    lines = [
        "latency" if line.startswith("latency") else re.sub(r"(?<=yes {6})(0|\de-1\d)(?= |$)", "small", line)
        for line in costs.splitlines()
    ]
    lines += [title, *(re.sub(r"(?<=  yes) .*", "", line) for line in file.splitlines() if not line.startswith(" "))]
    return [re.sub(r" {2,}", "  ", re.sub(r"-{3,}", "---", line)).rstrip() for line in lines]


def test_the_python_examples_in_the_readme_run(capsys: pytest.CaptureFixture[str]) -> None:
    example = "\n".join(python()[:2])  # the second goes on with the first one's names
    exec(compile(example, "README.md", "exec"), {})
    said = capsys.readouterr().out.splitlines()
    promised = re.findall(r"^print\(.*\)\s+# (.*)$", example, re.MULTILINE)
    assert len(said) == len(promised) == 9
    for line, promise in zip(said, promised, strict=True):
        assert line.startswith(promise.removesuffix("…").rstrip())


def test_the_hypothesis_example_in_the_readme_runs_as_pasted(tmp_path: Path) -> None:
    """Under hypothesis' own time limit, or a shorter one: the profiles of this suite have none."""
    profile = settings.get_current_profile_name()
    settings.register_profile("pasted", settings(max_examples=3, deadline=1, derandomize=True, database=None))
    settings.load_profile("pasted")
    try:
        names: dict[str, Any] = {}
        first, *_ = python()
        last = blocks(README, "python")[-1]
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


def test_the_plan_shown_is_read(tmp_path: Path) -> None:
    from yolo_prune_check.spec.plan_file import load_plan

    (example,) = [block for block in blocks(SPECS, "yaml") if block.startswith("# plan.yaml")]
    file = tmp_path / "plan.yaml"
    file.write_text(example, encoding="utf-8")
    read = load_plan(file)
    assert [step.layer for step in read.steps] == ["2.0", "model.4.cv1.conv"]
    assert (read.extend, read.round_to) == (True, 8)


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


def test_the_recipe_of_the_training_is_told_with_its_numbers() -> None:
    from yolo_prune_check.model.quiet import prepare_ultralytics

    prepare_ultralytics()
    from yolo_prune_check.train.job import _AUGMENTATION, WARMUP_BATCHES, WARMUP_SHARE

    told = ("translate", "scale", "hsv_h", "hsv_s", "hsv_v")
    assert ", ".join(f"`{name}` {_AUGMENTATION[name]}" for name in told) in SPECS
    assert not any(value for name, value in _AUGMENTATION.items() if name not in told)
    assert (WARMUP_SHARE, f"a tenth of all batches, {WARMUP_BATCHES} at most" in SPECS) == (0.1, True)


def test_every_hazard_is_explained() -> None:
    from yolo_prune_check.channels.prediction import HAZARDS

    for code, kind in HAZARDS.items():
        assert f"| `{code}` | {kind.severity} | {kind.meaning} | {kind.remedy} |" in SPECS


def test_every_command_and_option_is_in_the_readme(command_line: CommandLine) -> None:
    from yolo_prune_check.cli.main import app

    for command in app.registered_commands:
        assert command.callback is not None
        assert f"`{command.callback.__name__}" in README
        for option in re.findall(r"--[a-z][a-z-]+", command_line(command.callback.__name__, "--help").out):
            assert f"{option}" in README or option in ("--help", "--verbose", "--out"), option
    declared = (ROOT / "yolo_prune_check/plugin/options.py").read_text(encoding="utf-8")
    options = re.findall(r'^        "(--prune-[a-z-]+)"', declared, re.MULTILINE)
    assert len(options) > 4
    for option in options:
        assert option in README


def test_every_check_of_a_saved_file_is_explained() -> None:
    from yolo_prune_check.confirm import deploy, onnx_file

    names = [
        *(deploy.STOCK, deploy.RELOADED, deploy.PREDICTS, deploy.WIDTHS, deploy.FUSED, deploy.SPLIT, deploy.TRACED),
        *(onnx_file.VALID, onnx_file.EQUAL),
    ]
    for name in names:
        assert f"| `{name}` |" in DEPLOY, name


def test_the_glossary_cites_what_the_code_cites_and_is_linked() -> None:
    glossary = " ".join((ROOT / "docs/glossary.md").read_text(encoding="utf-8").split())
    cited = re.findall(r"\((?:[^():]*: )?(\w[^()]*?)(?:\(\d+\))?,? (\d{4})\)", glossary)
    code = " ".join(" ".join(path.read_text("utf-8").split()) for path in (ROOT / "yolo_prune_check").rglob("*.py"))
    assert len(cited) > 7
    for source, year in cited:
        (first, *_) = re.findall(r"\w+(?: \w+)*", source.removesuffix(" et al."))
        assert re.search(rf"{first.split(' et al')[0]}\b.{{0,160}}?\b{year}\b", code), source
    for page in ("README.md", "docs/specs.md", "docs/choosing.md"):
        assert "glossary.md)" in (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "page",
    [
        *("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"),
        *("docs/specs.md", "docs/inspect.md", "docs/deploy.md", "docs/glossary.md", "docs/choosing.md"),
    ],
)
def test_links_lead_somewhere(page: str) -> None:
    made_by_make = {"reports/index.md", "reports/claims.md", "reports/executions.md", "docs/equality.md"}
    for target in re.findall(r"\]\(([^)#]+)", (ROOT / page).read_text(encoding="utf-8")):
        if "://" not in target and target not in made_by_make:
            assert ((ROOT / page).parent / target).exists(), target
