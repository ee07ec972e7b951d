"""The widths of a model, and whether a training kept them.

Stock training builds a new network from the model's YAML, and a checkpoint may be read back into another one: what was
pruned is dense again, and nothing says so. Widths are therefore compared wherever a model passes from hand to hand.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from torch import nn

from yolo_prune_check.errors import UserError
from yolo_prune_check.model.checkpoint import read_checkpoint
from yolo_prune_check.train.failure import TrainingError

Widths = Mapping[str, tuple[int, ...]]
"""Shape of each parameter and buffer by its qualified name; each width attribute as a shape of one number."""

ATTRIBUTES: Final = (
    *(
        "in_channels",
        "out_channels",
        "num_features",
        "groups",
        "in_features",
        "out_features",
        "num_channels",
        "num_parameters",
    ),
    *("c", "nc", "no", "nm", "npr", "ne", "nk", "reg_max"),
    *("num_heads", "key_dim", "head_dim", "dim_head"),
)
"""Attributes by which stock modules cut, reshape or check channels."""


class RebuiltError(TrainingError):
    """A training gave back another network than it was given: `where` names the module, `what` both widths.

    The hazard `rebuilt-by-trainer`.
    """


def widths_of(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """All widths of a model.

    The model's own attributes are left out: trainers write the number of classes of the data set there.
    """
    found = {name: tuple(value.shape) for name, value in model.state_dict(keep_vars=True).items()}
    for name, module in model.named_modules():
        for attribute in ATTRIBUTES if name else ():
            value = vars(module).get(attribute)
            if type(value) is int:
                found[f"{name}.{attribute}"] = (value,)
    return found


def require_widths(before: Widths, after: Widths, stage: str) -> None:
    """Check that widths are what they were.

    Args:
        before: Of the model that was given.
        after: Of the one that came back.
        stage: Which one that is, for the message, such as `the moving average (EMA)`.

    Raises:
        RebuiltError: They are not; the first difference is named.
    """
    for name in (*before, *(name for name in after if name not in before)):
        old, new = before.get(name), after.get(name)
        if old != new:
            module, _, what = name.rpartition(".")
            raise RebuiltError(
                f"training rebuilt the network: in {stage}, {what} is {_shown(new)} and was {_shown(old)}",
                where=module,
                hint="Train with this package's trainer, which trains the very module it is given.",
            )


def widths_in_files(files: Sequence[Path]) -> list[dict[str, tuple[int, ...]]]:
    """The widths of the network in each checkpoint, as one fresh process reads them all back.

    Raises:
        UserError: A file holds no network that can be read safely.
    """
    code = "import sys; from yolo_prune_check.train.widths import print_widths; print_widths(sys.argv[1:])"
    # What this process can import, the other can.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)}
    command = [sys.executable, "-c", code, *(str(file) for file in files)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise UserError("checkpoints cannot be read back in a fresh process", where=str(files[0].parent), value=reason)
    return [{name: tuple(shape) for name, shape in widths.items()} for widths in json.loads(done.stdout)]


def print_widths(files: Sequence[str]) -> None:
    """Print the widths of the network in each checkpoint as JSON; what `widths_in_files` runs.

    Raises:
        UserError: As `read_checkpoint`.
    """
    json.dump([widths_of(read_checkpoint(Path(file))) for file in files], sys.stdout)


def _shown(shape: tuple[int, ...] | None) -> str:
    if shape is None:
        return "missing"
    return " × ".join(str(size) for size in shape) if shape else "a number"
