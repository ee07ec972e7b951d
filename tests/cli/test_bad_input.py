"""Every mistake of a user: one message, exit code 2, nothing half-written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.bad_input import CASES, BadInput
from tests.cli.conftest import CommandLine


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_run_refuses_it_with_one_message(case: BadInput, command_line: CommandLine, tmp_path: Path) -> None:
    case.write(tmp_path)
    ran = command_line("run", "bad.prune.yaml", "--report-dir", "out")
    assert ran.code == 2
    assert [line for line in ran.err.splitlines() if line.startswith("yolo-prune-check:")] == [
        f"yolo-prune-check: {case.message_at('')}"
    ]
    assert "Traceback" not in ran.err
    assert not ran.out
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("case", [case for case in CASES if not case.needs_model], ids=lambda case: case.name)
def test_validate_refuses_it_with_the_same_message(case: BadInput, command_line: CommandLine, tmp_path: Path) -> None:
    case.write(tmp_path)
    ran = command_line("validate", "bad.prune.yaml")
    assert (ran.code, ran.err) == (2, f"yolo-prune-check: {case.message_at('')}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "gone.prune.yaml"), "gone.prune.yaml: no such file. A spec is named like NAME.prune.yaml."),
        (("validate", "."), ".: no *.prune.yaml below this folder. Name a spec or its folder."),
        (("report", "gone", "-o", "out"), "gone: no such folder of records. Run a scenario first."),
        (
            ("predict", "yolov8n.yaml", "--step", "2.0"),
            "--step: not a step: got '2.0'. "
            "Write LAYER=CHANNELS such as 2.0=0-15,20, or LAYER=CRITERION:RATIO such as 2.0=l1:0.5.",
        ),
        (
            ("predict", "yolov8n.yaml", "--step", "2.0=l1:1"),
            "--step: the ratio of channels to remove must lie between 0 and 1: got '2.0=l1:1'.",
        ),
        (
            ("predict", "yolov8n.yaml", "--step", "2.0=best:0.5"),
            "--step: unknown criterion: got '2.0=best:0.5'. Use one of l1, gamma, random.",
        ),
        (
            ("predict", "yolov8n.yaml", "--step", "2.0=9-3"),
            "--step: the range 9-3 runs backwards: got '2.0=9-3'. "
            "Write LAYER=CHANNELS such as 2.0=0-15,20, or LAYER=CRITERION:RATIO such as 2.0=l1:0.5.",
        ),
        (
            ("predict", "yolov8n.yaml", "--step", "2.9=0-3"),
            "block 2 has 4 Conv2d (2.0, 2.1, 2.2, 2.3): got '2.9'.",
        ),
        (
            ("predict", "yolov8n.yaml", "--step", "1.0=0-32"),
            "model.1.conv: channel out of range: got 32. The layer has channels 0 to 31.",
        ),
        (
            ("predict", "yolov8n.yaml", "--step", "1.0=0-3", "--execution", "group"),
            "execution `group` is declared but not carried out in this version. Use `mask` or `local`.",
        ),
        (
            ("inspect", "gone.pt"),
            "no such checkpoint: got 'gone.pt'. Checkpoints are not downloaded.",
        ),
    ],
    ids=lambda value: "-".join(value[:3]) if isinstance(value, tuple) else "",
)
def test_other_bad_input(arguments: tuple[str, ...], message: str, command_line: CommandLine) -> None:
    ran = command_line(*arguments)
    assert (ran.code, ran.out, ran.err) == (2, "", f"yolo-prune-check: {message}\n")


@pytest.mark.parametrize(
    "arguments",
    [("run",), ("nonsense",), ("inspect", "yolov8n.yaml", "--imgsz", "small"), ("predict", "yolov8n.yaml")],
    ids=lambda arguments: arguments[0],
)
def test_wrong_usage_exits_with_2(arguments: tuple[str, ...], command_line: CommandLine) -> None:
    ran = command_line(*arguments)
    assert ran.code == 2
    assert "Usage: yolo-prune-check" in ran.err
