"""``yolo-prune-check compact``: the small model, proven and saved; and what it refuses to do."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import NoReturn, get_args

import pytest
import torch

from benchmarks.killed_run import write_few
from tests.cli.conftest import CommandLine
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.cli.choosing import Criterion, Scope, warn_of_ranking
from yolo_prune_check.cli.compact_words import symmetry_line
from yolo_prune_check.confirm.check import Check
from yolo_prune_check.data import shipped_model
from yolo_prune_check.model.image_size import image_size
from yolo_prune_check.model.load import load_model
from yolo_prune_check.run import compact as compact_module
from yolo_prune_check.spec import fields

SMALL = ("--imgsz", "64")


def shapes_of(file: Path) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in load_model(file).state_dict().items()}


def steps_of(file: str) -> dict[str, str]:
    plan = json.loads(Path(file).read_text(encoding="utf-8"))["plan"]
    return {step["layer"]: step["keep"] for step in plan["steps"]}


def test_a_share_of_everything_goes_and_the_file_says_how(command_line: CommandLine) -> None:
    ran = command_line(
        "compact", "yolov8n-digits", "--ratio", "0.5", "--round-to", "8", *SMALL, "-o", "small.pt", "--json"
    )
    assert ran.code == 0
    assert "note: the model was trained at 128 px, and is checked, measured and saved at 64 px" in ran.err
    assert (ran.json["imgsz"], ran.json["verdict"]) == (64, "safe")
    assert all(row["passed"] for row in ran.json["proof"])
    counted = {row["name"]: row["detail"] for row in ran.json["proof"][-2:]}
    before, after = ran.json["params"]
    assert counted == {
        "parameters as predicted": f"{after:,}",
        "multiply-accumulates as predicted": f"{ran.json['macs'][1]:,}",
    }
    assert 0.2 < after / before < 0.3
    small = load_model("small.pt")
    assert image_size(small) == 64  # what it takes when it is pruned again
    record = json.loads(Path("small.json").read_text(encoding="utf-8"))["record"]
    assert record["imgsz"] == 64
    assert [row["name"] for row in record["proof"]][-2:] == list(counted)
    assert sum(parameter.numel() for parameter in small.parameters()) == after
    narrowed = [layer for layer, keep in steps_of("small.json").items() if keep]
    assert all(small.get_submodule(layer).out_channels % 8 == 0 for layer in narrowed)
    again = command_line("compact", "yolov8n-digits", "--plan", "small.json", *SMALL, "-o", "again.pt")
    assert again.code == 0
    assert shapes_of(Path("again.pt")) == shapes_of(Path("small.pt"))
    one, other = load_model("small.pt").state_dict(), load_model("again.pt").state_dict()
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_a_plan_that_is_unsafe_writes_nothing_and_says_what_would_be_safe(command_line: CommandLine) -> None:
    Path("plan.yaml").write_text("steps: [{layer: 22.2, keep: 0-7}]\n", encoding="utf-8")
    ran = command_line("compact", "yolov8n-digits", "--plan", "plan.yaml", *SMALL, "-o", "small.pt")
    assert ran.code == 1
    assert "head-output-changed" in ran.out
    assert "nothing was written: the plan is unsafe" in ran.err
    assert [path.name for path in Path().iterdir()] == ["plan.yaml"]


def test_what_was_given_back_is_told(command_line: CommandLine) -> None:
    Path("plan.yaml").write_text("steps: [{layer: 2.0, keep: 0-7}]\n", encoding="utf-8")
    ran = command_line("compact", "yolov8n-digits", "--plan", "plan.yaml", *SMALL, "-o", "small.pt")
    assert ran.code == 0
    said = "kept-for-symmetry in model.2.cv1.conv: 8 of 24 channels that the plan removes there stay for symmetry"
    assert f"warning: {said}\n" in ran.err
    assert "note: what it costs in accuracy was not measured: name a data set with `--data`\n" in ran.err


def test_what_many_layers_were_given_back_is_one_line() -> None:
    graph = ChannelGraph.trace(load_model("yolov8n-digits"), imgsz=64)
    steps = [Step("model.2.cv1.conv", range(8)), Step("model.4.cv1.conv", range(8, 64)), Step("model.1.conv", [0])]
    assert symmetry_line(graph, predict(graph, Plan(steps, "group"))) == [
        "warning: kept-for-symmetry in 2 layers, most in model.2.cv1.conv (8 of 24): "
        "16 of 32 channels that the plan removes there stay for symmetry"
    ]
    assert symmetry_line(graph, predict(graph, Plan(steps[2:], "group"))) == []


@pytest.mark.parametrize(("criterion", "scope"), [("fpgm", "global"), ("fpgm", "group"), ("random", "global")])
def test_a_ranking_that_takes_nearly_all_of_some_layers_is_warned_of(
    criterion: str, scope: str, capsys: pytest.CaptureFixture[str]
) -> None:
    warn_of_ranking(Criterion(criterion), Scope(scope))
    warning = (
        "warning: fpgm ranked over the whole model takes nearly all of some layers: "
        "take --scope group, or taylor with --data\n"
    )
    assert capsys.readouterr().err == (warning if (criterion, scope) == ("fpgm", "global") else "")


def test_a_model_that_is_not_what_was_meant_is_not_written(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*_: object) -> tuple[Check, ...]:
        return tuple(Check("eval", False, error, "first wrong at model.3.conv") for error in (0.5, float("inf")))

    monkeypatch.setattr(compact_module, "prove", wrong)
    ran = command_line("compact", "yolov8n-digits", "--ratio", "0.5", *SMALL, "-o", "small.pt", "--json")
    assert ran.code == 3
    assert [row["error"] for row in ran.json["proof"][1:3]] == [0.5, None]
    assert not list(Path().glob("small.*"))


def test_ctrl_c_is_told(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(compact_module, "prove", interrupt)
    ran = command_line("compact", "yolov8n-digits", "--ratio", "0.5", *SMALL, "-o", "small.pt")
    assert ran.code == 130
    assert "interrupted: the same command goes on after the last whole epoch" in ran.err
    assert not list(Path().glob("small.*"))


def test_a_model_with_other_parameters_than_predicted_is_not_written(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    observe = compact_module.observe
    monkeypatch.setattr(compact_module, "observe", lambda *how: replace(observe(*how), params=1))
    monkeypatch.setattr(compact_module, "prove", lambda *_: ())
    ran = command_line("compact", "yolov8n-digits", "--ratio", "0.5", *SMALL, "-o", "small.pt")
    assert ran.code == 3
    assert re.search(r"^parameters as predicted +NO +– +params: predicted [0-9]+, observed 1$", ran.out, re.MULTILINE)
    assert "not as predicted: params: predicted" in ran.err
    assert not list(Path().glob("small.*"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--ratio", "0.5", "--plan", "plan.yaml", "-o", "x.pt"], "what to remove must be said once"),
        (["-o", "x.pt"], "what to remove must be said once"),
        (["--ratio", "0.5", "--cut-macs", "0.5", "-o", "x.pt"], "what to remove must be said once"),
        (["--ratio", "1.5", "-o", "x.pt"], "must lie between 0 and 1: got 1.5"),
        (["--cut-macs", "0", "-o", "x.pt"], "--cut-macs: the share of MACs to save must lie between 0 and 1: got 0"),
        (["--cut-macs", "0.5", "--criterion", "taylor", "-o", "x.pt"], "this criterion needs data: got 'taylor'"),
        (
            ["--plan", "p.yaml", "--criterion", "taylor", "-o", "x.pt"],
            "--criterion: a plan names the channels that stay, so nothing is chosen: got 'taylor'. "
            "Leave out --criterion, or --plan.",
        ),
        (
            ["--plan", "p.yaml", "--scope", "group", "-o", "x.pt"],
            "--scope: a plan names the channels that stay, so nothing is chosen: got 'group'. "
            "Leave out --scope, or --plan.",
        ),
        (["--ratio", "0.5", "-o", "x.onnx"], "End it in .pt."),
        (["--ratio", "0.5", "-o", "nowhere/x.pt"], "there is no folder for this file"),
        (["--ratio", "0.5", "--fine-tune", "3", "-o", "x.pt"], "training needs data"),
        (["--ratio", "0.5", "--data", "digit", "-o", "x.pt"], "no such data set: got 'digit'"),
        (["--ratio", "0.5", "--data", "none.yaml", "-o", "x.pt"], "the data set has no images for 'val'"),
        (["--ratio", "0.5", "-o", "best.pt"], "the small model would replace the one that it is made from"),
        (["--plan", "plan.json", "-o", "plan.pt"], "the small model's own file would replace the plan"),
        (["--plan", "twice.yaml", "-o", "x.pt"], "model.1.conv is named twice (1.0, model.1.conv)"),
        (["--plan", "typo.yaml", "-o", "x.pt"], "typo.yaml:1:1: unknown key `stps`"),
        (["--ratio", "0.5", "-o", "/proc/x.pt"], "nothing can be written there"),
    ],
)
def test_mistakes_are_told_before_anything_is_done(arguments: list[str], said: str, command_line: CommandLine) -> None:
    shutil.copy(shipped_model("yolov8n-digits"), "best.pt")
    Path("plan.json").write_text(json.dumps({"steps": [{"layer": "1.0", "keep": "0-7"}]}), encoding="utf-8")
    Path("twice.yaml").write_text(
        "steps: [{layer: 1.0, keep: 0-7}, {layer: model.1.conv, keep: 0-3}]\n", encoding="utf-8"
    )
    Path("typo.yaml").write_text("stps: []\n", encoding="utf-8")
    Path("images").mkdir()
    Path("none.yaml").write_text("{train: images, val: images, names: [a]}\n", encoding="utf-8")
    before = {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()}
    ran = command_line("compact", "best.pt", *arguments)
    assert (ran.code, said in ran.err) == (2, True), ran.err
    assert {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()} == before


def test_a_share_of_the_macs_goes(command_line: CommandLine) -> None:
    how = ["--criterion", "fpgm", "--scope", "global"]
    ran = command_line("compact", "yolov8n-digits", "--cut-macs", "0.3", *how, *SMALL, "-o", "small.pt", "--json")
    assert ran.code == 0, ran.err
    before, after = ran.json["macs"]
    assert 0.3 <= 1 - after / before < 0.35
    assert "warning: fpgm ranked over the whole model" in ran.err
    assert {hazard["code"] for hazard in ran.json["hazards"]} == {"kept-for-symmetry", "unaligned-width"}


@pytest.mark.stress
def test_with_data_the_loss_decides_over_the_whole_model(command_line: CommandLine, tmp_path: Path) -> None:
    data = write_few(tmp_path / "set", 8)
    asked = ["--cut-macs", "0.3", "--data", str(data), *SMALL, "--json"]
    ran = command_line("compact", "yolov8n-digits", *asked, "-o", "a.pt")
    assert ran.code == 0, ran.err
    how = ["--criterion", "taylor", "--scope", "global"]
    named = command_line("compact", "yolov8n-digits", *asked, *how, "-o", "b.pt")
    assert Path("a.pt").read_bytes() == Path("b.pt").read_bytes()
    assert ran.json["params"] == named.json["params"]


def test_data_without_training_images_leave_the_choice_to_weights(command_line: CommandLine, tmp_path: Path) -> None:
    data = write_few(tmp_path / "set", 8)
    (tmp_path / "set" / "none").mkdir()
    lines = Path(data).read_text().splitlines()
    Path(data).write_text("\n".join("train: none" if line.startswith("train:") else line for line in lines))
    ran = command_line("compact", "yolov8n-digits", "--ratio", "0.3", "--data", str(data), *SMALL, "-o", "a.pt")
    assert ran.code == 0, ran.err
    assert "note: channels are chosen by gamma, since taylor cannot be used here" in ran.err
    assert "warning: less than half of what it could do is left: mAP50-95 0." in ran.err


def test_criteria_are_those_of_specs() -> None:
    assert {criterion.value for criterion in Criterion} == set(get_args(fields.Criterion))
