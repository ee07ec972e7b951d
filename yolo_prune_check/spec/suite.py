"""A spec file as the rest of the package sees it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from yolo_prune_check.spec.schema import Scenario


@dataclass(frozen=True)
class Suite:
    """The scenarios of one spec file.

    Attributes:
        path: The file.
        name: Its name without `.prune.yaml`.
        scenarios: All scenarios in the order of the file, each matrix expanded.
    """

    path: Path
    name: str
    scenarios: tuple[Scenario, ...]


def suite_name(path: Path) -> str:
    """The name of a spec's suite.

    >>> suite_name(Path("specs/block_5_cascade.prune.yaml"))
    'block_5_cascade'
    """
    for ending in (".prune.yaml", ".prune.yml", ".yaml", ".yml"):
        if path.name.endswith(ending) and path.name != ending:
            return path.name.removesuffix(ending)
    return path.name
