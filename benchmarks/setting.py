"""What a measurement depends on: versions, threads, and the code that was measured."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

import yolo_prune_check

MEASURED = ("channels", "confirm", "model", "prune")
"""The rooms of the package whose code decides what is predicted and what is observed."""


def one_thread() -> None:
    """Compute on one thread: what is compared then has the same means, whatever the machine."""
    torch.set_num_threads(1)


def versions() -> dict[str, str]:
    """Versions that results may depend on; a package that is not installed is left out."""
    found = {"python": platform.python_version()}
    for package in ("torch", "torchvision", "ultralytics", "torchinfo", "torch-pruning"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def sentence() -> str:
    """The setting in one sentence, for a page."""
    packages = ", ".join(f"{name} {number}" for name, number in versions().items())
    return f"Measured on one CPU thread ({platform.machine()}) with {packages}."


def fingerprint(rooms: Sequence[str] = MEASURED, more: Sequence[Path] = ()) -> str:
    """A digest of the measured code, so that results of other code are not taken for its own.

    Args:
        rooms: Those of the package.
        more: Files of the benchmark that decide what is measured.
    """
    package = Path(yolo_prune_check.__file__).parent
    files = [file for room in rooms for file in (package / room).rglob("*.py")]
    files += [Path(__file__).with_name("plans.py"), *more]
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]
