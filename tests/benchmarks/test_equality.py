"""The equality benchmark, with few plans: what it counts, keeps and writes, and that it notices a wrong model."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from benchmarks import equality_trial
from benchmarks.equality import MODELS, main
from benchmarks.equality_page import page
from benchmarks.equality_plans import group_plans
from benchmarks.equality_trial import Result, photographs
from tests.models import graph_of
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.prune.apply import carry_out


def run(folder: Path, *more: str) -> int:
    return main(["--models", "yolov8n.yaml", "--plans", "1", "--json", str(folder / "results"), *more])


def row(text: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith("| yolov8n.yaml"))
    return [cell.strip() for cell in line.split("|")[1:-1]]


def test_it_proves_the_plans_writes_the_page_and_does_not_try_them_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "--write", str(tmp_path / "page.md")) == 0
    first = capsys.readouterr()
    assert "1/1 yolov8n.yaml 0: 1/1 proven" in first.err
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == first.out
    cells = row(first.out)
    assert cells[:5] == ["yolov8n.yaml", "3,157,200", "1", "1", "1"]
    assert all(0 <= float(error) < 1e-9 for error in cells[5:10])
    assert run(tmp_path) == 0
    second = capsys.readouterr()
    assert (second.err, second.out) == ("", first.out)


def test_a_wrong_model_is_a_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrongly(model: nn.Module, plan: Plan, *more: Any) -> nn.Module:
        small = carry_out(model, plan, *more)
        small.get_parameter("model.9.cv2.bn.bias").data[0] += 1e-3
        return small

    monkeypatch.setattr(equality_trial, "carry_out", wrongly)
    assert run(tmp_path) == 3
    out = capsys.readouterr().out
    assert row(out)[3:5] == ["0", "0"]
    assert "1 safe plans on 1 models" in out
    assert "**1 failed.**" in out
    assert "## Failed plans" in out
    assert "observed a relative error of" in out


def test_results_are_added_up() -> None:
    total = Result(100)
    total.add(Result(100, 3, 2, 2, 1, {"fused": 2.0}, 0.1, 0.2, 5.0, [{"steps": {"a": [1]}, "wrong": ["x: y"]}]))
    total.add(Result(100, 4, 4, 4, 4, {"fused": 1.0, "eval": 3.0}, 0.2, 0.5, 6.0))
    assert (total.drawn, total.safe, total.agreed, total.proven, total.seconds) == (7, 6, 6, 5, 11.0)
    assert (total.errors, total.least, total.most) == ({"fused": 2.0, "eval": 3.0}, 0.1, 0.5)
    text, failed = page([("a.yaml", total)], ["b.yaml", "c.yaml"], {"torch": "1"})
    assert failed == 1
    assert "- a.yaml (a: 1 kept): x: y" in text
    assert "Not run for this page, which `make bench` does in full: b.yaml, c.yaml." in text
    assert "6 safe plans on 1 models, of 7 that were drawn" in text


def test_the_same_seed_draws_the_same_plans_and_every_third_is_large() -> None:
    graph = graph_of()

    def drawn(seed: str) -> list[Plan]:
        plans: Iterator[Plan] = group_plans(graph, seed)
        return list(islice(plans, 9))

    assert drawn("a") == drawn("a")
    assert drawn("a") != drawn("b")
    sizes = [len(plan.steps) for plan in drawn("a")]
    assert all(size > 15 for size in sizes[::3])
    assert all(size <= 5 for index, size in enumerate(sizes) if index % 3)
    assert {plan.round_to for plan in drawn("a")} == {8, None}
    assert {step.scores is None for plan in drawn("a") for step in plan.steps} == {True, False}


def test_photographs_are_real_and_models_are_many() -> None:
    pictures = photographs(64)
    assert pictures.shape == (2, 3, 64, 64)
    assert 0 <= float(pictures.min()) < 0.1 < 0.9 < float(pictures.max()) <= 1
    assert len(set(MODELS)) == len(MODELS) == 33
