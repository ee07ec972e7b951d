"""The model YAMLs that Ultralytics ships, and how it finds one by name. Reads its files and imports no torch."""

from __future__ import annotations

import glob
import os
import re
from functools import lru_cache
from pathlib import Path

from yolo_prune_check.data.stock import ultralytics_folder

# A family and its version, such as `yolov8`, `yolo11` or `yoloe-26`, and what follows where no scale letter does.
_UNSCALED = re.compile(r"(yolo(?:e-)?v?\d+)([-.].*)")
_OLD_P6 = re.compile(r"(yolov[58])([nsmlx])6")


@lru_cache(maxsize=1)
def stock_names() -> tuple[str, ...]:
    """The YAML names that Ultralytics ships, and those with the scale letters that each file defines."""
    found = (ultralytics_folder() / "cfg" / "models").rglob("*.yaml")
    names = []
    for file in sorted(found, key=lambda file: file.name):
        names.append(file.name)
        unscaled = _UNSCALED.fullmatch(file.name)
        if unscaled:
            names += [f"{unscaled[1]}{letter}{unscaled[2]}" for letter in _scales(file)]
    return tuple(names)


def finds_yaml(name: str) -> bool:
    """Whether Ultralytics finds a YAML by a name, with or without its scale letter: here, or among its own.

    By its rule, which is wider than `stock_names`: any letter may give the scale, and any of its YAMLs is found, of a
    model or not.
    """
    path = Path(name)
    if old := _OLD_P6.fullmatch(path.stem):
        path = path.with_name(f"{old[1]}{old[2]}-p6{path.suffix}")
    unscaled = re.sub(r"(\d+)([nslmx])(.+)?$", r"\1\3", str(path))
    return bool(_found(str(path))) or len(_found(unscaled)) == 1  # of several it takes none


def _found(name: str) -> list[str]:
    name = name.strip()
    if "yolov3" in name or "yolov5" in name:
        name = name.replace("u.yaml", ".yaml")
    if os.path.exists(name):  # noqa: PTH110  # says no of a folder that may not be read, where Path raises
        return [name]
    package = ultralytics_folder()
    below, beside = f"{package}/**/{name}", f"{package.parent}/{name}"
    return glob.glob(below, recursive=True) or glob.glob(beside)  # noqa: PTH207  # a name may be a pattern, as there


def _scales(file: Path) -> str:
    """The letters that a stock YAML defines and that Ultralytics finds in a name."""
    text = file.read_text(encoding="utf-8")
    below = re.search(r"^scales:.*\n((?:[ \t]+.*\n|\s*\n)+)", text, re.MULTILINE)
    return "".join(re.findall(r"^\s+([nsmlx]):", below[1], re.MULTILINE)) if below else ""
