"""Every architecture beside Torch-Pruning: with it, without it, and when it fails or takes too long."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import pytest

from benchmarks import peer
from benchmarks.peer import HELPS, Attempt
from benchmarks.peers import Row, attempts, main, ours, page

LIMITS = Namespace(timeout=60.0, memory=8.0, jobs=1)


def test_without_torch_pruning_it_says_so_and_measures_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(peer, "available", lambda: False)
    assert (
        main(["--models", "yolov5n.yaml", "--json", str(tmp_path / "x.json"), "--write", str(tmp_path / "x.md")]) == 0
    )
    said = capsys.readouterr()
    assert "Torch-Pruning is not installed (pip install '.[bench]')" in said.err
    assert "| yolov5n.yaml | 2,654,816" in said.out
    (row,) = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))
    assert row["attempts"] == {}
    assert row["ours"]["params"] == 2_654_816
    assert (tmp_path / "x.md").read_text(encoding="utf-8") == said.out


def test_what_the_graph_knows_of_resnet18() -> None:
    found = ours("resnet18")
    assert found.channels == found.free == 4800
    assert found.frozen == {}
    assert 0.99 < found.prunable_params <= 1
    assert found.halved < found.params / 3


def test_what_is_frozen_adds_up_and_is_named_by_operator_and_class() -> None:
    found = ours("yolov8n-seg.yaml")
    assert sum(found.frozen.values()) == found.channels - found.free
    assert found.frozen == {"view in Segment": 528, "the model's output": 32, "view in DFL": 1}
    assert "528 × view in Segment, 32 × the model's output, 1 × view in DFL" in page(
        [Row("yolov8n-seg.yaml", found, {})], LIMITS
    )


def test_each_failure_is_quoted_once_and_outputs_that_changed_are_marked() -> None:
    failed = Attempt("IndexError: index 384 is out of bounds")
    row = Row("resnet18", ours("resnet18"), {HELPS[0]: failed, HELPS[1]: failed, HELPS[2]: Attempt("runs", 5, False)})
    text = page([row], LIMITS)
    assert text.count("IndexError: index 384 is out of bounds") == 1
    assert text.count("fails (1)") == 2
    assert "5, other outputs" in text


@pytest.mark.stress
def test_torch_pruning_fails_on_yolov8n_as_it_stands_and_halves_it_with_help() -> None:
    pytest.importorskip("torch_pruning")
    tried = attempts("yolov8n.yaml", LIMITS)
    plain, ignoring, helped = (tried[level] for level in HELPS)
    assert plain.outcome.startswith("IndexError: ")
    assert ignoring.outcome.startswith("IndexError: ")
    assert helped.outcome == "runs"
    assert helped.params == 1_174_568


@pytest.mark.stress
def test_an_attempt_that_takes_too_long_or_too_much_memory_is_stopped() -> None:
    pytest.importorskip("torch_pruning")
    slow = attempts("yolov8n.yaml", Namespace(timeout=0.05, memory=8.0, jobs=1))
    assert {found.outcome for found in slow.values()} == {"no answer within 0.05 s"}
    large = attempts("yolov3.yaml", Namespace(timeout=60.0, memory=0.5, jobs=1))
    assert all(found.params is None for found in large.values())
