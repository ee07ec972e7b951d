"""Ultralytics stays quiet and offline, and the user's own settings stay untouched: in fresh processes."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from yolo_prune_check.model.quiet import quietly

NO_NETWORK = """
import socket
reached = []
def refuse(*args, **kwargs):
    reached.append(args)
    raise OSError("no network")
socket.getaddrinfo = refuse
socket.socket.connect = refuse
"""

LOOK = """
import json
from ultralytics import utils
from ultralytics.utils import checks, events
from ultralytics.data.utils import check_font
print(json.dumps({
    "reached": len(reached), "online": utils.ONLINE, "sync": utils.SETTINGS["sync"], "mlflow": utils.SETTINGS["mlflow"],
    "events": events.events.enabled, "install": checks.AUTOINSTALL, "fonts": [str(check_font(n)) for n in
    ("Arial.ttf", "Arial.Unicode.ttf")], "level": utils.LOGGER.level, "asked": len(reached),
}))
"""


def fresh(code: str, home: Path, **environment: str) -> tuple[dict[str, object], str]:
    """Run code in a process whose user has never used Ultralytics; what it prints last, and all before."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("YOLO", "ULTRALYTICS", "XDG"))}
    folders = {"HOME": str(home), "YOLO_PRUNE_CHECK_CACHE": str(home / "our-cache"), "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**kept, **folders, **environment}
    )
    assert done.returncode == 0, done.stderr
    *before, last = done.stdout.splitlines()
    return json.loads(last), "\n".join(before) + done.stderr


def test_prepared_before_the_first_import(tmp_path: Path) -> None:
    code = (
        f"{NO_NETWORK}\nfrom yolo_prune_check.model.quiet import prepare_ultralytics\n"
        f"prepare_ultralytics(); prepare_ultralytics()\n{LOOK}"
    )
    seen, said = fresh(code, tmp_path)
    assert said == ""
    assert (seen["reached"], seen["asked"]) == (0, 0)
    assert not any(seen[name] for name in ("online", "sync", "mlflow", "events", "install"))
    assert seen["level"] == logging.ERROR
    fonts = seen["fonts"]
    assert isinstance(fonts, list)
    assert all(Path(font).is_relative_to(tmp_path / "our-cache") for font in fonts)
    assert not (tmp_path / ".config" / "Ultralytics").exists()


def test_a_user_who_imported_ultralytics_first_keeps_the_settings(tmp_path: Path) -> None:
    code = (
        f"{NO_NETWORK}\nsocket.getaddrinfo = lambda *args: []\n"  # a network, so that Ultralytics counts as online
        "import ultralytics.utils, ultralytics.utils.events\nassert ultralytics.utils.ONLINE\n"
        "socket.getaddrinfo = refuse\n"
        "before = open(ultralytics.utils.SETTINGS_FILE).read(); reached.clear()\n"
        "from yolo_prune_check.model.quiet import prepare_ultralytics\nprepare_ultralytics()\n"
        f"assert open(ultralytics.utils.SETTINGS_FILE).read() == before and 'true' in before\n{LOOK}"
    )
    seen, _ = fresh(code, tmp_path)
    assert not any(seen[name] for name in ("online", "sync", "mlflow", "events", "install"))


def test_a_folder_that_the_user_chose_is_used(tmp_path: Path) -> None:
    code = (
        "from yolo_prune_check.model.quiet import prepare_ultralytics\nprepare_ultralytics()\n"
        "import json\nfrom ultralytics import utils\n"
        "print(json.dumps({'folder': str(utils.USER_CONFIG_DIR), 'level': utils.LOGGER.level}))"
    )
    seen, _ = fresh(code, tmp_path, YOLO_CONFIG_DIR=str(tmp_path / "mine"), YOLO_VERBOSE="true")
    assert seen == {"folder": str(tmp_path / "mine" / "Ultralytics"), "level": logging.INFO}


def test_quietly_silences_and_restores(monkeypatch: pytest.MonkeyPatch) -> None:
    logger = logging.getLogger("ultralytics")
    monkeypatch.setattr(logger, "level", logging.INFO)
    monkeypatch.setenv("YOLO_VERBOSE", "false")
    with quietly():
        assert logger.level == logging.ERROR
    assert logger.level == logging.INFO
    monkeypatch.setenv("YOLO_VERBOSE", "True")
    with quietly():
        assert logger.level == logging.INFO
