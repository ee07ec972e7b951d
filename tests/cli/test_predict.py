from __future__ import annotations

import pytest

from tests.cli.conftest import CommandLine
from yolo_prune_check.cli.output import WIDTH
from yolo_prune_check.cli.steps import Wanted, parse_step

MESSAGE = (
    "Given groups=1, weight of size [32, 32, 1, 1], expected input[1, 16, 16, 16] to have 32 channels, "
    "but got 16 channels instead"
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2.0=0-2,9", Wanted("2.0", keep=(0, 1, 2, 9))),
        ("2.10 = 4", Wanted("2.10", keep=(4,))),
        ("model.2.cv1.conv=gamma:0.25", Wanted("model.2.cv1.conv", criterion="gamma", ratio=0.25)),
    ],
)
def test_steps_are_read(text: str, wanted: Wanted) -> None:
    assert parse_step(text) == wanted


def test_an_unsafe_plan_is_told_with_pytorchs_words_and_exit_code_1(command_line: CommandLine) -> None:
    ran = command_line("predict", "yolov8n.yaml", "--step", "1.0=0-15", "--execution", "local", "--imgsz", "64")
    assert ran.code == 1
    assert "verdict: unsafe, execution local" in ran.out
    assert "breaks in model.2.cv1.conv (direct): expected 32, got 16" in ran.out
    assert MESSAGE in " ".join(ran.out.split())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--round-to", "8"), "--round-to: says nothing to execution mask. Leave it out, or use --execution group."),
        (("--no-extend",), "--no-extend: says nothing to execution mask"),
        (("--mask", "weights", "--execution", "group"), "--mask: says nothing to execution group"),
    ],
)
def test_options_that_say_nothing_are_refused(given: tuple[str, ...], said: str, command_line: CommandLine) -> None:
    ran = command_line("predict", "yolov8n.yaml", "--step", "2.0=0-15", *given)
    assert ran.code == 2
    assert said in ran.err


def test_a_safe_plan_exits_with_0(command_line: CommandLine) -> None:
    ran = command_line("predict", "yolov8n.yaml", "--step", "1.0=l1:0.5", "--step", "2.0=random:0.25", "--seed", "3")
    assert ran.code == 0
    assert "verdict: safe, execution mask" in ran.out
    assert "multiply-accumulates at 640 px: 4,373,213,792 before" in ran.out  # as Ultralytics counts it: 8.7 GFLOPs
    same = "parameters: 3,157,200 before, 3,157,200 after"
    assert same in ran.out
    assert "a mask keeps every weight, so nothing is saved: `--execution group` removes the channels" in ran.out


def test_json_holds_plan_and_prediction(command_line: CommandLine) -> None:
    ran = command_line(
        "predict", "yolov8n.yaml", "--step", "1.0=0-15", "--execution", "local", "--imgsz", "64", "--json"
    )
    assert ran.code == 1
    answer = ran.json
    assert answer["imgsz"] == 64
    assert answer["plan"]["steps"] == [{"layer": "model.1.conv", "keep": list(range(16)), "scores": None}]
    assert answer["prediction"]["failure"]["message"] == MESSAGE
    assert answer["prediction"]["verdict"] == "unsafe"


def test_a_group_plan_says_what_goes_with_it_and_what_stays(command_line: CommandLine) -> None:
    ran = command_line("predict", "yolov8n.yaml", "--step", "4.0=0-15,32-47", "--execution", "group")
    assert ran.code == 0
    tied = "model.4.m.0.cv2.conv[16:32], model.4.m.1.cv2.conv[16:32]"
    assert f"\nalso goes, being tied to these: {tied}\n" in ran.out
    assert "nothing is saved" not in ran.out
    ran = command_line("predict", "yolov8n.yaml", "--step", "4.0=0-15,32-63", "--execution", "group")
    assert ran.code == 1
    assert "all 16 channels that the plan names are kept for symmetry" in ran.out
    assert (
        "\nmodel.4.cv1.conv: asked: 16; go: 0; 16 are kept for symmetry\n"
        "remove equally many from model.4.cv1.conv[0:32] and [32:64] (chunk in model.4)\n"
    ) in ran.out
    assert "also goes" not in ran.out


def test_a_group_plan_with_many_pieces_is_told_in_short_lines(command_line: CommandLine) -> None:
    ran = command_line("predict", "yolov8n-digits", "--step", "4.0=gamma:0.3", "--execution", "group")
    assert ran.code == 0
    assert "\nmodel.4.cv1.conv: asked: 19; go: 2; 17 are kept for symmetry\n" in ran.out
    (besides,) = [line for line in ran.out.splitlines() if line.startswith("also goes")]
    assert besides == "also goes, being tied to these: model.4.m.0.cv2.conv[26:27], model.4.m.1.cv2.conv[26:27]"
    assert max(map(len, ran.out.splitlines())) <= 120


QKV = "model.10.m.0.attn.qkv"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ("yolo11m.yaml", "--step", f"{QKV}=20-511", "--execution", "group"),
            f"remove equally many from {QKV}.conv[0:32] and [128:160] and … and [384:416] (split_with_sizes in "
            "model.10.m.0.attn); as a whole may go a head, with 64 of model.10.cv1.conv[256:512] and 64 of "
            "model.10.cv1.conv[0:256] ",
        ),
        (
            ("yolo12n.yaml", "--step", "model.6.m.0.0.attn.qkv=20-191", "--execution", "group"),
            "remove whole heads of model.6.m.0.0.attn.qkv.conv[0:96], [96:192] (view in model.6.m.0.0.attn) ",
        ),
        (("yolov8n.yaml", "--step", "4.0=0-31", "--execution", "local"), "PyTorch will say: "),
        (("yolov8n.yaml", "--step", "15.3=0-31", "--step", "12.1=0-3", "--step", "6.4=0-3"), "verdict: safe"),
    ],
)
def test_lines_fit_and_say_what_evens_a_plan(arguments: tuple[str, ...], says: str, command_line: CommandLine) -> None:
    out = command_line("predict", *arguments).out
    assert max(map(len, out.splitlines())) <= WIDTH
    assert says in " ".join(out.split())


def test_a_whole_head_goes_with_what_is_named_beside_it(command_line: CommandLine) -> None:
    with_it = "model.10.cv1=64-255,320-511"
    ran = command_line("predict", "yolo11m.yaml", "--step", f"{QKV}=128-511", "--step", with_it, "--execution", "group")
    assert ran.code == 0
    assert "kept for symmetry" not in ran.out


def test_no_more_channels_are_kept_than_were_named(command_line: CommandLine) -> None:
    ran = command_line("predict", "yolov10n.yaml", "--step", "10.0=0-31", "--execution", "group")
    assert "no-op in model.10.cv1.conv: all 224 channels that the plan names are kept for symmetry" in ran.out


def test_rows_that_the_plan_keeps_equal_are_not_named(command_line: CommandLine) -> None:
    """One channel of each half of the split goes; as many values of the attention would have to."""
    out = command_line("predict", "yolo11n.yaml", "--step", "10.0=1-127,129-255", "--execution", "group").out
    advice = [line for line in " ".join(out.split()).split("remove ") if line.startswith("equally many")]
    assert len(advice) == 1
    assert "model.10.m.0.attn.qkv.conv[64:128], [192:256] and model.10.cv1.conv[128:256] (view, reshape in" in advice[0]
