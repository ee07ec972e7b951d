"""``yolo-prune-check compact``: the file is tried before anybody gets it."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.killed_run import write_scenario
from tests.cli.conftest import CommandLine
from yolo_prune_check.confirm import deploy, onnx_file
from yolo_prune_check.confirm.check import Check
from yolo_prune_check.prune.copied import copied
from yolo_prune_check.run import compact as compact_module

KEPT = Path(".yolo-prune-check/compact/small.pt")
PLAN = ("compact", "yolov8n-digits", "--ratio", "0.5", "--imgsz", "64", "-o", "small.pt")
TUNED = ("compact", "yolov8n-digits", "--ratio", "0.5", "--imgsz", "32", "--data", "few.yaml", "--fine-tune", "1")


@pytest.fixture(autouse=True)
def _without_onnx(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """An export takes long, and one test is enough that needs it."""
    if "export" not in request.node.name:
        monkeypatch.setattr(onnx_file, "_MODULES", ("onnx_of_another_world",))


def left_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def refusing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(compact_module, "deployed", lambda *_, **__: (Check(deploy.RELOADED, False, None, "no answer"),))


def test_the_rows_are_told_and_stand_in_the_sidecar(command_line: CommandLine) -> None:
    ran = command_line(*PLAN)
    assert ran.code == 0
    names = [deploy.STOCK, deploy.RELOADED, deploy.PREDICTS, deploy.WIDTHS, deploy.FUSED, deploy.SPLIT, deploy.TRACED]
    _, _, told = ran.out.partition("The file\n\ncan be used without this package")
    assert [name for name in names if f"\n{name} " in told] == names
    record = json.loads(Path("small.json").read_text(encoding="utf-8"))["record"]
    assert [row["name"] for row in record["deploy"]][:7] == names
    assert all(row["passed"] for row in record["deploy"][:7])
    assert all(row["passed"] for row in record["proof"])
    assert left_in(KEPT) == {".lock"}


def test_a_file_of_somebody_else_beside_it_is_not_overwritten(command_line: CommandLine) -> None:
    """As where the output of ``--json`` goes into it."""
    Path("small.json").write_text('{"my": "notes"}', encoding="utf-8")
    refused = command_line(*PLAN)
    assert refused.code == 2
    assert "--out: small.json is there, and this command has not made it" in refused.err
    assert Path("small.json").read_text(encoding="utf-8") == '{"my": "notes"}'
    assert not Path("small.pt").exists()
    Path("small.json").unlink()
    assert [command_line(*PLAN).code for _ in range(2)] == [0, 0]  # its own it writes again


def test_a_file_that_computes_something_else_is_not_left(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = compact_module.save_checkpoint

    def by_a_hair(model: Any, path: Path, **how: Any) -> None:
        other: Any = copied(model)
        with torch.no_grad():
            other.model[-1].cv3[0][2].weight[3] *= 1.001
        save(other, path, **how)

    monkeypatch.setattr(compact_module, "save_checkpoint", by_a_hair)
    ran = command_line(*PLAN, "--json")
    assert ran.code == 3
    assert ran.json["out"] is None
    assert all(row["passed"] for row in ran.json["proof"])
    assert deploy.RELOADED in [row["name"] for row in ran.json["deploy"] if row["passed"] is False]
    assert f"the file: {deploy.RELOADED}: float32, in a Python without yolo-prune-check" in ran.err
    assert "nothing was written: its file cannot be used, a defect of this tool; please report it" in ran.err
    assert "is kept" not in ran.err
    assert left_in(Path()) == {(KEPT / ".lock").as_posix()}


def test_a_full_disk_at_the_end_leaves_what_was_made(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(compact_module, "deployed", lambda *_, **__: (Check(deploy.RELOADED, True),))
    monkeypatch.setattr(compact_module.shutil, "copyfileobj", full)
    ran = command_line(*PLAN)
    kept = KEPT.absolute() / "unfinished/small.pt"
    assert ran.code == 2
    assert ran.err.endswith(
        "small.pt: the file cannot be written (No space left on device). The small model is kept as "
        f"{kept}; once there is room, the same command goes on from there.\n"
    )
    assert {path.name for path in Path().iterdir()} == {".yolo-prune-check"}
    assert kept.stat().st_size > 1_000_000


@pytest.mark.slow
def test_a_model_that_was_trained_is_not_lost_with_it(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_scenario(Path())
    with monkeypatch.context() as patch:
        refusing(patch)
        refused = command_line(*TUNED, "-o", "small.pt")
    assert refused.code == 3
    assert "the same command goes on from there" in refused.err
    assert not list(Path().glob("small.*"))
    trained = (KEPT / "unfinished/small.pt").read_bytes()
    again = command_line(*TUNED, "-o", "small.pt")
    assert again.code == 0
    assert "fine-tune" not in again.err
    assert Path("small.pt").read_bytes() == trained
    assert left_in(KEPT) == {".lock"}


@pytest.mark.stress
def test_a_trained_model_that_is_damaged_is_trained_anew(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By one bit, which PyTorch would read without a word."""
    write_scenario(Path())
    with monkeypatch.context() as patch:
        refusing(patch)
        command_line(*TUNED, "-o", "small.pt")
    file = KEPT / "unfinished/small.pt"
    trained = file.read_bytes()
    middle = len(trained) // 2
    file.write_bytes(trained[:middle] + bytes([trained[middle] ^ 1]) + trained[middle + 1 :])
    again = command_line(*TUNED, "-o", "small.pt")
    assert again.code == 0
    assert "it is trained anew" in again.err
    assert Path("small.pt").read_bytes() == trained


@pytest.mark.stress
def test_other_arguments_start_anew(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scenario(Path())
    with monkeypatch.context() as patch:
        refusing(patch)
        command_line(*TUNED, "-o", "small.pt")
    other = command_line(*TUNED, "--seed", "1", "-o", "small.pt")
    assert other.code == 0
    assert "goes on" not in other.err
    assert "fine-tune 1 epoch on" in other.err


@pytest.mark.stress
def test_an_export_that_the_untouched_model_lacks_as_well_is_no_failure(command_line: CommandLine) -> None:
    """PyTorch exports no adaptive pooling from maps whose sides are no multiples of what it makes."""
    ran = command_line("compact", "yolov8s-world.yaml", *PLAN[2:], "--json")
    assert ran.code == 0, ran.err
    told = {row["name"]: row for row in ran.json["deploy"]}
    onnx = [row for name, row in told.items() if name.startswith("ONNX")]
    assert onnx
    for row in onnx:
        assert row["passed"] is None
        assert row["detail"].startswith(("it does not hold of the untouched model either: the export failed", "onnx"))
    assert told[deploy.RELOADED]["passed"]
