"""Where Ultralytics has its data sets: the YAMLs that it ships, and the folder in which it looks for images.

Both are read from its files. Importing it would take seconds, and write settings for a user who has none.
"""

from __future__ import annotations

import json
import os
import platform
from importlib.util import find_spec
from pathlib import Path


def stock_yaml(name: str) -> Path | None:
    """The dataset YAML that Ultralytics ships under a name such as `coco8.yaml`; None if it ships none."""
    file = ultralytics_folder() / "cfg" / "datasets" / name
    return file if Path(name).name == name and file.is_file() else None


def datasets_dir() -> Path:
    """The folder that holds a user's data sets for Ultralytics, `datasets_dir` of its settings; it need not exist.

    The settings are the user's own, in `YOLO_CONFIG_DIR` or where the system has them, not those that
    `prepare_ultralytics` gives Ultralytics in this package's cache. Where there are none, or they do not say, it is the
    folder that Ultralytics would write into new ones. Nothing is made or written.
    """
    try:
        settings = json.loads((_config() / "Ultralytics" / "settings.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RuntimeError):  # none, broken, or of a user without a home: Ultralytics starts anew
        settings = None
    said = settings.get("datasets_dir") if isinstance(settings, dict) else None
    return Path(said) if isinstance(said, str) else _first_datasets_dir()


def _config() -> Path:
    """The folder of the user's settings, by Ultralytics' rule."""
    from yolo_prune_check.data.digits import cache_root  # here: NumPy comes with it

    chosen = os.environ.get("YOLO_CONFIG_DIR")
    if chosen and Path(chosen) != cache_root() / "ultralytics":  # what `prepare_ultralytics` sets
        return Path(chosen).expanduser()
    system = platform.system()
    if system == "Windows":
        return Path.home() / "AppData" / "Roaming"
    if system == "Darwin":
        return Path.home() / "Library" / "Application Support"
    return Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config"))


def _first_datasets_dir() -> Path:
    """`datasets` beside the repository that Ultralytics lies in, or in it if nobody may write there; else here."""
    package = ultralytics_folder()
    repository = next((folder for folder in (package, *package.parents) if (folder / ".git").exists()), None)
    if repository is None:
        return Path("datasets").resolve()
    root = repository.parent if os.access(repository.parent, os.W_OK) else repository
    return root.resolve() / "datasets"


def ultralytics_folder() -> Path:
    """The folder of the installed package.

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    spec = find_spec("ultralytics")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("ultralytics is not installed", name="ultralytics")
    return Path(spec.origin).resolve().parent
