"""The page on which executions are compared: its numbers and sentences are those of the records."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.report.scored import precision
from yolo_prune_check.report import write_reports
from yolo_prune_check.report.executions_page import plan_title
from yolo_prune_check.run.record import CheckRecord, LatencyRecord, MetricsRecord, Record

if TYPE_CHECKING:
    from tests.report.conftest import Build

PAGE = "executions.md"


def metrics(params: int, macs: int, took: float | None = None, **more: Any) -> MetricsRecord:
    known = {
        "scores_before": precision(0.9),
        "scores_after": precision(0.8),
        "params_before": 1000,
        "macs_before": 4000,
        **more,
    }
    latency = None if took is None else LatencyRecord(20.0, took, 1, 20, 1, "cpu")
    return MetricsRecord(params_after=params, macs_after=macs, latency=latency, **known)


def proof(*errors: float | None, passed: bool = True) -> tuple[CheckRecord, ...]:
    return tuple(CheckRecord(f"check {i}", passed, error) for i, error in enumerate(errors))


def four(build: Build, **more: Any) -> list[Record]:
    """One plan in each execution, measured and fine-tuned."""
    step = build.step(scores_pruned=precision(0.5), scores_tuned=precision(0.8))
    file = (CheckRecord("ONNX equals PyTorch", True, 1e-5), CheckRecord("loads elsewhere", True))
    spec = {"spec": "specs/ways.prune.yaml", "suite": "ways", "tags": (), "fine_tune": "1 epoch", "steps": (step,)}
    known = {**spec, **more}
    broken = {**known, "steps": (build.broken(),), "metrics": MetricsRecord(scores_before=precision(0.9))}
    return [
        build.record("m", **{"metrics": metrics(1000, 4000), **known}),
        build.unsafe("l", **broken),
        build.record("g", execution="group", proof=proof(2e-7, 3e-8, None), deploy=file,
                     **{"metrics": metrics(800, 2000, 15.0), **known}),
        build.record("a", execution="adapter", proof=proof(0.0), **{"metrics": metrics(900, 3000, 24.0), **known}),
    ]  # fmt: skip


def written(records: list[Record], out: Path) -> str:
    write_reports(records, out)
    return (out / PAGE).read_text(encoding="utf-8")


def table(page: str) -> list[dict[str, str]]:
    lines = [line for line in page.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]


def sentences(page: str) -> list[str]:
    return [line[2:] for line in page.partition("<details>")[0].splitlines() if line.startswith("- ")]


def test_each_execution_is_a_row_with_what_was_measured(build: Build, tmp_path: Path) -> None:
    mask, local, group, adapter = table(written(four(build), tmp_path))
    assert [row["execution"].partition(" ")[0] for row in (mask, local, group, adapter)] == [
        "`mask`", "`local`", "`group`", "`adapter`",
    ]  # fmt: skip
    assert group == {
        "execution": "`group` ([`g`](ways.md#g))",
        "fits": "✓",
        "equals the masked model (largest error)": "✓ (2e-07)",
        "kept in the plan's layers": "16 of 32",
        "parameters": "800 (-20.0 %)",
        "MACs per image": "2,000 (-50.0 %)",
        "latency, ms": "15.0, ×0.75",
        "mAP50 before": "0.900",
        "pruned": "0.500",
        "fine-tuned": "0.800",
        "hazards": "none",
        "file usable elsewhere": "✓",
    }
    assert local["fits"] == "✗ breaks in `model.2.cv1.conv`"
    assert {local[name] for name in ("parameters", "latency, ms", "pruned", "file usable elsewhere")} == {"–"}
    assert adapter["equals the masked model (largest error)"] == "✓ (0)"
    assert mask["equals the masked model (largest error)"] == "–"


def test_what_was_not_judged_is_not_counted_as_held(build: Build, tmp_path: Path) -> None:
    mask, _, group, adapter = four(build)
    left = CheckRecord("fused", None, None, "fuse() loses the adapter")
    some = replace(adapter, proof=(*adapter.proof, left))
    none = replace(group, proof=(left,), deploy=(left, left))
    _, of_none, of_some = table(written([mask, none, some], tmp_path))
    assert of_some["equals the masked model (largest error)"] == "✓ (0, 1 not judged)"
    assert of_none["equals the masked model (largest error)"] == "–"
    assert "file usable elsewhere" not in of_none  # no column of nothing


def test_what_follows_is_said(build: Build, tmp_path: Path) -> None:
    assert sentences(written(four(build), tmp_path)) == [
        "`mask`, `group` and `adapter` fit; `local` breaks in `model.2.cv1.conv`.",
        "`group` saves 20.0 % of the parameters and 50.0 % of the multiply-accumulates; `adapter` saves 10.0 % of the "
        "parameters and 25.0 % of the multiply-accumulates; `mask` does not make the model smaller.",
        "`group` and `adapter` compute what the masked model with the same weights does, within a relative error of "
        "2e-07.",
        "mAP50 right after pruning: 0.500 under `mask`, `group` and `adapter`; 0.900 before.",
        "mAP50 after fine-tuning: 0.800 under `mask`, `group` and `adapter`; 0.900 before.",
        "On the machine of this run, `group` was faster than the untouched model (×0.75); `adapter` was slower than "
        "the untouched model (×1.20). Differences up to 10 % are noise.",
    ]


def test_other_records_let_other_things_follow(build: Build, tmp_path: Path) -> None:
    mask, _, group, adapter = four(build)
    step = build.step(scores_pruned=precision(0.4), scores_tuned=precision(0.7))
    wrong = replace(group, steps=(step,), proof=proof(0.3, passed=False), metrics=metrics(800, 2000, 20.5))
    assert sentences(written([mask, wrong], tmp_path / "a"))[1:] == [
        "Only `group` saves 20.0 % of the parameters and 50.0 % of the multiply-accumulates; `mask` does not make the "
        "model smaller.",
        "`group` does not compute what the masked model does: a defect of this tool, please report it.",
        "mAP50 right after pruning: 0.500 under `mask`, 0.400 under `group`; 0.900 before.",
        "mAP50 after fine-tuning: 0.800 under `mask`, 0.700 under `group`; 0.900 before.",
        "On the machine of this run, `group` was as fast as the untouched model (×1.02). Differences up to 10 % are "
        "noise.",
    ]
    row = table((tmp_path / "a" / PAGE).read_text())[1]
    assert row["equals the masked model (largest error)"] == "✗ check 0"
    broken = replace(adapter, steps=(build.broken(failure=build.mismatch("model.3.conv")),), verdict="unsafe")
    assert sentences(written([group, broken], tmp_path / "b"))[0] == "`group` fits; `adapter` breaks in `model.3.conv`."


def test_what_goes_and_stays_beyond_the_plan_is_said(build: Build, tmp_path: Path) -> None:
    mask, _, group, _ = four(build)
    added, returned = ("model.4.cv1.conv[0:2]", "model.3.conv[1:2]"), ("model.1.conv[3:4]", "model.4.cv1.conv[9:10]")
    step = build.step(added=added, returned=returned)
    assert sentences(written([mask, replace(group, steps=(step,))], tmp_path))[1] == (
        "`group` also removes channels of `model.3.conv`, `model.4.cv1.conv`, which are tied to the plan's; it keeps "
        "channels of `model.1.conv` that the plan removes, for symmetry or round widths."
    )


def test_what_belongs_to_one_execution_alone_is_told_beside_it(build: Build, tmp_path: Path) -> None:
    mask, _, group, _ = four(build)
    rounded = replace(group, id="r", round_to=8, extend=False)
    hazards = (build.hazard(), build.hazard(layer="model.3.conv"), build.hazard("regrowth"))
    weights = replace(mask, id="w", mask="weights", hazards=hazards)
    _, second, _, last = table(written([mask, weights, group, rounded], tmp_path))
    assert second["execution"].startswith("`mask` (weights) (")
    assert second["hazards"] == "`phantom-channel`, `regrowth`"
    assert last["execution"].startswith("`group` (widths rounded to 8, not extended) (")


def test_a_layer_that_did_not_fit_and_was_skipped_is_not_counted_as_cut(build: Build, tmp_path: Path) -> None:
    steps = (build.step(), build.broken(1, "model.3.conv", "3.0", status="skipped"))
    plain = {"data": None, "metrics": MetricsRecord(), "on_mismatch": "skip", "steps": steps}
    mask, local = build.record("a", **plain), build.record("b", execution="local", verdict="partial", **plain)
    page = written([mask, local], tmp_path)
    assert [row["fits"] for row in table(page)] == ["✓", "✓"]
    assert [row["kept in the plan's layers"] for row in table(page)] == ["16 of 32", "16 of 32"]
    assert sentences(page) == ["`mask` and `local` fit."]


def test_the_page_is_there_if_there_is_something_to_compare(build: Build, tmp_path: Path) -> None:
    write_reports(four(build)[:1], tmp_path / "one")
    assert not (tmp_path / "one" / PAGE).exists()
    assert PAGE not in (tmp_path / "one" / "index.md").read_text()
    write_reports(four(build), tmp_path / "all")
    assert (
        f"One plan was carried out in several ways. [Side by side]({PAGE})"
        in (tmp_path / "all" / "index.md").read_text()
    )


def test_a_spec_of_the_name_of_the_page_gets_another_one(build: Build, tmp_path: Path) -> None:
    records = four(build, spec="specs/executions.prune.yaml", suite="executions")
    page = written(records, tmp_path)
    (other,) = tmp_path.glob("executions-*.md")
    assert f"]({other.name}#g)" in page


def test_several_steps_that_were_tuned_are_explained(build: Build, tmp_path: Path) -> None:
    words = "*Pruned* is the mAP50 right after the last layer was pruned"
    assert words not in written(four(build), tmp_path / "one")
    steps = tuple(
        build.step(i, f"model.{i}.conv", f"{i}.0", scores_pruned=precision(0.5), scores_tuned=precision(0.8))
        for i in (1, 3)
    )
    assert words in written(four(build, steps=steps), tmp_path / "two")


@pytest.mark.parametrize(
    ("known", "title"),
    [
        ({"layers": "first", "blocks": (1,)}, "First layer of block 1: l1, ratio 0.5"),
        ({"layers": "first", "blocks": (1, 2)}, "First layer of each of blocks 1 and 2: l1, ratio 0.5"),
        ({"layers": "all", "blocks": (3, 4, 5)}, "Every layer of blocks 3 to 5: l1, ratio 0.5"),
        ({"layers": "widest:1", "blocks": (4, 5)}, "Widest layer of each of blocks 4 and 5: l1, ratio 0.5"),
        ({"layers": "widest:2", "blocks": (4,)}, "2 widest layers of block 4: l1, ratio 0.5"),
        ({"layers": "2.0, 4.1", "blocks": None}, "Layers 2.0, 4.1: l1, ratio 0.5"),
        ({"layers": "", "blocks": None, "selected": "2.0 keeps 0-7"}, "Written out: 2.0 keeps 0-7"),
    ],
)
def test_a_plan_has_a_title(build: Build, known: dict[str, Any], title: str) -> None:
    assert plan_title(build.record(**known)) == title
    tuned = build.record(**known, fine_tune="1 epoch")
    assert plan_title(tuned) == f"{title}; fine-tuned 1 epoch"
