"""Torch-Pruning, the peer that is measured beside this package: what it is told, and one attempt at halving a model.

Run as a program it makes one attempt and prints what came of it as JSON: ``python -m benchmarks.peer MODEL HELP
BYTES``. That is for ``benchmarks.peers``, which gives it a process of its own, to be stopped when it takes too long.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any, Final, Literal, get_args

import torch
from torch import nn

from benchmarks.c2f import replace_c2f
from benchmarks.setting import one_thread
from benchmarks.zoo import build
from yolo_prune_check.confirm.probe import tensors_of

Help = Literal["as it stands", "head and attention ignored", "C2f replaced, head and attention ignored"]
HELPS: Final[tuple[Help, ...]] = get_args(Help)

_ATTENTION = {"AAttn", "AIFI", "Attention", "MSDeformAttn", "MaxSigmoidAttnBlock", "MultiheadAttention"}


@dataclass(frozen=True)
class Attempt:
    """What came of halving a model with Torch-Pruning.

    Attributes:
        outcome: ``runs``, or the first line of the error with its class.
        params: Parameters afterwards; None if it failed.
        outputs_kept: Whether the pruned model's first output has the shape that it had; None if it does not run.
        building: Seconds that ``build_dependency`` took; None if it failed.
        pruning: Seconds of the pruning step, with its importance scores.
    """

    outcome: str
    params: int | None = None
    outputs_kept: bool | None = None
    building: float | None = None
    pruning: float | None = None


def available() -> bool:
    """Whether Torch-Pruning is installed."""
    return find_spec("torch_pruning") is not None


def helped(name: str, level: Help) -> tuple[nn.Module, list[nn.Module]]:
    """A model as Torch-Pruning is to get it, and the modules that it is told to leave alone.

    Torch-Pruning prunes no parameter that needs no gradient, so all are made to need one.
    """
    model = build(name)
    if level == "C2f replaced, head and attention ignored":
        replace_c2f(model)
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    if level == "as it stands":
        return model, []
    return model, [head_of(model), *(m for m in model.modules() if type(m).__name__ in _ATTENTION)]


def head_of(model: nn.Module) -> nn.Module:
    """The last block of an Ultralytics model, or a classifier's last linear layer."""
    blocks = getattr(model, "model", None)
    if isinstance(blocks, nn.Sequential):
        return blocks[-1]
    return [module for module in model.modules() if isinstance(module, nn.Linear)][-1]


def build_graph(model: nn.Module, imgsz: int) -> Any:
    """Torch-Pruning's dependency graph."""
    import torch_pruning

    return torch_pruning.DependencyGraph().build_dependency(model, torch.rand(1, 3, imgsz, imgsz), verbose=False)


def halve(model: nn.Module, ignored: list[nn.Module], imgsz: int) -> float:
    """Prune half of every group by the L1 norm, in place; seconds that the step itself took."""
    import torch_pruning

    pruner = torch_pruning.pruner.BasePruner(
        model,
        torch.rand(1, 3, imgsz, imgsz),
        torch_pruning.importance.MagnitudeImportance(p=1),
        pruning_ratio=0.5,
        ignored_layers=ignored,
    )
    start = time.perf_counter()
    pruner.step()
    return time.perf_counter() - start


def attempt(name: str, level: Help, imgsz: int = 64) -> Attempt:
    """Halve a model and run it. Whatever goes wrong is the result, not an error."""
    model, ignored = helped(name, level)
    before = _output_shape(model, imgsz)
    building: float | None = None
    try:
        start = time.perf_counter()
        build_graph(model, imgsz)
        building = time.perf_counter() - start
        pruning = halve(model, ignored, imgsz)
        after = _output_shape(model, imgsz)
    except Exception as error:  # noqa: BLE001  # the peer's failures are what is recorded
        said = str(error).strip().splitlines()
        return Attempt(f"{type(error).__name__}: {said[0]}" if said else type(error).__name__, building=building)
    params = sum(parameter.numel() for parameter in model.parameters())
    return Attempt("runs", params, before == after, building, pruning)


def _output_shape(model: nn.Module, imgsz: int) -> tuple[int, ...]:
    """Shape of the first output: what is decoded. Those after it may be the features that the head was given."""
    with torch.no_grad():
        return tuple(tensors_of(model(torch.rand(1, 3, imgsz, imgsz)))[0].shape)


def main() -> int:
    """Make one attempt within a limit on the process's memory."""
    name, level, limit = sys.argv[1:]
    warnings.simplefilter("ignore")  # Torch-Pruning warns of everything it does not know; its result tells
    one_thread()
    found = next(known for known in HELPS if known == level)
    resource.setrlimit(resource.RLIMIT_AS, (int(limit), int(limit)))
    print(json.dumps(asdict(attempt(name, found))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
