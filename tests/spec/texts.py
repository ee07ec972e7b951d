"""Spec texts that several tests use."""

from __future__ import annotations

import textwrap
from pathlib import Path

HEAD = "model: yolov8n.yaml\ndata: digits\nscenarios:\n"
SELECTION = "blocks: [1], layers: first"


def one(fields: str = SELECTION, *, head: str = HEAD) -> str:
    """A spec of one scenario, written on its fourth line."""
    return f"{head}  - {{id: a, {fields}}}\n"


def write(folder: Path, text: str, name: str = "x.prune.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path
