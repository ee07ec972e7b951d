"""The JSON file beside a saved model: what was done to which file, by which versions, and the hash of the result.

```json
{"format": 1, "file": "final.pt", "sha256": "…", "versions": {"yolo-prune-check": "…", "torch": "…", …},
 "source": {"model": "best.pt", "sha256": "…"},
 "plan": {"execution": "group", "mask": null, "steps": [{"layer": "model.2.cv1.conv", "keep": "0-15"}]},
 "record": {…}}
```
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final

from yolo_prune_check import __version__
from yolo_prune_check.atomic import written_whole
from yolo_prune_check.channels.plan import Plan, as_ranges
from yolo_prune_check.data import SHIPPED_MODELS, shipped_model

FORMAT: Final = 1
"""Version of the file's layout."""

_PACKAGES = ("torch", "ultralytics", "numpy")


def sidecar_path(checkpoint: Path) -> Path:
    """Where the sidecar of a checkpoint lies: `final.json` beside `final.pt`."""
    return checkpoint.with_suffix(".json")


def is_sidecar(path: Path) -> bool:
    """Whether a file is such a sidecar, of whatever checkpoint and version."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and {"format", "file", "plan", "source"} <= content.keys()


def write_sidecar(checkpoint: Path, *, plan: Plan, source: str, record: Mapping[str, object] | None = None) -> Path:
    """Write the sidecar of a checkpoint that was saved, atomically.

    Args:
        checkpoint: The saved model.
        plan: The plan that was carried out on the source.
        source: The untouched model as ``load_model`` took it. The hash of its file is noted if it is one.
        record: What else is to be kept, as JSON knows it; a scenario's record.

    Returns:
        Path of the sidecar.
    """
    content = {
        "format": FORMAT,
        "file": checkpoint.name,
        "sha256": _sha256(checkpoint),
        "versions": {
            "yolo-prune-check": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in _PACKAGES},
        },
        "source": {"model": source, "sha256": _source_hash(source)},
        "plan": {
            "execution": plan.execution,
            "mask": plan.mask if plan.execution == "mask" else None,
            "steps": [{"layer": step.layer, "keep": as_ranges(step.keep)} for step in plan.steps],
        },
        "record": record,
    }
    path = sidecar_path(checkpoint)
    with written_whole(path) as file:
        file.write(json.dumps(content, indent=2, ensure_ascii=False).encode("utf-8") + b"\n")
    return path


def _source_hash(source: str) -> str | None:
    file = shipped_model(source) if source in SHIPPED_MODELS else Path(source).expanduser()
    return _sha256(file) if file.is_file() else None


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
