from __future__ import annotations

from pathlib import Path

import pytest
from torch import nn

from tests.cli.conftest import CommandLine
from tests.fuzz.wrong import make_silu_wrong
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import EXECUTIONS, Plan
from yolo_prune_check.channels.prediction import Prediction
from yolo_prune_check.cli import fuzz as command
from yolo_prune_check.cli.interrupted import TriedSoFar
from yolo_prune_check.confirm.compare import Confirmation
from yolo_prune_check.confirm.confirm import confirm
from yolo_prune_check.spec import load_spec

FAST = ("fuzz", "yolov8n-digits", "--imgsz", "32")


def test_confirmed_plans_end_in_a_table_and_exit_code_0(command_line: CommandLine, tmp_path: Path) -> None:
    ran = command_line(*FAST, "--examples", "8", "--blocks", "1-2,4", "--execution", "mask", "--execution", "local")
    assert ran.code == 0
    assert "Random plans on 11 layers, seed 0, up to 5 steps" in ran.out
    assert "unsafe: breaks    unsafe: runs and wrong    as predicted" in ran.out
    assert "The smallest unsafe plan found\n\nexecution " in ran.out
    assert ran.out.endswith("8 of 8 random plans went as predicted\n")
    assert "random plans: 8 of 8, done in" in ran.err
    assert not list(tmp_path.iterdir())


def test_the_same_seed_gives_the_same_table_in_whichever_order_executions_are_named(
    command_line: CommandLine,
) -> None:
    arguments = (*FAST, "--predict-only", "--examples", "40")
    one = command_line(*arguments, "--seed", "5", "--execution", "mask", "--execution", "local")
    assert command_line(*arguments, "--seed", "5", "--execution", "local", "--execution", "mask").out == one.out
    assert command_line(*arguments, "--seed", "6", "--execution", "local", "--execution", "mask").out != one.out


def test_predict_only_counts_predictions_and_carries_nothing_out(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yolo_prune_check.fuzz.trial.confirm", None)
    ran = command_line(*FAST, "--predict-only", "--execution", "local", "--examples", "30", "--json")
    assert ran.code == 0
    (row,) = ran.json["rows"]
    assert (row["execution"], row["tried"], row["agreed"]) == ("local", 30, None)
    assert row["safe"] + row["breaks"] + row["wrong"] == 30
    assert ran.json["agreed"] is None


def test_ctrl_c_says_whether_the_plans_tried_went_as_predicted(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[Plan] = []

    def confirmed(model: nn.Module, plan: Plan, prediction: Prediction, *, graph: ChannelGraph) -> Confirmation:
        tries.append(plan)
        if len(tries) in (4, 5):
            raise KeyboardInterrupt
        return confirm(model, plan, prediction, graph=graph)

    monkeypatch.setattr("yolo_prune_check.fuzz.trial.confirm", confirmed)
    ran = command_line(*FAST, "--examples", "8", "--execution", "local")
    assert (ran.code, ran.out) == (130, "")
    assert ran.err.splitlines()[-1] == "interrupted after 3 of 8 plans, all 3 as predicted"
    ran = command_line(*FAST, "--examples", "8", "--execution", "local")
    assert ran.err.splitlines()[-1] == "interrupted before the first plan was tried"


@pytest.mark.parametrize(
    ("agrees", "says"),
    [
        ((True, True), "interrupted after 2 of 9 plans, all 2 as predicted"),
        ((None,), "interrupted after 1 of 9 plans, all only predicted"),
        (
            (True, False),
            "interrupted after 2 of 9 plans, 1 not as predicted: a defect of this tool; "
            "run it again with the same seed to have the plan written down",
        ),
    ],
)
def test_what_is_said_of_plans_tried_until_ctrl_c(agrees: tuple[bool | None, ...], says: str) -> None:
    tried = TriedSoFar()
    for each in agrees:
        tried.add(each, of=9)
    assert tried.interrupted() == says


def test_max_steps_and_layers_bound_the_plans(command_line: CommandLine) -> None:
    ran = command_line(
        *FAST, "--predict-only", "--layers", "2.0,model.4.cv1.conv", "--max-steps", "1", "--examples", "60", "--json"
    )
    answer = ran.json
    assert (answer["layers"], answer["max_steps"]) == (2, 1)
    (step,) = answer["smallest_unsafe"]["steps"]
    assert step["layer"] in ("model.2.cv1.conv", "model.4.cv1.conv")
    assert step["channels"] - step["kept"] == 1
    assert step["keep"] == f"1-{step['channels'] - 1}"


def test_a_wrong_rule_is_caught_shrunk_and_written_as_a_spec_that_shows_it_again(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    arguments = ("fuzz", "yolov8n-digits", "--imgsz", "96", "--execution", "mask", "--out", "found/it.prune.yaml")
    with monkeypatch.context() as patched:
        make_silu_wrong(patched)
        ran = command_line(*arguments)
        assert ran.code == 3
        assert "The plan whose prediction was refuted, shrunk\n\nexecution mask: weights\n" in ran.out
        assert "a prediction was refuted: a defect of this tool, please report it with found/it.prune.yaml" in ran.err
        spec = tmp_path / "found/it.prune.yaml"
        (scenario,) = load_spec(spec).scenarios
        assert scenario.steps is not None
        assert [len(step.keep) for step in scenario.steps] == [0]
        assert (scenario.model, scenario.imgsz, scenario.mask) == ("yolov8n-digits", 96, "weights")
        text = spec.read_text(encoding="utf-8")
        again = command_line("run", "found/it.prune.yaml")
        assert again.code == 3
        assert "a prediction was refuted" in again.out
        assert command_line(*arguments, "--json").json["counterexample"]["spec"] == text
    from yolo_prune_check.run.baseline import _load

    _load.cache_clear()  # it knows the graph that was traced under the wrong rule
    assert command_line("run", "found/it.prune.yaml").code == 0


@pytest.mark.parametrize("execution", ["group", "adapter"])
def test_plans_that_change_shapes_are_carried_out(command_line: CommandLine, execution: str) -> None:
    ran = command_line(*FAST, "--execution", execution, "--examples", "2")
    assert ran.code == 0, ran.err
    assert "2 of 2 random plans went as predicted" in ran.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--blocks", "99"), "unknown block: got 99. The model has blocks 0 to 22."),
        (("--blocks", "3-x"), "--blocks: not a list of numbers: got '3-x'. Write numbers and ranges such as 1-5,8."),
        (
            ("--blocks", "5-1"),
            "--blocks: the range 5-1 runs backwards: got '5-1'. Write numbers and ranges such as 1-5,8.",
        ),
        (("--blocks", "1-999999999"), "--blocks: no model has so many: got '1-999999999'."),
        (("--layers", "2.9"), "block 2 has 4 Conv2d (2.0, 2.1, 2.2, 2.3): got '2.9'."),
        (
            ("--layers", "2.0", "--blocks", "2"),
            "`--blocks` and `--layers` both say what to prune. Give one of them.",
        ),
        (("--out", "it.yaml"), "--out: a spec's name ends otherwise: got 'it.yaml'. End it in .prune.yaml."),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input(arguments: tuple[str, ...], message: str, command_line: CommandLine) -> None:
    ran = command_line(*FAST, *arguments)
    assert (ran.code, ran.out, ran.err) == (2, "", f"yolo-prune-check: {message}\n")


@pytest.mark.parametrize("arguments", [("--examples", "0"), ("--seed", "-1"), ("--max-steps", "0"), ("--imgsz", "33")])
def test_wrong_numbers_are_wrong_usage(arguments: tuple[str, ...], command_line: CommandLine) -> None:
    ran = command_line("fuzz", "yolov8n-digits", *arguments)
    assert ran.code == 2
    assert "Usage: yolo-prune-check fuzz" in ran.err


def test_the_executions_are_all_there_are() -> None:
    assert tuple(command._Execution) == EXECUTIONS
