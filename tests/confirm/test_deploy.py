"""A good file passes every check, and each way to be wrong fails the checks that are meant for it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from tests.small import SIZE, half_plan, small_digits, stale_digits
from yolo_prune_check.confirm import deploy, onnx_file, standalone
from yolo_prune_check.confirm.check import Check
from yolo_prune_check.confirm.deploy import deploy_checks
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.checkpoint import foreign_names
from yolo_prune_check.prune.copied import copied
from yolo_prune_check.run.checkpoint import save_checkpoint

NAMES = (
    deploy.STOCK,
    deploy.RELOADED,
    deploy.PREDICTS,
    deploy.WIDTHS,
    deploy.FUSED,
    deploy.SPLIT,
    deploy.TRACED,
    onnx_file.VALID,
    onnx_file.EQUAL,
)


def by_name(checks: tuple[Check, ...]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def failed(checks: tuple[Check, ...]) -> set[str]:
    return {check.name for check in checks if check.passed is False}


def test_a_good_file_passes_every_check(tmp_path: Path) -> None:
    model: Any = copied(small_digits())
    model.best_fitness, model.class_weights = np.float64(0.5), torch.tensor([torch.nan])  # as trainers leave them
    save_checkpoint(model, tmp_path / "final.pt", imgsz=SIZE)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    checks = deploy_checks(model, tmp_path / "final.pt", imgsz=SIZE, onnx=True)
    assert tuple(check.name for check in checks) == NAMES
    assert [check.detail for check in checks if not check.passed] == []
    found = by_name(checks)
    assert found[deploy.RELOADED].error == 0
    assert found[deploy.RELOADED].detail == (
        "float32, in a Python without yolo-prune-check, tolerance 1e-06; bit for bit"
    )
    assert 0 < (found[deploy.FUSED].error or 0) < 1e-12
    assert 0 < (found[onnx_file.EQUAL].error or 0) < 5e-5
    assert [path.name for path in tmp_path.iterdir()] == ["final.pt"]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_file_that_says_something_else_of_itself(tmp_path: Path) -> None:
    other: Any = copied(small_digits())
    other.names = {**other.names, 3: "8", 8: "3"}
    save_checkpoint(other, tmp_path / "final.pt", imgsz=SIZE)
    found = by_name(deploy_checks(small_digits(), tmp_path / "final.pt", imgsz=SIZE, onnx=False))
    assert (found[deploy.RELOADED].passed, found[deploy.RELOADED].detail) == (
        False,
        "the network says names[3] = 8, not 3",
    )


def test_stale_widths_are_caught_where_the_forward_pass_is_none_the_wiser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_file, "_MODULES", ("onnx_of_another_world",))
    save_checkpoint(stale_digits(), tmp_path / "final.pt", imgsz=SIZE)
    checks = deploy_checks(stale_digits(), tmp_path / "final.pt", imgsz=SIZE)
    assert failed(checks) == {deploy.WIDTHS, deploy.SPLIT}
    found = by_name(checks)
    assert found[deploy.WIDTHS].detail.startswith("model.2: 2 × c says 32, the weights say 16; model.4: ")
    assert found[deploy.SPLIT].detail.startswith("RuntimeError: split_with_sizes expects split_sizes to sum exactly")
    for name in (onnx_file.VALID, onnx_file.EQUAL):
        assert found[name].passed is None
        assert found[name].detail == "onnx_of_another_world not installed: pip install 'yolo-prune-check[onnx]'"


def test_a_file_that_computes_something_else_by_a_hair(tmp_path: Path) -> None:
    """In one filter of a class branch: next to nothing among boxes in pixels, and in scores near zero."""
    other: Any = copied(small_digits())
    with torch.no_grad():
        other.model[-1].cv3[0][2].weight[3] *= 1.001
    save_checkpoint(other, tmp_path / "final.pt", imgsz=SIZE)
    checks = deploy_checks(small_digits(), tmp_path / "final.pt", imgsz=SIZE, onnx=True)
    assert failed(checks) == {deploy.RELOADED, onnx_file.EQUAL}
    found = by_name(checks)
    assert 1e-5 < (found[deploy.RELOADED].error or 0) < 0.1
    assert found[onnx_file.EQUAL].detail.endswith(f"largest at {onnx_file.SCORES}")


def test_a_file_that_needs_this_package_cannot_be_loaded_without_it(tmp_path: Path) -> None:
    torch.save({"model": small_digits(), "plan": half_plan()}, tmp_path / "final.pt")
    checks = deploy_checks(small_digits(), tmp_path / "final.pt", imgsz=SIZE, onnx=False)
    assert tuple(check.name for check in checks) == NAMES[:-2]
    assert failed(checks) == {deploy.STOCK, deploy.RELOADED, deploy.PREDICTS}
    found = by_name(checks)
    assert found[deploy.STOCK].detail.startswith("it needs yolo_prune_check.channels.plan.Plan, ")
    assert "No module named 'yolo_prune_check" in found[deploy.RELOADED].detail


def test_an_export_that_failed_is_said_with_its_error() -> None:
    checks = onnx_file.onnx_checks(None, "RuntimeError: no such operator", {}, torch.zeros(1), 22)
    assert [(check.passed, check.detail) for check in checks] == [
        (False, "the export failed: RuntimeError: no such operator")
    ] * 2


def test_an_export_that_ultralytics_calls_too_small_is_looked_at_all_the_same(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    value = onnx.helper.make_tensor_value_info
    ends = [value(name, onnx.TensorProto.FLOAT, [1, 3]) for name in ("taken", "given")]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Neg", ["taken"], ["given"])], "g", ends[:1], ends[1:])
    opset = onnx.helper.make_opsetid("", 18)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10), tmp_path / "model.onnx")
    image = torch.rand(1, 3)
    error = "AssertionError: 0.081 MB output model too small (likely corrupt or unsupported ops)"
    checks = onnx_file.onnx_checks(tmp_path / "model.onnx", error, {"output 0": -image}, image, 22)
    assert [check.passed for check in checks] == [True, True]
    assert checks[0].detail.endswith("; Ultralytics writes it, and raises that it is too small")
    checks = onnx_file.onnx_checks(tmp_path / "model.onnx", error, {"output 0": image}, image, 22)
    assert [check.passed for check in checks] == [True, False]


def test_a_file_that_is_not_there_is_the_callers_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.pt: the checkpoint cannot be read"):
        deploy_checks(small_digits(), tmp_path / "gone.pt", imgsz=SIZE)


def test_what_the_untouched_models_file_asks_for_as_well_is_no_mistake_of_the_pruned_one(tmp_path: Path) -> None:
    torch.save({"model": small_digits(), "plan": half_plan()}, tmp_path / "final.pt")
    wanted = foreign_names(tmp_path / "final.pt")
    assert wanted
    row = by_name(deploy_checks(small_digits(), tmp_path / "final.pt", imgsz=SIZE, onnx=False, trusted=wanted))[
        deploy.STOCK
    ]
    assert (row.passed, row.detail) == (None, f"it needs {', '.join(wanted)}, as the untouched model does")
    one_less = deploy_checks(small_digits(), tmp_path / "final.pt", imgsz=SIZE, onnx=False, trusted=wanted[1:])
    assert by_name(one_less)[deploy.STOCK].passed is False


def test_what_uses_the_file_ends_with_the_process_that_asked(tmp_path: Path) -> None:
    """Not after ten minutes, where that one was killed outright."""
    save_checkpoint(small_digits(), tmp_path / "final.pt", imgsz=SIZE)
    torch.save(torch.rand(1, 3, SIZE, SIZE), tmp_path / standalone.IMAGE)
    waiting = (
        "import os, subprocess, sys, time\n"
        f"command = [sys.executable, '-P', {standalone.__file__!r}, 'final.pt', '.', '1', str(os.getpid()), 'onnx']\n"
        "print(subprocess.Popen(command).pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", waiting]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as asked:
        assert asked.stdout is not None
        child = int(asked.stdout.readline())
        asked.kill()
    deadline = time.monotonic() + 20
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _runs(child)
    assert not (tmp_path / standalone.ONNX).exists(), "it came to its end by itself"


def _runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)  # of which nobody has asked how it ended
    except psutil.NoSuchProcess:
        return False
