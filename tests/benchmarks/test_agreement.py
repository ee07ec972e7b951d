"""The agreement benchmark, with few plans: what it counts, keeps and writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.agreement import main
from benchmarks.agreement_page import page
from benchmarks.agreement_store import Result, totals
from benchmarks.plans import random_plans
from benchmarks.store import Store
from benchmarks.trial import Trial
from tests.models import graph_of, stock
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.load import load_model


def run(folder: Path, *more: str) -> int:
    return main(["--models", "yolov8n.yaml", "--thorough", "--plans", "6", "--json", str(folder / "results"), *more])


def test_it_tries_the_plans_writes_the_page_and_does_not_try_them_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "--write", str(tmp_path / "page.md")) == 0
    first = capsys.readouterr()
    assert "1/1 yolov8n.yaml random 0: 6/6 agree" in first.err
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == first.out
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in first.out.splitlines() if "| all " in line]
    assert rows[-1][3] == "6"
    assert rows[-1][-1] == "100.00 %"
    assert run(tmp_path) == 0
    second = capsys.readouterr()
    assert second.err == ""
    assert second.out == first.out
    assert run(tmp_path, "--seed", "1") == 0
    assert "1/1 yolov8n.yaml random 0" in capsys.readouterr().err


def test_results_of_other_code_are_not_taken_for_its_own(tmp_path: Path) -> None:
    store = Store(tmp_path, {"code": "a"}, Result)
    store.add("x.yaml", "random 0", [Result("random", "local", tried=2, agreed=2)])
    assert Store(tmp_path, {"code": "a"}, Result).all_of("x.yaml") == [Result("random", "local", tried=2, agreed=2)]
    assert not Store(tmp_path, {"code": "b"}, Result).has("x.yaml", "random 0")


def test_parts_of_a_model_are_added_up_by_kind_and_execution(tmp_path: Path) -> None:
    store = Store(tmp_path, {}, Result)
    store.add("x.yaml", "random 0", [Result("random", "local", tried=2, agreed=1, broke=1), Result("random", "mask")])
    store.add("x.yaml", "random 1", [Result("random", "local", tried=3, agreed=3, broke=2)])
    local, mask = totals(store.all_of("x.yaml"))
    assert (local.tried, local.agreed, local.broke) == (5, 4, 3)
    assert mask.tried == 0


def test_a_prediction_for_another_model_is_refuted_and_listed_with_its_plan() -> None:
    """Graph of a model with plain BatchNorms, which hide phantom channels; the model that runs has random ones."""
    graph = ChannelGraph.trace(load_model("yolov8n.yaml"), imgsz=64)
    result = Result("random", "mask: weights")
    trial = Trial(stock(), graph)
    for steps in random_plans(graph, 3, 0):
        trial.run(Plan(steps, "mask", "weights"), result)
    assert result.tried == 3
    assert result.agreed == 0
    assert set(result.disagreements[0]["steps"]) == {step.layer for step in next(random_plans(graph, 1, 0))}
    text, refuted = page([("yolov8n.yaml", [result])], {})
    assert refuted == 3
    assert "## Refuted predictions" in text
    assert "0.00 %" in text


def test_the_same_seed_draws_the_same_plans_and_another_seed_others() -> None:
    graph = graph_of()
    assert list(random_plans(graph, 5, "a")) == list(random_plans(graph, 5, "a"))
    assert list(random_plans(graph, 5, "a")) != list(random_plans(graph, 5, "b"))


def test_an_unknown_family_is_refused_with_the_names_of_those_that_there_are() -> None:
    with pytest.raises(UserError, match=r"no such family: got 'v99'\. Families: v3, "):
        main(["--families", "v99"])
