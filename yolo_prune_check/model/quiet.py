"""The one place that keeps Ultralytics quiet, offline and out of the user's own settings.

Ultralytics decides these things while it is being imported, from environment variables and from a settings file. So
whatever in this package imports it calls `prepare_ultralytics()` first.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from yolo_prune_check.data.digits import cache_root

_FORCED = {
    "YOLO_OFFLINE": "true",  # no usage statistics, no crash reports, no look for a newer version
    "YOLO_AUTOINSTALL": "false",  # no `pip install` of whatever a model or format would like to have
    "NO_ALBUMENTATIONS_UPDATE": "1",  # the augmentation library asks its server for a newer version, too
}
_PREFERRED = {
    "YOLO_VERBOSE": "false",
    "ULTRALYTICS_SAFE_LOAD": "true",  # a model YAML may name network modules only: no function is called, no `eval`
}
_TRUE = {"1", "true", "yes", "on", "y", "t"}  # what Ultralytics takes for true
# Each may open a connection or write files once its package is installed.
_INTEGRATIONS = ("clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb", "vscode_msg")
_FONTS = ("Arial.ttf", "Arial.Unicode.ttf")


@lru_cache(maxsize=1)
def prepare_ultralytics() -> None:
    """Import Ultralytics such that it neither talks, nor connects, nor installs, nor touches the user's settings file.

    The environment variables are set for the whole process, so that its child processes inherit them. Its settings go
    to a folder in this package's cache, unless the user chose one with `YOLO_CONFIG_DIR`. A user who sets
    `YOLO_VERBOSE=true` hears what Ultralytics says. Calling it again does nothing.
    """
    os.environ.update(_FORCED)
    for name, value in _PREFERRED.items():
        os.environ.setdefault(name, value)
    if not os.environ.get("YOLO_CONFIG_DIR"):
        folder = cache_root() / "ultralytics"
        os.environ["YOLO_CONFIG_DIR"] = str(folder)
        # Ultralytics keeps its files in a folder of this name below.
        _provide_fonts(folder / "Ultralytics")
    _switch_off()


def verbose() -> bool:
    """Whether the user wants to hear Ultralytics."""
    return os.environ.get("YOLO_VERBOSE", "").strip().lower() in _TRUE


@contextmanager
def quietly() -> Iterator[None]:
    """Silence Ultralytics below errors, also where it was imported, and so configured, before this package."""
    logger = logging.getLogger("ultralytics")
    level = logger.level
    if not verbose():
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _switch_off() -> None:
    from ultralytics import utils
    from ultralytics.utils import checks

    # In this process only: Ultralytics' own `update` would write the user's settings file.
    dict.update(utils.SETTINGS, {"sync": False, **dict.fromkeys(_INTEGRATIONS, False)})
    # Constants, read already where Ultralytics had been imported before.
    for module in (utils, checks):
        module.ONLINE = False
        module.AUTOINSTALL = False
    for module in (utils, sys.modules.get("ultralytics.nn.tasks")):
        if module is not None:
            vars(module)["SAFE_LOAD"] = os.environ["ULTRALYTICS_SAFE_LOAD"].strip().lower() in _TRUE
    events = sys.modules.get("ultralytics.utils.events")
    if events is not None:
        events.events.enabled = False


def _provide_fonts(folder: Path) -> None:
    """Put a font where Ultralytics looks for Arial before it downloads it.

    Without one it asks the network whenever it checks a data set or draws a label. The font is matplotlib's own.
    """
    spec = find_spec("matplotlib")
    if spec is None or not spec.submodule_search_locations:
        return
    font = Path(spec.submodule_search_locations[0]) / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    missing = [folder / name for name in _FONTS if not (folder / name).is_file()]
    if not missing or not font.is_file():
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for target in missing:
            _copy_whole(font, target)
    except OSError as error:
        # A cache that cannot be written costs a drawing its font, nothing else.
        logging.getLogger(__name__).info("no font for Ultralytics in %s: %s", folder, error)


def _copy_whole(source: Path, target: Path) -> None:
    """Copy such that another process never sees half a file."""
    number, name = tempfile.mkstemp(prefix=f"{target.name}.", dir=target.parent)
    os.close(number)
    try:
        shutil.copyfile(source, name)
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)
