"""`--trust-checkpoint` of every command that loads a model."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.asking import NAME, write_asking
from tests.cli.conftest import CommandLine

SPEC = """\
model: {model}
{trust}
imgsz: 64
scenarios:
  - id: masked
    steps: [{{layer: 1.0, keep: 0-15}}]
  - id: random
    fuzz: {{examples: 1, executions: [mask]}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_asking(tmp_path / "asking.pt")


def spec(folder: Path, *, model: str = "asking.pt", trust: bool = False) -> str:
    text = SPEC.format(model=model, trust="trust_checkpoint: true" if trust else "")
    (folder / "x.prune.yaml").write_text(text, encoding="utf-8")
    return "x.prune.yaml"


@pytest.mark.parametrize(
    "command",
    [
        ["predict", "asking.pt", "--step", "1.0=0-15"],
        ["inspect", "asking.pt", "--layer", "1.0"],
        ["fuzz", "asking.pt", "--examples", "1", "--predict-only"],
        ["run", "x.prune.yaml", "--predict-only"],
    ],
    ids=lambda command: command[0],
)
def test_each_command_refuses_it_until_it_is_told_to_trust(
    command: list[str], file: Path, command_line: CommandLine
) -> None:
    spec(file.parent)
    refused = command_line(*command)
    assert refused.code == 2
    assert f"asks for code beyond the network modules of PyTorch and Ultralytics: {NAME}. It was not" in refused.err
    assert command_line(*command, "--trust-checkpoint").code == 0


def test_a_spec_trusts_its_own_model(file: Path, command_line: CommandLine) -> None:
    assert command_line("run", spec(file.parent, trust=True), "--predict-only").code == 0


def test_that_says_nothing_of_a_model_named_in_its_place(file: Path, command_line: CommandLine) -> None:
    other = spec(file.parent, model="yolov8n.yaml", trust=True)
    command = ("run", other, "--model", "asking.pt", "--predict-only")
    assert command_line(*command).code == 2
    assert command_line(*command, "--trust-checkpoint").code == 0
