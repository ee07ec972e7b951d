from __future__ import annotations

import textwrap
from pathlib import Path

from tests.cli.conftest import CommandLine
from tests.plugin.workspace import BROKEN, TWO

NOT_LOOKED_AT = (
    "not looked at: whether the models load and have these blocks, layers and channels; "
    "yolo-prune-check run SPEC --predict-only tells\n"
)


def test_valid_specs_are_named_with_their_scenarios(tmp_path: Path, command_line: CommandLine) -> None:
    (tmp_path / "two.prune.yaml").write_text(textwrap.dedent(TWO), encoding="utf-8")
    ran = command_line("validate", "two.prune.yaml")
    assert (ran.code, ran.out, ran.err) == (0, f"two.prune.yaml: valid, 2 scenarios\n{NOT_LOOKED_AT}", "")


def test_every_broken_spec_is_named_and_the_valid_ones_too(tmp_path: Path, command_line: CommandLine) -> None:
    (tmp_path / "a.prune.yaml").write_text(textwrap.dedent(BROKEN), encoding="utf-8")
    (tmp_path / "b.prune.yaml").write_text(textwrap.dedent(TWO), encoding="utf-8")
    (tmp_path / "c.prune.yaml").write_text("", encoding="utf-8")
    ran = command_line("validate", ".")
    assert ran.code == 2
    assert ran.out == f"b.prune.yaml: valid, 2 scenarios\n{NOT_LOOKED_AT}"
    assert "a.prune.yaml:" in ran.err
    assert "c.prune.yaml:1:1: the spec is empty" in ran.err


def test_json(tmp_path: Path, command_line: CommandLine) -> None:
    (tmp_path / "a.prune.yaml").write_text("", encoding="utf-8")
    (tmp_path / "b.prune.yaml").write_text(textwrap.dedent(TWO), encoding="utf-8")
    ran = command_line("validate", ".", "--json")
    assert ran.code == 2
    assert ran.json["valid"] == [{"spec": "b.prune.yaml", "scenarios": ["masked", "cut"]}]
    assert [error["spec"] for error in ran.json["errors"]] == ["a.prune.yaml"]


def test_a_missing_model_hides_no_missing_data_set(tmp_path: Path, command_line: CommandLine) -> None:
    """Each with its place; what the spec itself finds to be missing is told once."""
    spec = """
        model: gone.pt
        data: nothing.yaml
        scenarios:
          - id: by-default
            blocks: [1]
            layers: first
          - id: of-a-folder
            data: away/nothing.yaml
            blocks: [1]
            layers: first
    """
    (tmp_path / "a.prune.yaml").write_text(textwrap.dedent(spec).lstrip(), encoding="utf-8")
    ran = command_line("validate", "a.prune.yaml")
    assert (ran.code, ran.out) == (2, "")
    lines = ran.err.splitlines()
    assert [line.removeprefix("yolo-prune-check: ").partition(". ")[0] for line in lines] == [
        "a.prune.yaml:1:8: no such model file: got 'gone.pt'",
        "a.prune.yaml:8:11: no such data file: got 'away/nothing.yaml'",
        "a.prune.yaml:2:7: no such data set: got 'nothing.yaml'",
    ]
