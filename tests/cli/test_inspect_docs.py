"""What docs/inspect.md shows is what is printed today."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine

DOCS = (Path(__file__).parents[2] / "docs/inspect.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"^<!-- yolo-prune-check (.*?) -->\n\n```(\w+)\n(.*?)^```", DOCS, re.MULTILINE | re.DOTALL)


def test_there_is_something_to_compare() -> None:
    assert [language for _, language, _ in SHOWN] == ["text"] * 5 + ["mermaid"]


@pytest.mark.parametrize(("command", "language", "text"), SHOWN)
def test_it_is_current(command: str, language: str, text: str, command_line: CommandLine) -> None:
    printed = command_line(*command.split()).out
    again = f"print it again with `yolo-prune-check {command}` and put it into docs/inspect.md"
    assert text in printed, again
    if language == "mermaid":
        assert text == printed, again
