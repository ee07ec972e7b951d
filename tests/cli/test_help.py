from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine
from yolo_prune_check.cli.main import app

ROOT = Path(__file__).parents[2]
COMMANDS = ("run", "validate", "inspect", "predict", "sensitivity", "suggest", "compact", "fuzz", "report", "schema")
SPEC = "model: yolov8n.yaml\nscenarios:\n  - {id: a, blocks: [1], layers: first, select: {criterion: l1, ratio: 0.5}}\n"


def test_these_are_the_commands() -> None:
    assert tuple(command.callback.__name__ for command in app.registered_commands if command.callback) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(command: str, command_line: CommandLine) -> None:
    ran = command_line(command, "--help")
    assert ran.code == 0
    assert f"Example: yolo-prune-check {command}" in " ".join(ran.out.split())


def test_help_explains_exit_codes(command_line: CommandLine) -> None:
    text = " ".join(command_line("--help").out.split())
    assert "0 as expected, 1 a verdict or budget differs, 2 bad input, 3 a prediction was refuted" in text


@pytest.mark.parametrize("arguments", [["--help"], ["schema"], ["validate", "a.prune.yaml"]], ids=" ".join)
def test_start_is_fast_because_torch_stays_out(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "a.prune.yaml").write_text(SPEC, encoding="utf-8")
    code = (
        "import sys\n"
        "from yolo_prune_check.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit as end:\n    print('code', end.code)\n"
        "print('heavy', sorted({'torch', 'ultralytics', 'matplotlib', 'numpy', 'pytest'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-2:] == ["code 0", "heavy []"]


def test_it_runs_as_a_module_as_well() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "yolo_prune_check", "inspect", "missing.yaml"],
        cwd=ROOT, capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip
    assert ran.returncode == 2
    assert ran.stderr.startswith("yolo-prune-check: ")
