from __future__ import annotations

import dataclasses

import pytest

from tests.cli.conftest import CommandLine
from tests.plugin.records import PASSED
from yolo_prune_check.cli.exits import Exit, exit_code
from yolo_prune_check.fanout import LostError
from yolo_prune_check.plugin.names import WORK_DIR
from yolo_prune_check.run.record import Record, not_started

WRONG = dataclasses.replace(PASSED, passed=False)
REFUTED = dataclasses.replace(PASSED, passed=False, agrees=False)
NOT_RUN = dataclasses.replace(PASSED, agrees=None)
NOT_STARTED = not_started(PASSED, "no such block")


@pytest.mark.parametrize(
    ("records", "code"),
    [
        ([PASSED, NOT_RUN], 0),
        ([PASSED, WRONG], 1),
        ([PASSED, NOT_STARTED, WRONG], 2),
        ([NOT_STARTED], 2),
        ([WRONG, REFUTED], 3),
        ([REFUTED, NOT_STARTED], 3),
    ],
)
def test_the_gravest_outcome_decides(records: list[Record], code: int) -> None:
    assert exit_code(records) == code


def test_a_defect_of_ours_is_no_verdict(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def bang() -> str:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("yolo_prune_check.spec.json_schema.json_schema_text", bang)
    ran = command_line("schema")
    assert ran.code == Exit.INTERNAL == 70
    assert "Traceback" in ran.err
    assert "ZeroDivisionError: a defect" in ran.err
    assert "please report it" in ran.err


def test_processes_that_died_are_no_bad_input(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost() -> str:
        raise LostError("given up, as each process that worked on it died", where="model.1.conv", hint="Try again.")

    monkeypatch.setattr("yolo_prune_check.spec.json_schema.json_schema_text", lost)
    ran = command_line("schema")
    assert ran.code == Exit.LOST == 75
    assert ran.err.endswith("model.1.conv: given up, as each process that worked on it died. Try again.\n")


def test_ctrl_c_exits_with_130(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("yolo_prune_check.spec.json_schema.json_schema_text", interrupt)
    ran = command_line("schema")
    assert ran.code == Exit.INTERRUPTED == 130
    assert "Traceback" not in ran.err


def test_the_work_folder_is_relative() -> None:
    assert not WORK_DIR.is_absolute(), "records name checkpoints, and are the same on every machine"
