"""Versions of the libraries that decide the numbers and the words of a record."""

from __future__ import annotations

import hashlib
import platform
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

_PACKAGE = Path(__file__).parent

LIBRARIES: Final = (
    *("torch", "torchvision", "ultralytics", "torchinfo", "numpy", "scipy", "scikit-learn", "kmedoids", "kneed"),
    *("opencv-python", "pillow", "onnx", "onnxruntime"),
)


def versions() -> dict[str, str | None]:
    """Python's version and that of each library; None where it is not installed. Imports none of them."""
    return {"python": platform.python_version(), **{library: _version(library) for library in LIBRARIES}}


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


@lru_cache(maxsize=1)
def source_hash() -> str:
    """A hash of this package's source as it is installed: of a wheel or of a working copy alike."""
    content = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        content.update(f"{path.relative_to(_PACKAGE).as_posix()}\0{path.stat().st_size}\0".encode())
        content.update(path.read_bytes())
    return content.hexdigest()
