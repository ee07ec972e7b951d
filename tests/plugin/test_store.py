"""Reports kept current over several runs, without running anything."""

from __future__ import annotations

import dataclasses
import textwrap
from pathlib import Path

import pytest

from tests.plugin.records import PASSED
from tests.plugin.workspace import TWO
from yolo_prune_check.errors import UserError
from yolo_prune_check.plugin.store import spec_files, update_report
from yolo_prune_check.report import load_records
from yolo_prune_check.run.record import Record


def record(spec: str, id_: str) -> Record:
    suite = Path(spec).name.removesuffix(".prune.yaml")
    return dataclasses.replace(PASSED, spec=spec, id=id_, base_id=id_, suite=suite)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs/two.prune.yaml").write_text(textwrap.dedent(TWO), encoding="utf-8")
    return tmp_path


def stored(out: Path) -> list[str]:
    return [f"{record.spec}::{record.id}" for record in load_records(out / "records")]


def test_what_other_runs_left_stays(folder: Path) -> None:
    update_report([record("specs/two.prune.yaml", "cut")], Path("out"))
    update_report([record("specs/two.prune.yaml", "masked")], Path("out"))
    assert stored(Path("out")) == ["specs/two.prune.yaml::cut", "specs/two.prune.yaml::masked"]


def test_undeclared_scenarios_and_lost_specs_go(folder: Path) -> None:
    update_report([record("specs/two.prune.yaml", "old"), record("specs/lost.prune.yaml", "x")], Path("out"))
    updated = update_report([record("specs/two.prune.yaml", "cut")], Path("out"), searched=[Path("specs")])
    assert stored(Path("out")) == ["specs/two.prune.yaml::cut"]
    assert updated.removals == (
        "removed from the reports, as no spec declares them any more: specs/lost.prune.yaml::x, "
        "specs/two.prune.yaml::old",
        "removed 1 page that no record stands behind: lost.md",
    )
    assert not list(Path("out/records").glob("*lost*")), "no empty folder is left"


def test_a_spec_that_nobody_looked_for_is_not_taken_as_deleted(folder: Path) -> None:
    update_report([record("elsewhere/lost.prune.yaml", "x")], Path("out"))
    updated = update_report([record("specs/two.prune.yaml", "cut")], Path("out"), searched=[Path("specs")])
    assert "elsewhere/lost.prune.yaml::x" in stored(Path("out"))
    assert updated.removals == ()


def test_records_of_experiments_stay_when_the_specs_are_run_again(folder: Path) -> None:
    (folder / "experiments").mkdir()
    (folder / "experiments/long.prune.yaml").write_text((folder / "specs/two.prune.yaml").read_text("utf-8"), "utf-8")
    update_report([record("experiments/long.prune.yaml", "cut")], Path("out"), searched=[Path("experiments")])
    for _ in range(2):
        updated = update_report([record("specs/two.prune.yaml", "cut")], Path("out"), searched=[Path("specs")])
        assert updated.removals == ()
    assert stored(Path("out")) == ["experiments/long.prune.yaml::cut", "specs/two.prune.yaml::cut"]
    assert {"long.md", "two.md"} <= {path.name for path in Path("out").glob("*.md")}


def test_two_projects_share_a_report_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = folder / "shared"
    for project in ("one", "other"):
        (folder / project / "specs").mkdir(parents=True)
        monkeypatch.chdir(folder / project)
        update_report([record(f"specs/{project}.prune.yaml", "x")], out, searched=[Path("specs")])
    assert stored(out) == ["specs/one.prune.yaml::x", "specs/other.prune.yaml::x"]


def test_what_was_just_run_is_kept_whatever_its_spec_says_now(folder: Path) -> None:
    update_report([record("specs/lost.prune.yaml", "x")], Path("out"))
    assert stored(Path("out")) == ["specs/lost.prune.yaml::x"]


def test_a_broken_spec_says_nothing_about_its_records(folder: Path) -> None:
    update_report([record("specs/two.prune.yaml", "cut")], Path("out"))
    Path("specs/two.prune.yaml").write_text("model: [", encoding="utf-8")
    update_report([record("specs/other.prune.yaml", "x")], Path("out"))
    assert "specs/two.prune.yaml::cut" in stored(Path("out"))


def test_a_run_from_another_folder_finds_the_specs_beside_the_report(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    update_report([record("specs/two.prune.yaml", "cut")], Path("out"))
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    update_report([record("mine.prune.yaml", "x")], Path("../out"))
    assert "specs/two.prune.yaml::cut" in stored(Path("../out"))


def test_specs_are_found_once_in_order(folder: Path) -> None:
    Path("specs/a").mkdir()
    Path("specs/a/b.prune.yaml").touch()
    Path("specs/base.yaml").touch()
    Path("specs/.venv").mkdir()
    Path("specs/.venv/shipped.prune.yaml").touch()
    found = spec_files([Path("specs/two.prune.yaml"), Path("specs")])
    assert found == [Path("specs/two.prune.yaml"), Path("specs/a/b.prune.yaml")]


def test_a_folder_without_specs_is_refused(folder: Path) -> None:
    Path("empty").mkdir()
    with pytest.raises(UserError, match=r"^empty: no \*\.prune\.yaml below this folder\. Name a spec or its folder\.$"):
        spec_files([Path("empty")])


@pytest.mark.parametrize("kept", [False, True])
def test_a_record_names_only_models_that_are_kept(folder: Path, kept: bool) -> None:
    from yolo_prune_check.plugin.store import run_scenario
    from yolo_prune_check.progress import progress
    from yolo_prune_check.spec import load_spec

    scenario = load_spec("specs/two.prune.yaml").scenarios[0]
    done = run_scenario(scenario, work_dir=Path("models") if kept else None, progress=progress(quiet=True))
    assert (done.checkpoint is not None) is kept
    assert done.checkpoint is None or Path(done.checkpoint).is_file()
    assert Path("models").exists() is kept
