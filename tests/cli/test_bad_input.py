"""Every mistake of a user: one message, exit code 2, nothing half-written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.bad_input import CASES, SPEC, BadInput
from tests.cli.conftest import CommandLine


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_run_refuses_it_with_one_message(case: BadInput, command_line: CommandLine, tmp_path: Path) -> None:
    case.write(tmp_path)
    ran = command_line("run", "bad.prune.yaml", "--report-dir", "out")
    assert ran.code == 2
    assert [line for line in ran.err.splitlines() if line.startswith("yolo-prune-check:")] == [
        f"yolo-prune-check: {case.message_at('')}"
    ]
    assert "Traceback" not in ran.err
    if case.known in ("name", "scenario"):
        assert "1 scenario: 1 could not be started (bad input);" in ran.out
        assert "could not be started" in (tmp_path / "out/index.md").read_text("utf-8")
    else:
        assert not ran.out
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.known in ("spec", "data", "name")], ids=lambda case: case.name
)
def test_validate_refuses_it_with_the_same_message(case: BadInput, command_line: CommandLine, tmp_path: Path) -> None:
    case.write(tmp_path)
    ran = command_line("validate", "bad.prune.yaml")
    assert (ran.code, ran.err) == (2, f"yolo-prune-check: {case.message_at('')}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "gone.prune.yaml"), "gone.prune.yaml: no such file. A spec is named like NAME.prune.yaml."),
        (("validate", "."), ".: no *.prune.yaml below this folder. Name a spec or its folder."),
        (("report", "gone", "-o", "out"), "gone: no such folder of records. Run a scenario first."),
        (
            ("predict", "yolov8n.yaml", "--step", "2.0"),
            "--step: not a step: got '2.0'. "
            "Write LAYER=CHANNELS such as 2.0=0-15,20, or LAYER=CRITERION:RATIO such as 2.0=l1:0.5.",
        ),
        (
            ("predict", "yolov8n.yaml", "--step", "2.0="),
            "--step: no channel is kept: got '2.0='. At least one must stay. "
            "Write LAYER=CHANNELS such as 2.0=0-15,20, or LAYER=CRITERION:RATIO such as 2.0=l1:0.5.",
        ),
        (
            ("predict", "yolov8n.yaml", "--step", "2.0=0:16"),
            "--step: channels are written 0-15, both ends included: got '2.0=0:16'. Not 0:16. "
            "Write LAYER=CHANNELS such as 2.0=0-15,20, or LAYER=CRITERION:RATIO such as 2.0=l1:0.5.",
        ),
        (
            ("predict", "yolov8n.yaml", "--step", "2.0=l1:1"),
            "--step: the ratio of channels to remove must lie between 0 and 1: got '2.0=l1:1'.",
        ),
        (
            ("predict", "yolov8n.yaml", "--step", "2.0=best:0.5"),
            "--step: unknown criterion: got '2.0=best:0.5'. Known: l1, l2, gamma, fpgm, random.",
        ),
        (
            ("predict", "yolov8n.yaml", "--step", "2.0=gama:0.5"),
            "--step: unknown criterion: got '2.0=gama:0.5'. Did you mean `gamma`? Known: l1, l2, gamma, fpgm, random.",
        ),
        (
            ("predict", "yolov8n.yaml", "--step", "2.0=taylor:0.5"),
            "--step: taylor looks at images, and there are none here: got '2.0=taylor:0.5'. Use one of l1, l2, gamma, "
            "fpgm, random, which need none; `run` chooses by taylor, in a spec with `data`.",
        ),
        (
            ("predict", "yolov8n.yaml", "--step", "2.0=9-3"),
            "--step: the range 9-3 runs backwards: got '2.0=9-3'. "
            "Write LAYER=CHANNELS such as 2.0=0-15,20, or LAYER=CRITERION:RATIO such as 2.0=l1:0.5.",
        ),
        (
            ("predict", "yolov8n.yaml", "--step", "2.9=0-3"),
            "block 2 has 4 Conv2d (2.0, 2.1, 2.2, 2.3): got '2.9'.",
        ),
        (
            ("predict", "yolov8n.yaml", "--step", "1.0=0-32"),
            "model.1.conv: channel out of range: got 32. The layer has channels 0 to 31.",
        ),
        (
            ("predict", "yolov8n.yaml", "--step", "2.0=0-15", "--step", "1.0=0-7", "--step", "model.2.cv1.conv=0-7"),
            "--step: model.2.cv1.conv is named twice (2.0=0-15, model.2.cv1.conv=0-7). Make one step of the two.",
        ),
        (
            ("predict", "yolov8n.yaml", "--step", "2.0=0-7", "--step", "2.0=l1:0.5"),
            "--step: model.2.cv1.conv is named twice (2.0=0-7, 2.0=l1:0.5). Make one step of the two.",
        ),
        (
            ("inspect", "gone.pt"),
            "no such checkpoint: got 'gone.pt'. Checkpoints are not downloaded.",
        ),
    ],
    ids=lambda value: "-".join(value[:3]) if isinstance(value, tuple) else "",
)
def test_other_bad_input(arguments: tuple[str, ...], message: str, command_line: CommandLine) -> None:
    ran = command_line(*arguments)
    assert (ran.code, ran.out, ran.err) == (2, "", f"yolo-prune-check: {message}\n")


@pytest.mark.parametrize(
    "arguments",
    [("run",), ("nonsense",), ("inspect", "yolov8n.yaml", "--imgsz", "small"), ("predict", "yolov8n.yaml")],
    ids=lambda arguments: arguments[0],
)
def test_wrong_usage_exits_with_2(arguments: tuple[str, ...], command_line: CommandLine) -> None:
    ran = command_line(*arguments)
    assert ran.code == 2
    assert "Usage: yolo-prune-check" in ran.err


@pytest.mark.parametrize(
    ("arguments", "option", "message"),
    [
        (
            ("compact", "yolov8n.yaml", "--ratio", "0.5", "-o", "x.pt", "--criterion", "tailor"),
            "--criterion",
            "got 'tailor'. Did you mean `taylor`? Known: taylor, separability, l1, l2, gamma, fpgm, mean-activation, "
            "apoz, random.",
        ),
        (
            ("compact", "yolov8n.yaml", "--ratio", "0.5", "-o", "x.pt", "--criterion", "l3"),
            "--criterion",
            "got 'l3'. Did you mean `l1` or `l2`? Known: taylor, separability, l1, l2, gamma, fpgm, mean-activation, "
            "apoz, random.",
        ),
        (("run", ".", "--backend", "abacus"), "--backend", "got 'abacus'. Known: local, dask, ray."),
        (
            ("predict", "yolov8n.yaml", "--step", "2.0=0-3", "--execution", "Group"),
            "--execution",
            "got 'Group'. Did you mean `group`? Known: mask, local, group, adapter.",
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_mistyped_choice_is_told_with_the_nearest(
    arguments: tuple[str, ...], option: str, message: str, command_line: CommandLine
) -> None:
    ran = command_line(*arguments)
    assert (ran.code, ran.out) == (2, "")
    said = " ".join(word for word in ran.err.split() if word != "│")
    assert f"Invalid value for '{option}': {message}" in said


@pytest.mark.parametrize("size", ["-64", "0", "33", "1312", "9999999"])
@pytest.mark.parametrize("command", [("inspect", "yolov8n.yaml"), ("predict", "yolov8n.yaml", "--step", "1.0=0-3")])
def test_an_image_size_that_no_spec_may_have_is_wrong_usage(
    command: tuple[str, ...], size: str, command_line: CommandLine
) -> None:
    ran = command_line(*command, "--imgsz", size)
    assert (ran.code, ran.out) == (2, "")
    assert "Usage: yolo-prune-check" in ran.err
    assert f"{size} is not a multiple of 32 from 32 to 1280" in ran.err


def test_channels_beyond_any_layer_are_refused_unwritten(command_line: CommandLine) -> None:
    ran = command_line("predict", "yolov8n.yaml", "--step", "1.0=0-99999999999")
    assert ran.code == 2
    assert ran.err.startswith("yolo-prune-check: --step: no layer has a channel 99999999999: got '1.0=0-99999999999'.")


@pytest.mark.parametrize("out", ["some-file", "some-file/below", "folder"])
@pytest.mark.parametrize("command", [("run", "good.prune.yaml", "--report-dir"), ("report", "records", "-o")])
def test_a_report_folder_that_cannot_be_is_told_at_the_start(
    command: tuple[str, ...], out: str, command_line: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "good.prune.yaml").write_text(SPEC, encoding="utf-8")
    (tmp_path / "some-file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/records").touch()
    ran = command_line(*command, out)
    hint = "Name a folder that can be written to; it is made if it is not there."
    message = f"yolo-prune-check: {out}: cannot write reports there (Not a directory). {hint}\n"
    assert (ran.code, ran.out, ran.err) == (2, "", message)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder in which nobody can write, not even root")
def test_an_unwritable_place_is_told_at_the_start(command_line: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "good.prune.yaml").write_text(SPEC, encoding="utf-8")
    ran = command_line("run", "good.prune.yaml", "--report-dir", "/proc/reports")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("yolo-prune-check: /proc/reports: cannot write reports there (")
