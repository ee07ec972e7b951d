from __future__ import annotations

import textwrap
from pathlib import Path

from tests.cli.conftest import CommandLine
from tests.plugin.workspace import BROKEN, TWO


def test_valid_specs_are_named_with_their_scenarios(tmp_path: Path, command_line: CommandLine) -> None:
    (tmp_path / "two.prune.yaml").write_text(textwrap.dedent(TWO), encoding="utf-8")
    ran = command_line("validate", "two.prune.yaml")
    assert (ran.code, ran.out, ran.err) == (0, "two.prune.yaml: valid, 2 scenarios\n", "")


def test_every_broken_spec_is_named_and_the_valid_ones_too(tmp_path: Path, command_line: CommandLine) -> None:
    (tmp_path / "a.prune.yaml").write_text(textwrap.dedent(BROKEN), encoding="utf-8")
    (tmp_path / "b.prune.yaml").write_text(textwrap.dedent(TWO), encoding="utf-8")
    (tmp_path / "c.prune.yaml").write_text("", encoding="utf-8")
    ran = command_line("validate", ".")
    assert ran.code == 2
    assert ran.out == "b.prune.yaml: valid, 2 scenarios\n"
    assert "a.prune.yaml:" in ran.err
    assert "c.prune.yaml:1:1: the spec is empty" in ran.err


def test_json(tmp_path: Path, command_line: CommandLine) -> None:
    (tmp_path / "a.prune.yaml").write_text("", encoding="utf-8")
    (tmp_path / "b.prune.yaml").write_text(textwrap.dedent(TWO), encoding="utf-8")
    ran = command_line("validate", ".", "--json")
    assert ran.code == 2
    assert ran.json["valid"] == [{"spec": "b.prune.yaml", "scenarios": ["masked", "cut"]}]
    assert [error["spec"] for error in ran.json["errors"]] == ["a.prune.yaml"]
