"""Names that several parts must agree on."""

from __future__ import annotations

from pathlib import Path
from typing import Final

SUFFIX: Final = ".prune.yaml"
"""How the name of a spec ends."""

WORK_DIR: Final = Path(".yolo-prune-check")
"""Where pruned models are saved, below the working directory, when a report is to name them."""

BROKEN: Final = "spec"
"""Name of the one item of a spec that cannot be read."""

RECORD: Final = "prune_record"
"""User property of an item: the path of its record."""

VERDICT: Final = "prune_verdict"
"""User property of an item: its verdict. It ends up in JUnit XML too."""

CACHED: Final = "prune_cached"
"""User property of an item whose record an earlier run had kept."""

SCRATCH: Final = "yolo_prune_check_scratch"
"""Key under which the controller of pytest-xdist tells its workers the scratch folder."""

TRUST: Final = "Load a checkpoint that asks for code beyond network classes; that code runs. Only for files you trust."
"""What both fronts say of the option that trusts checkpoints."""

DEVICE: Final = "Train, measure and time there: cpu, the number of a GPU such as 0, or several such as 0,1."
"""What all fronts say of the option that names devices."""
