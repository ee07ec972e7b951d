from __future__ import annotations

import dataclasses

import pytest

from tests.cli.conftest import CommandLine
from tests.plugin.records import PASSED
from yolo_prune_check.cli.exits import Exit, exit_code
from yolo_prune_check.plugin.names import WORK_DIR
from yolo_prune_check.run.record import Record

WRONG = dataclasses.replace(PASSED, passed=False)
REFUTED = dataclasses.replace(PASSED, passed=False, agrees=False)
NOT_RUN = dataclasses.replace(PASSED, agrees=None)


@pytest.mark.parametrize(
    ("records", "bad_input", "code"),
    [
        ([PASSED, NOT_RUN], False, 0),
        ([PASSED, WRONG], False, 1),
        ([PASSED, WRONG], True, 2),
        ([], True, 2),
        ([WRONG, REFUTED], False, 3),
        ([REFUTED], True, 3),
    ],
)
def test_the_gravest_outcome_decides(records: list[Record], bad_input: bool, code: int) -> None:
    assert exit_code(records, bad_input=bad_input) == code


def test_a_defect_of_ours_is_no_verdict(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def bang() -> str:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("yolo_prune_check.spec.json_schema.json_schema_text", bang)
    ran = command_line("schema")
    assert ran.code == Exit.INTERNAL == 70
    assert "Traceback" in ran.err
    assert "ZeroDivisionError: a defect" in ran.err
    assert "please report it" in ran.err


def test_ctrl_c_exits_with_130(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("yolo_prune_check.spec.json_schema.json_schema_text", interrupt)
    ran = command_line("schema")
    assert ran.code == Exit.INTERRUPTED == 130
    assert "Traceback" not in ran.err


def test_the_work_folder_is_relative() -> None:
    assert not WORK_DIR.is_absolute(), "records name checkpoints, and are the same on every machine"
