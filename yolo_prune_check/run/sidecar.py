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
from typing import Any, Final

from yolo_prune_check import __version__
from yolo_prune_check.atomic import written_whole
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.data import SHIPPED_MODELS, shipped_model
from yolo_prune_check.errors import UserError
from yolo_prune_check.run.counterexample import as_ranges

FORMAT: Final = 1
"""Version of the file's layout."""

_PACKAGES = ("torch", "ultralytics", "numpy")


def sidecar_path(checkpoint: Path) -> Path:
    """Where the sidecar of a checkpoint lies: `final.json` beside `final.pt`."""
    return checkpoint.with_suffix(".json")


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


def verify_sidecar(checkpoint: Path) -> dict[str, Any]:
    """Check a saved model against its sidecar.

    Args:
        checkpoint: The saved model; its sidecar lies beside it.

    Returns:
        The sidecar's content.

    Raises:
        UserError: Either file is missing or cannot be read, the sidecar is none, or the checkpoint is not the one of
            which it speaks.
    """
    path = sidecar_path(checkpoint)
    content = _read(path)
    try:
        found = _sha256(checkpoint)
    except OSError as error:
        raise UserError(f"the checkpoint cannot be read ({error.strerror})", where=str(checkpoint)) from error
    if found != content["sha256"]:
        raise UserError(
            f"not the checkpoint that {path.name} describes: its SHA-256 is {found}, not {content['sha256']}",
            where=str(checkpoint),
            hint="It was changed or replaced after it was saved: prune again, or get both files from where they are.",
        )
    return content


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        hint = "It is written beside every pruned model; copy it along."
        raise UserError(f"the sidecar cannot be read ({error.strerror})", where=str(path), hint=hint) from error
    except ValueError as error:  # no UTF-8, or no JSON
        raise UserError("the sidecar is no JSON", where=str(path)) from error
    if not isinstance(content, dict) or not isinstance(content.get("sha256"), str):
        raise UserError("not the sidecar of a pruned model", where=str(path))
    if content.get("format") != FORMAT:
        what = f"the sidecar has a format that this version does not know, which reads {FORMAT}"
        raise UserError(what, where=str(path), value=content.get("format"))
    return content


def _source_hash(source: str) -> str | None:
    file = shipped_model(source) if source in SHIPPED_MODELS else Path(source).expanduser()
    return _sha256(file) if file.is_file() else None


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
