"""``yolo-prune-check suggest``: a spec that holds on images that did not decide, or none."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine
from tests.cli.test_sensitivity import counted
from tests.train.tasks import write_classifier
from tests.train.tiny import write_data
from yolo_prune_check.run import measured as measured_module
from yolo_prune_check.run import suggest as suggest_module
from yolo_prune_check.run.suggested_spec import HEAD, remove_own
from yolo_prune_check.scores import Accuracy
from yolo_prune_check.spec import load_spec

COMMAND = ("suggest", "cls.pt", "--data", "squares", "--imgsz", "32", "--ratios", "0.75")
OUT = Path("suggestion-report")
FILES = ("suggestion.prune.yaml", "suggestion.plan.yaml", "suggestion.md")


def test_it_finds_a_cut_that_holds_and_the_commands_of_its_page_do_what_they_say(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suggest_module, "TRIES", 3)
    write_classifier(Path())
    spec, plan, _ = files = [Path("made") / name for name in FILES]
    spec.parent.mkdir()
    left = Path("made/.suggestion.md.abcd1234.tmp")  # by a process that was killed while it wrote
    left.touch()
    ran = command_line(*COMMAND, "--max-accuracy-drop", "0.30000001", "-o", str(spec.parent.absolute()))
    assert ran.code == 0, ran.err
    assert ": it held." in ran.out.replace("\n", " ")
    assert "images tell little of that: name more val images" in ran.out.replace("\n", " ")
    first = [path.read_bytes() for path in files]
    (scenario,) = load_spec(spec).scenarios
    assert scenario.expect.max_accuracy_drop == 0.30000001
    assert scenario.expect.min_macs_cut is not None
    assert scenario.expect.min_macs_cut > 0.2
    assert scenario.val_part == "2/2"
    text, page = first[0].decode(), first[2].decode()
    again, check, make = re.findall(r"^yolo-prune-check (.+)$", page, re.MULTILINE)
    assert text.startswith(f"{HEAD}\n#   yolo-prune-check {again}\n")
    assert again == ("suggest cls.pt --data squares --max-accuracy-drop 0.30000001 --out made --ratios 0.75 --imgsz 32")
    assert page.count("**taken**") == 1
    assert 3 <= page.count("| sensitivity") + page.count("| global") <= 6
    assert ".yolo-prune-check" not in page
    assert not left.exists()
    assert "measures each part of the model alone, then at most 6 candidates\n" in ran.err
    repeated = command_line(*shlex.split(again), "--json")
    assert repeated.code == 0, repeated.err
    assert counted(repeated.err)[0] == 0
    assert [path.read_bytes() for path in files] == first
    told = repeated.json
    assert [told[name] for name in ("spec", "plan", "page")] == list(map(str, files))
    assert told["chosen"] in told["candidates"]
    assert told["chosen"]["drop"] + told["chosen"]["error"] <= told["budget"] == 0.30000001
    assert told["checked"]["held"]
    assert (told["decided_images"], told["checked_images"]) == (4, 4)
    assert "decided on part 1/2 of the val images (4 images), checked on part 2/2 (4 images)" in page
    assert check == f"run {spec}"
    checked = command_line(*shlex.split(check), "--predict-only")
    assert checked.code == 0, checked.err
    assert f" --plan {plan} -o small.pt" in make


def test_where_nothing_holds_no_spec_is_written(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    write_classifier(Path())

    def broken(job: measured_module.Job) -> tuple[Accuracy, ...]:
        top1 = 0.6 if job.trial.plan.steps else 1.0
        return tuple(Accuracy(top1, 1.0, 0.5) for _ in job.trial.parts)

    monkeypatch.setattr(measured_module, "measure", broken)
    OUT.mkdir()
    for name in FILES[:2]:  # of a run that found one
        (OUT / name).write_text(f"{HEAD}\nold: true\n", encoding="utf-8")
    ran = command_line(*COMMAND, "--max-accuracy-drop", "0")
    assert ran.code == 1, ran.err
    said = ran.out.replace("\n", " ")
    assert "Nothing that was tried stays within a drop of 0 of top-1 accuracy: no spec was written." in said
    assert "The least that a candidate loses, with one standard error, is 0.4000." in said
    assert [path.name for path in OUT.iterdir()] == ["suggestion.md"]
    assert "removed suggestion-report/suggestion.prune.yaml, which an earlier run made" in ran.err
    assert "removed suggestion-report/suggestion.plan.yaml, which an earlier run made" in ran.err
    again = command_line(*COMMAND, "--max-accuracy-drop", "0", "--json")
    assert again.code == 1, again.err
    told = again.json
    assert (told["chosen"], told["checked"], told["spec"], told["checkpoint"]) == (None, None, None, None)
    assert told["candidates"][0]["outcome"] == "loses too much"


@pytest.mark.stress
def test_what_does_not_hold_on_the_other_half_is_told(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_classifier(Path())
    monkeypatch.setattr(  # the deciding half sees no loss, whatever goes
        measured_module, "measure", lambda job: tuple(Accuracy(1.0, 1.0, 0.5) for _ in job.trial.parts)
    )
    ran = command_line(*COMMAND, "--max-accuracy-drop", "0")
    assert ran.code == 1, ran.err
    said = re.sub(r"\s+", " ", ran.out)
    assert "which decided, it loses 0.0000; on part 2/2, which did not, 0.5000: it did not hold." in said
    assert "max_accuracy_drop is 0, but the plan gives 0.5" in said
    assert all((OUT / name).exists() for name in FILES)


def test_a_blind_model_is_refused(command_line: CommandLine) -> None:
    write_data(Path("data").absolute(), train=2, val=4)
    ran = command_line(
        *("suggest", "yolov8n.yaml", "--data", "data/tiny.yaml", "--imgsz", "32", "--max-map-drop", "0.02")
    )
    assert ran.code == 2
    assert "nothing can be suggested: the untouched model finds next to nothing in this data: got" in ran.err
    assert not OUT.exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ((), "the largest accepted loss must be said once. Give `--max-map-drop 0.02`"),
        (("--max-map-drop", "0.1", "--max-accuracy-drop", "0.1"), "the largest accepted loss must be said once."),
        (("--max-map-drop", "2"), "--max-map-drop: a loss lies between 0 and 1: got 2.0. Such as 0.02."),
        (
            ("--max-accuracy-drop", "0.1"),
            "--max-accuracy-drop: only a classifier has an accuracy.",
        ),
        (("--max-map-drop", "0.1", "-o", "/dev/null"), "/dev/null: cannot write reports there (Not a directory)."),
        (("--max-map-drop", "0.1", "--ratios", "0"), "--ratios: the share of channels to remove must lie between"),
        (("--max-map-drop", "0.1", "--batch", "4"), "--batch: this says how to train, and nothing is trained."),
    ],
)
def test_bad_input(command_line: CommandLine, more: tuple[str, ...], message: str) -> None:
    ran = command_line("suggest", "yolov8n-digits", "--data", "digits", "--imgsz", "32", *more)
    assert ran.code == 2
    assert message in ran.err
    assert not list(Path().glob("*"))


@pytest.mark.parametrize("name", FILES)
def test_files_of_others_stay(command_line: CommandLine, name: str) -> None:
    OUT.mkdir()
    (OUT / name).write_text("mine", encoding="utf-8")
    ran = command_line("suggest", "yolov8n-digits", "--data", "digits", "--max-map-drop", "0.02")
    assert ran.code == 2
    assert f"{name}: " in ran.err
    assert (OUT / name).read_text(encoding="utf-8") == "mine"


def test_of_an_earlier_run_only_its_own_files_are_removed(tmp_path: Path) -> None:
    own, other, none = (tmp_path / name for name in ("own.prune.yaml", "other.prune.yaml", "none.prune.yaml"))
    own.write_text(f"{HEAD}\nold: true\n", encoding="utf-8")
    other.write_text("mine", encoding="utf-8")
    assert [remove_own(path) for path in (own, other, none)] == [True, False, False]
    assert [path.exists() for path in (own, other, none)] == [False, True, False]


@pytest.mark.stress
def test_the_shipped_detector_meets_its_budget_on_the_images_that_did_not_decide(command_line: CommandLine) -> None:
    ran = command_line("suggest", "yolov8n-digits", "--data", "digits", "--max-map-drop", "0.02", "--ratios", "0.5")
    assert ran.code == 0, ran.err
    (scenario,) = load_spec(OUT / FILES[0]).scenarios
    assert scenario.expect.max_map_drop == 0.02
    assert ": it held." in ran.out.replace("\n", " ")
    commands = re.findall(r"^yolo-prune-check (.+)$", (OUT / FILES[2]).read_text(encoding="utf-8"), re.MULTILINE)
    for command in commands[1:]:  # run and compact
        made = command_line(*shlex.split(command))
        assert made.code == 0, made.err
    assert "saved small.pt" in made.err
