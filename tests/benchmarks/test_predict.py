"""The speed benchmark with one round of everything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import peer
from benchmarks.predict import main
from benchmarks.timing import alternate, ratio, spoken


def test_every_table_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(peer, "available", lambda: False)
    options = ["--repeats", "1", "--counts", "1", "10", "--scales", "yolov8n.yaml", "--built", "yolov8n.yaml"]
    assert main([*options, "--json", str(tmp_path / "x.json"), "--write", str(tmp_path / "x.md")]) == 0
    said = capsys.readouterr()
    assert "Torch-Pruning is not installed (pip install '.[bench]')" in said.err
    for row in (
        "| one verdict: 1/1,000 of trial and error",
        "| each of 10 verdicts: 1/10,000",
        "| trial and error: ",
        "| one verdict ",
        "| repair ",
        "| local ",
        "| mask: weights ",
        "| group ",
        "| adapter ",
        "| yolov8n.yaml | 3,157",
    ):
        assert row in said.out
    speed = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))
    assert 0 < speed["one_plan"]["one verdict: local"] < speed["one_plan"]["trial and error"]
    assert len(speed["many"]["mask"]["10"]) == 2
    assert (tmp_path / "x.md").read_text(encoding="utf-8") == said.out


def test_counts_that_would_take_too_long_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    none = ["--scales", "--built"]
    assert main(["--repeats", "1", "--counts", "1", "1000000000", "--limit", "1", *none]) == 0
    assert "1,000,000,000 | –" in capsys.readouterr().out


def test_torch_pruning_is_timed_where_it_is_installed(tmp_path: Path) -> None:
    pytest.importorskip("torch_pruning")
    options = ["--repeats", "1", "--counts", "1", "--scales", "--built", "resnet18", "--json", str(tmp_path / "x.json")]
    assert main(options) == 0
    built = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))["building"]["resnet18"]
    assert set(built) == {"trace", "trace, stock", "Torch-Pruning build", "Torch-Pruning step"}


def test_alternating_gives_medians_and_drops_the_first_round() -> None:
    numbers = iter([9.0, 1.0, 5.0, 2.0])
    order: list[str] = []

    def first() -> float:
        order.append("a")
        return next(numbers)

    def second() -> float:
        order.append("b")
        return 0.0

    assert alternate({"a": first, "b": second}, 3) == {"a": 2.0, "b": 0.0}
    assert order == ["a", "b"] * 4


def test_durations_and_ratios_are_spoken_with_three_digits() -> None:
    assert [spoken(t) for t in (2.0, 0.0123, 4.56e-6, None)] == ["2.00 s", "12.3 ms", "4.56 µs", "–"]
    assert [ratio(1.0, part) for part in (1e-4, 2.0, None)] == ["10,000", "0.50", "–"]
