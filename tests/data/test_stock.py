"""Where Ultralytics would look for data sets, held against Ultralytics itself."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from yolo_prune_check.data import stock
from yolo_prune_check.data.digits import CACHE_ENV
from yolo_prune_check.model.quiet import prepare_ultralytics


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user who has never used Ultralytics, in an empty folder."""
    prepare_ultralytics()  # imported before there is another home: it keeps that of its first import
    for name in ("YOLO_CONFIG_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, "")  # so that it is restored afterwards
        monkeypatch.delenv(name)
    for name, folder in (("HOME", "home"), (CACHE_ENV, "cache")):
        (tmp_path / folder).mkdir()
        monkeypatch.setenv(name, str(tmp_path / folder))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "home"


def stock_folder_of_data() -> Path:
    """What Ultralytics, imported now, would take for its `datasets_dir`; it writes its settings if there are none."""
    prepare_ultralytics()
    from ultralytics import utils

    settings: Any = utils.SettingsManager
    return Path(settings(file=utils.get_user_config_dir() / "settings.json")["datasets_dir"])


SETTINGS = {
    "whole": '{"settings_version": "0.0.8", "datasets_dir": "DATA"}',
    "old": '{"settings_version": "0.0.4", "datasets_dir": "DATA", "gone": 1}',
    "relative": '{"datasets_dir": "some/data"}',
    "of-no-text": '{"datasets_dir": 7}',
    "without-it": '{"sync": false}',
    "empty": "",
    "broken": '{"datasets_dir": "DATA"',
    "a-list": '["datasets_dir"]',
}


@pytest.mark.parametrize("text", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("chosen", [None, "YOLO_CONFIG_DIR", "XDG_CONFIG_HOME"])
def test_the_folder_is_the_one_of_the_users_settings(
    home: Path, monkeypatch: pytest.MonkeyPatch, text: str, chosen: str | None
) -> None:
    from ultralytics import utils

    config = home / "chosen" if chosen else home / ".config"
    if chosen:
        monkeypatch.setenv(chosen, str(config))
    for system in ("LINUX", "MACOS", "WINDOWS"):
        monkeypatch.setattr(utils, system, system == "LINUX")
    monkeypatch.setattr(stock.platform, "system", lambda: "Linux")
    file = config / "Ultralytics/settings.json"
    file.parent.mkdir(parents=True)
    file.write_text(text.replace("DATA", str(home / "data")))
    found = stock.datasets_dir()
    assert file.read_text() == text.replace("DATA", str(home / "data"))
    assert found == stock_folder_of_data()
    assert (found == home / "data") == ('"DATA"' in text and text.endswith("}"))


@pytest.mark.parametrize("system", ["Linux", "Darwin", "Windows"])
def test_the_settings_lie_where_the_system_has_them(home: Path, monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    from ultralytics import utils

    for name, its in (("LINUX", "Linux"), ("MACOS", "Darwin"), ("WINDOWS", "Windows")):
        monkeypatch.setattr(utils, name, system == its)
    file = utils.get_user_config_dir() / "settings.json"
    file.write_text(json.dumps({"datasets_dir": str(home / "data")}))
    monkeypatch.setattr(stock.platform, "system", lambda: system)
    assert stock.datasets_dir() == home / "data"


@pytest.mark.parametrize("place", ["in-no-repository", "in-a-repository", "in-one-that-nobody-writes-beside"])
def test_without_settings_it_is_the_one_that_ultralytics_begins_with(
    home: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    from ultralytics import utils
    from ultralytics.utils.git import GitRepo

    package = home / "project/lib/ultralytics"
    (package / "utils").mkdir(parents=True)
    if place != "in-no-repository":
        (home / "project/.git").mkdir()
    monkeypatch.setattr(stock, "ultralytics_folder", lambda: package)
    monkeypatch.setattr(utils, "GIT", GitRepo(package / "utils/git.py"))
    if place == "in-one-that-nobody-writes-beside":
        monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    found = stock.datasets_dir()
    assert list(home.iterdir()) == [home / "project"], "settings or folders were made"
    expected = {
        "in-no-repository": Path.cwd() / "datasets",
        "in-a-repository": home / "datasets",
        "in-one-that-nobody-writes-beside": home / "project/datasets",
    }
    assert found == expected[place] == stock_folder_of_data()


def test_the_settings_that_this_package_gives_ultralytics_are_not_the_users(home: Path) -> None:
    file = home / ".config/Ultralytics/settings.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"datasets_dir": str(home / "data")}))
    prepare_ultralytics.__wrapped__()  # as if for the first time in this process
    assert Path(os.environ["YOLO_CONFIG_DIR"]).is_relative_to(home.parent / "cache")
    ours = Path(os.environ["YOLO_CONFIG_DIR"]) / "Ultralytics/settings.json"
    ours.parent.mkdir(parents=True, exist_ok=True)
    ours.write_text('{"datasets_dir": "/not/this"}')
    assert stock.datasets_dir() == home / "data"


def test_a_user_without_a_home_has_no_settings(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    before = stock.datasets_dir()
    monkeypatch.setattr(Path, "home", nowhere)
    assert stock.datasets_dir() == before


def test_the_yamls_are_those_that_ultralytics_ships() -> None:
    from ultralytics.utils.checks import check_file

    for name in ("coco8.yaml", "VOC.yaml"):
        assert stock.stock_yaml(name) == Path(check_file(name))
    assert stock.stock_yaml("yolov8.yaml") is None
    assert stock.stock_yaml("../models/v8/yolov8.yaml") is None
