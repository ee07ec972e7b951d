"""The page on criteria: what is best, what is tied, and that each point is measured as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks import criteria
from benchmarks.criteria_page import UNTOUCHED, Point, Settings, page, picture, rows
from yolo_prune_check.cli.choosing import Criterion, best_scope
from yolo_prune_check.select.criteria import CRITERIA

ROOT = Path(__file__).parents[2]

SETTINGS = Settings("yolov8n-digits", "digits", 128, 2)
COMMAND = "python -m benchmarks.criteria --epochs 2"


def points() -> list[Point]:
    """Two cuts, three seeds: `taylor` is highest, `l1` near it with ups and downs of its own, `random` far below."""
    scores = {"taylor": 0.80, "l1": 0.79, "random": 0.30}
    chance = {"taylor": (0, 1, 2), "l1": (1, 2, 0), "random": (0, 2, 1)}
    return [
        Point(name, "group", cut, seed, 1 - cut, 0.4, 0.83, score / 2, score - cut / 10 + chance[name][seed] / 50)
        for cut in (0.3, 0.5)
        for name, score in scores.items()
        for seed in (0, 1, 2)
    ]


def test_seeds_are_summed_up_and_the_best_comes_first() -> None:
    first, second, third = rows(points(), 0.5)
    assert [row.criterion for row in (first, second, third)] == ["taylor", "l1", "random"]
    assert first.tuned.mean == pytest.approx(0.77)
    assert first.tuned.spread == pytest.approx(0.02)
    assert first.pruned.spread == pytest.approx(0)


def test_the_page_says_what_is_best_tied_and_lost(tmp_path: Path) -> None:
    text = page(points(), SETTINGS, "criteria.svg", COMMAND)
    rows_of_half = text[text.index("50% of the MACs") :]
    assert re.search(r"`taylor` +\| `group` .*0\.770 ± 0\.020 +\| tied", rows_of_half)
    assert re.search(r"`l1` .*\| tied", rows_of_half)
    assert re.search(r"`random` .*0\.270 ± 0\.020 +\| +\|", rows_of_half)
    assert "None is best: `taylor` by `group` has the largest mean, and 1 other cannot be told from it." in rows_of_half
    assert "`random` at its best (`group`) is 0.500 below, place 3 of 3." in rows_of_half
    far = page([point for point in points() if point.criterion != "l1"], SETTINGS, "criteria.svg", COMMAND)
    assert re.search(r"`taylor` .*\| \*\*best\*\*", far)
    assert "Best: `taylor` by `group`. `random` at its best" in far
    once = page([point for point in points() if point.seed == 0], SETTINGS, "criteria.svg", COMMAND)
    assert "**best**" not in once
    assert "Highest: `l1` by `group`." in once
    picture(points(), tmp_path / "criteria.svg")
    assert (tmp_path / "criteria.svg").read_text().count("<svg") == 1


def test_the_page_says_what_training_alone_does_and_what_settings_do(tmp_path: Path) -> None:
    more = [Point(UNTOUCHED, "none", 0.0, seed, 1, 1, 0.83, 0.83, 0.9 + seed / 50) for seed in (0, 1, 2)]
    more += [
        Point("separability", "group", 0.5, seed, 0.5, 0.4, 0.83, 0.1, score + seed / 100 * (1 + score), setting)
        for setting, score in (("", 0.5), ("distance fisher", 0.6))
        for seed in (0, 1, 2)
    ]
    more += [Point("taylor", "layer", 0.5, seed, 0.5, 0.4, 0.83, 0.1, 0.2 + seed / 90) for seed in (0, 1, 2)]
    text = page([*points(), *more], SETTINGS, "criteria.svg", COMMAND)
    assert "takes the untouched model from 0.830 to 0.920 ± 0.020: that" in text
    assert "## 0% of the MACs" not in text
    assert text.count("By `layer`, every layer names the same share") == 1  # where it was tried
    settings = text[text.index("## Settings of separability, 50% of the MACs removed") :]
    assert re.search(r"\| `distance: fisher` +\| 50.0% .*\| 0.100 ± 0.000 +\| 0.616 ± 0.016 +\| \*\*best\*\*", settings)
    assert re.search(r"\| as in the field notes +\| 50.0% .*\| 0.515 ± 0.015 +\| +\|", settings)
    assert "fisher" not in text[: text.index("## Settings")]
    picture([*points(), *more], tmp_path / "criteria.svg")


@pytest.mark.slow
def test_a_point_is_measured_and_found_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--criteria", "l1", "--cuts", "0.3", "--seeds", "0", "--epochs", "1", "--fraction", "0.02"]
    options += ["--scopes", "group", "--store", str(tmp_path / "store"), "--write", str(tmp_path / "criteria.md")]
    assert criteria.main(options) == 0
    assert "criterion='l1'" in capsys.readouterr().out
    page_before = (tmp_path / "criteria.md").read_text()
    assert criteria.main(options) == 0
    assert capsys.readouterr().out == ""  # nothing is measured again
    assert (tmp_path / "criteria.md").read_text() == page_before
    assert {file.name for file in (tmp_path / "store").iterdir()} == {"l1.json", f"{UNTOUCHED}.json"}


def test_the_default_of_compact_is_the_best_or_tied_at_every_share_of_the_page() -> None:
    text = (ROOT / "docs" / "criteria.md").read_text(encoding="utf-8")
    default = f"`{Criterion.TAYLOR.value}`", f"`{best_scope(Criterion.TAYLOR).value}`"
    sections = re.findall(r"^## (\d+)% of the MACs removed$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert [share for share, _ in sections] == ["30", "50", "70"]
    for _, section in sections:
        lines = [line for line in section.splitlines() if line.startswith("| `")]
        found = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
        assert {row[0] for row in found} == {f"`{name}`" for name in CRITERIA}
        assert all("±" in row[5] for row in found)
        assert next(row[-1] for row in found if (row[0], row[1]) == default) in {"**best**", "tied"}


def test_the_guide_has_the_numbers_of_the_page() -> None:
    page_text, guide = ((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("criteria.md", "choosing.md"))
    known: dict[tuple[str, str, str], str] = {}
    for share, section in re.findall(r"^## (\d+)% of the MACs removed$(.*?)(?=^## |\Z)", page_text, re.M | re.S):
        row = r"^\| `(\S+)` +\| `(\S+)` .*\| ([\d.]+) ± [\d.]+ +\|.*\|$"
        for criterion, scope, tuned in re.findall(row, section, re.M):
            known[criterion, scope, share] = tuned
    score = r" \**([\d.]+)\** \|"
    told = re.findall(rf"^\| `(\S+)`, (whole model|same share).* \|{score * 3}$", guide, re.M)
    assert len(told) == 7
    for criterion, way, *scores in told:
        scope = "global" if way == "whole model" else "group"
        assert scores == [known[criterion, scope, share] for share in ("30", "50", "70")]
    (untouched,) = re.findall(r"takes the untouched model from [\d.]+ to ([\d.]+) ±", page_text)
    assert f"| nothing removed | {untouched} | {untouched} | {untouched} |" in guide
