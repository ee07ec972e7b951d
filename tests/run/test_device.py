"""Scenarios with `device`: what is computed there, what is not, and what is refused."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.gpus import StandIn, no_gpu
from tests.train.tiny import Recorder, write_data
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.load import load_model
from yolo_prune_check.run import engine, final, run
from yolo_prune_check.run import step as step_module
from yolo_prune_check.run.content import content_key
from yolo_prune_check.run.events import ScenarioFinished, StepStarted
from yolo_prune_check.run.record import Record
from yolo_prune_check.spec import Scenario, load_spec

SPEC = """\
model: yolov8n.yaml
data: data/tiny.yaml
imgsz: 32
scenarios:
  - id: x
    steps: [{layer: 1.0, keep: 0-15}, {layer: 2.0, keep: '0-7,16-23'}]
    execution: group
    fine_tune: {epochs: 1, batch: 4, lr: 0.001, workers: 0}
"""


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path / "data")


def scenario_of(add: str = "", *, text: str = SPEC) -> Scenario:
    Path("x.prune.yaml").write_text(text + (f"    {add}\n" if add else ""), encoding="utf-8")
    (scenario,) = load_spec("x.prune.yaml").scenarios
    return scenario


def finished(scenario: Scenario, **how: Any) -> ScenarioFinished:
    *_, last = run(scenario, **how)
    assert isinstance(last, ScenarioFinished)
    return last


def outcome(record: Record) -> dict[str, Any]:
    """What came of a scenario, without what is measured by the clock, and without where."""
    told = asdict(record)
    assert told.pop("device") in ("cpu", "1")
    assert told["metrics"].pop("latency") is not None
    return told


def test_training_map_and_latency_are_of_the_device_and_all_else_is_as_on_the_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(final, "deployed", lambda *_, **__: ())  # long, and no business of devices
    on_cpu = finished(scenario_of(), rerun=True).record
    gpus = StandIn(monkeypatch, "H200", "T4")
    record = finished(scenario_of("device: 1"), rerun=True).record
    assert gpus.trained == ["1", "1"]
    # mAP of the untouched model, and of each step before and after its training; latency of two models.
    assert gpus.moved == ["cuda:1"] * (1 + 2 * 2 + 2)
    assert record.device == "1"
    assert on_cpu.device == "cpu"
    assert outcome(record) == outcome(on_cpu)


def test_several_gpus_train_together_and_the_first_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus = StandIn(monkeypatch, "H200", "T4")
    asked: list[Any] = []
    train = step_module.fine_tune

    def alone(*model: Any, devices: Any, **more: Any) -> Any:
        asked.append(devices)
        return train(*model, **more)

    monkeypatch.setattr(step_module, "fine_tune", alone)
    masked = scenario_of("device: [1, 0]", text=SPEC.replace("group", "mask"))
    assert finished(masked, rerun=True).record.device == "1,0"
    assert asked == [(1, 0), (1, 0)]
    assert set(gpus.moved) == {"cuda:1"}


@no_gpu
@pytest.mark.parametrize("written", ["0", "cuda:0", "[0, 1]"])
def test_a_gpu_that_is_not_there_is_refused_before_anything_runs(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    monkeypatch.setattr(engine, "load_baseline", lambda *_, **__: pytest.fail("a model was loaded"))
    asked = "0,1" if "1" in written else "0"
    with pytest.raises(UserError) as caught:
        list(run(scenario_of(f"device: {written}")))
    assert str(caught.value) == (
        f"x.prune.yaml:9:13: device: there is no such GPU: got '{asked}'. This machine has cpu alone."
    )


@no_gpu
def test_predictions_alone_need_no_gpu() -> None:
    record = finished(scenario_of("device: 0"), predict_only=True).record
    assert (record.verdict, record.device) == ("safe", "0")


def test_mixed_precision_on_the_cpu_is_refused_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "load_baseline", lambda *_, **__: pytest.fail("a model was loaded"))
    mixed = SPEC.replace("lr: 0.001", "amp: true")
    with pytest.raises(UserError) as caught:
        list(run(scenario_of(text=mixed)))
    assert str(caught.value) == (
        "x.prune.yaml:8:16: mixed precision is for GPUs only: got 'cpu'. Leave out `fine_tune.amp` or `--amp`, or "
        "name a GPU: `device: 0` in a spec, --device, pytest's --prune-device or devices=[0] in fine_tune."
    )


def test_a_batch_that_devices_cannot_share_is_refused_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    StandIn(monkeypatch, "H200", "H200", "H200")
    monkeypatch.setattr(engine, "load_baseline", lambda *_, **__: pytest.fail("a model was loaded"))
    with pytest.raises(UserError, match=r"^x\.prune\.yaml:8:16: 3 devices cannot share a batch equally: got 4\."):
        list(run(scenario_of("device: [0, 1, 2]")))


def test_what_is_kept_is_of_one_device_and_one_kind_of_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus = StandIn(monkeypatch, "H200", "H200")

    def key(add: str) -> str:
        return content_key(scenario_of(add), predict_only=False)

    first = key("device: 0")
    assert key("device: cuda:0") == first
    assert key("device: cpu") == key("")
    assert len({first, key("device: 1"), key("device: [0, 1]"), key("")}) == 4
    on_cpu = key("")
    gpus.names = ("T4", "H200")
    assert key("device: 0") != first
    assert key("") == on_cpu


@pytest.mark.stress
def test_an_interrupted_run_goes_on_on_its_device_and_starts_anew_on_another(monkeypatch: pytest.MonkeyPatch) -> None:
    StandIn(monkeypatch, "H200")
    masked = SPEC.replace("group", "mask")

    def interrupt(device: str) -> None:
        for event in run(scenario_of(f"device: {device}", text=masked)):
            if isinstance(event, StepStarted) and event.index == 1:
                return

    def lines(device: str) -> list[str]:
        shown = Recorder()
        finished(scenario_of(f"device: {device}", text=masked), progress=shown)
        return [line for line in shown.lines if "goes on after step" in line]

    interrupt("0")
    assert lines("cpu") == []
    interrupt("0")
    assert lines("0") == ["    goes on after step 1 of 2, where it was interrupted"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu() -> None:
    record = finished(scenario_of("device: 0"), rerun=True).record
    assert (record.verdict, record.agrees) == ("safe", True)
    assert record.metrics.latency is not None
    assert record.metrics.latency.device == "cuda:0"
    assert record.metrics.scores_after is not None
    assert record.checkpoint is not None
    assert {value.device.type for value in load_model(record.checkpoint).state_dict().values()} == {"cpu"}
