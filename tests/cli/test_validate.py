from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine, Ran
from tests.plugin.workspace import BROKEN, TWO

NOT_LOOKED_AT = (
    "not looked at: whether the models load and have these blocks, layers and channels; yolo-prune-check run SPEC\n"
    "--predict-only tells\n"
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
    assert f"not looked at: {ran.json['not_looked_at']}" == " ".join(NOT_LOOKED_AT.split())


def messages(ran: Ran) -> list[str]:
    """Each message to its first full stop."""
    assert (ran.code, ran.out) == (2, "")
    lines = ran.err.splitlines()
    assert all(line.startswith("yolo-prune-check: ") for line in lines)
    return [line.removeprefix("yolo-prune-check: ").partition(". ")[0] for line in lines]


MISSING = """
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
      - id: of-a-stock-model
        model: gone.yaml
        blocks: [1]
        layers: first
"""


def test_what_is_missing_is_told_in_order_of_place_each_once(tmp_path: Path, command_line: CommandLine) -> None:
    """What the spec itself finds to be missing is told by it alone."""
    (tmp_path / "a.prune.yaml").write_text(textwrap.dedent(MISSING).lstrip(), encoding="utf-8")
    expected = [
        "a.prune.yaml:1:8: no such model file: got 'gone.pt'",
        "a.prune.yaml:2:7: no such data set: got 'nothing.yaml'",
        "a.prune.yaml:8:11: no such data file: got 'away/nothing.yaml'",
        "a.prune.yaml:12:12: no such model YAML: got 'gone.yaml'",
    ]
    assert messages(command_line("validate", "a.prune.yaml")) == expected
    errors = command_line("validate", "a.prune.yaml", "--json").json["errors"]
    assert [error["message"].partition(". ")[0] for error in errors] == expected


@pytest.mark.parametrize(
    ("mistake", "at"),
    [
        ("blocks: [1], layers: firs", "4:34: not a choice of layers: got 'firs'"),
        ("blocks: [1], layers: first, extend: true", "4:41: `extend` says nothing to execution mask"),
        ("execution: mask", "4:5: nothing says what to prune"),
        ("blocks: [1], layers: first, matrix: {oder: [listed]}", "4:50: `oder` is no axis of a matrix"),
    ],
    ids=["invalid", "breaks-a-rule", "no-plan", "no-axis"],
)
@pytest.mark.parametrize("model", ["yolov8n-digit", "yolov8n-digits"])
def test_another_mistake_of_a_scenario_hides_nothing_that_is_missing(
    mistake: str, at: str, model: str, tmp_path: Path, command_line: CommandLine
) -> None:
    text = f"model: {model}\ndata: nothing.yaml\nscenarios:\n  - {{id: a, {mistake}}}\n"
    (tmp_path / "a.prune.yaml").write_text(text, encoding="utf-8")
    missing = ["a.prune.yaml:1:8: no such model: got 'yolov8n-digit'"] if model == "yolov8n-digit" else []
    missing.append("a.prune.yaml:2:7: no such data set: got 'nothing.yaml'")
    *told, last = messages(command_line("validate", "a.prune.yaml"))
    assert told == missing
    assert last.startswith(f"a.prune.yaml:{at}")


@pytest.mark.parametrize(
    "fields",
    [
        "blocks: [1], layers: firs, expect: {error: no such}",
        "blocks: [1], layers: first, expect: {error: no such}",
        "fuzz: {examples: one}",
        "fuzz: {examples: 1}",
    ],
)
def test_what_is_to_be_refused_or_of_no_use_may_be_missing(
    fields: str, tmp_path: Path, command_line: CommandLine
) -> None:
    model = "yolov8n-digits" if "fuzz" in fields else "gone.yaml"
    text = f"model: {model}\ndata: nothing.yaml\nscenarios:\n  - {{id: a, {fields}}}\n"
    (tmp_path / "a.prune.yaml").write_text(text, encoding="utf-8")
    assert "no such" not in command_line("validate", "a.prune.yaml").err


def test_of_very_many_mistakes_the_number_is_told(tmp_path: Path, command_line: CommandLine) -> None:
    scenarios = "".join(f"  - {{id: s{n}, data: no-{n}.yaml, blocks: [1], layers: first}}\n" for n in range(103))
    (tmp_path / "a.prune.yaml").write_text(f"model: yolov8n-digits\nscenarios:\n{scenarios}", encoding="utf-8")
    told = messages(command_line("validate", "a.prune.yaml"))
    assert (len(told), told[-1]) == (101, "a.prune.yaml: 3 more mistakes.")
