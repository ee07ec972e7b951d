"""`--device` of `run` and `compact`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import CommandLine, Ran
from tests.gpus import StandIn, no_gpu
from tests.train.tiny import write_data

SPEC = """\
model: yolov8n.yaml
imgsz: 64
defaults: {{device: {device}}}
scenarios:
  - id: masked
    steps: [{{layer: 1.0, keep: 0-15}}]
  - id: random
    fuzz: {{examples: 1, executions: [mask]}}
"""
COMPACT = ("compact", "yolov8n.yaml", "--ratio", "0.5", "--imgsz", "64", "-o", "small.pt")
HINT = 'Write cpu, the number of a GPU such as 0 (or cuda:0), or several such as "0,1".'


@pytest.fixture
def spec(command_line: CommandLine) -> Path:
    """A spec for the GPU, in the folder of the command line."""
    file = Path("x.prune.yaml")
    file.write_text(SPEC.format(device=0), encoding="utf-8")
    return file


def records(ran: Ran) -> dict[str, Any]:
    events = [json.loads(line) for line in ran.out.splitlines()]
    return {event["record"]["id"]: event["record"] for event in events if "record" in event}


def complaints(ran: Ran) -> list[str]:
    return [line for line in ran.err.splitlines() if line.startswith("yolo-prune-check:")]


@pytest.mark.usefixtures("spec")
@pytest.mark.parametrize("command", [("run", "x.prune.yaml", "--report-dir", "out"), COMPACT], ids=lambda it: it[0])
@pytest.mark.parametrize(
    ("asked", "message"),
    [
        pytest.param("0", "there is no such GPU: got '0'. This machine has cpu alone.", marks=no_gpu),
        pytest.param("cuda:0,1", "there is no such GPU: got '0,1'. This machine has cpu alone.", marks=no_gpu),
        ("gpu", f"not a device: got 'gpu'. {HINT}"),
        ("-1", f"not a device: got '-1'. {HINT}"),
        ("", f"not a device: got ''. {HINT}"),
        ("0,0", "GPU 0 is named twice: got '0,0'. Name each once."),
        ("mps", f"Apple's GPUs are not supported: got 'mps'. {HINT}"),
    ],
)
def test_a_device_that_is_not_there_is_refused_before_anything_runs(
    command: tuple[str, ...], asked: str, message: str, command_line: CommandLine
) -> None:
    before = set(Path().rglob("*"))
    ran = command_line(*command, "--device", asked)
    assert (ran.code, ran.out, ran.err) == (2, "", f"yolo-prune-check: --device: {message}\n")
    assert set(Path().rglob("*")) == before


@no_gpu
def test_a_gpu_that_a_spec_names_and_that_is_not_there(command_line: CommandLine, spec: Path) -> None:
    ran = command_line("run", str(spec), "--json")
    assert ran.code == 2
    assert complaints(ran) == [
        "yolo-prune-check: x.prune.yaml:3:20: device: there is no such GPU: got '0'. This machine has cpu alone."
    ]
    assert {name: record["verdict"] for name, record in records(ran).items()} == {
        "masked": "not-started",
        "random": "safe",  # is carried out on the CPU wherever other scenarios are
    }


def test_the_option_comes_before_the_spec(command_line: CommandLine, spec: Path) -> None:
    ran = command_line("run", str(spec), "--device", "cpu", "--json")
    assert ran.code == 0
    record = records(ran)["masked"]
    assert record["device"] == "cpu"
    assert record["rerun"].endswith(' "x.prune.yaml::masked" --prune-device cpu')


def test_the_option_moves_no_random_plans(
    command_line: CommandLine, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec.write_text(SPEC.format(device="cpu"), encoding="utf-8")
    StandIn(monkeypatch, "H200", "H200")
    ran = command_line("run", str(spec), "--device", "0,1", "--json")
    assert ran.code == 0
    assert {name: record["device"] for name, record in records(ran).items()} == {"masked": "0,1", "random": "cpu"}


def test_a_small_model_is_trained_measured_and_timed_there(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_data(Path("data"))
    gpus = StandIn(monkeypatch, "H200", "H200")
    asked = ("--data", "data/tiny.yaml", "--fine-tune", "1", "--device", "1", "--json")
    ran = command_line(*COMPACT, *asked)
    assert ran.code == 0
    assert gpus.trained == ["1"]
    assert gpus.moved == ["cuda:1"] * (3 + 2)  # mAP of three models, latency of two
    assert all(row["passed"] is not False for row in ran.json["proof"])
    assert len(ran.json["metrics"]) == 3


def test_a_batch_that_devices_cannot_share_is_refused_before_the_proof(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_data(Path("data"))
    gpus = StandIn(monkeypatch, "H200", "H200", "H200")
    ran = command_line(*COMPACT, "--data", "data/tiny.yaml", "--fine-tune", "1", "--device", "0,1,2")
    assert ran.code == 2
    assert "3 devices cannot share a batch equally: got 32" in ran.err
    assert gpus.moved == []
    assert not list(Path().glob("small.*"))
