from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from yolo_prune_check.cli import main


@dataclasses.dataclass(frozen=True)
class Ran:
    """What the command line answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


CommandLine = Callable[..., Ran]


@pytest.fixture
def command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The command line, run in this process, in a temporary folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("YOLO_VERBOSE", "false")  # so that --verbose is undone after the test
    monkeypatch.setenv("TERMINAL_WIDTH", "120")

    def run(*args: str) -> Ran:
        with pytest.raises(SystemExit) as exit_:
            main(args)
        code = exit_.value.code
        said = capsys.readouterr()
        return Ran(0 if code is None else int(code), said.out, said.err)

    return run
