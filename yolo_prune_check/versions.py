"""Versions of the libraries that decide the numbers and the words of a record."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Final

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
