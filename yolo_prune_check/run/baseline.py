"""Load a scenario's model and measure it before anything is pruned; once for each process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from torch import nn

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.model.load import load_model
from yolo_prune_check.progress import Progress, progress
from yolo_prune_check.prune.copied import copied
from yolo_prune_check.run.facts import facts_of
from yolo_prune_check.run.record import ModelFacts
from yolo_prune_check.scores import Scores
from yolo_prune_check.train.devices import placed
from yolo_prune_check.train.evaluate import evaluate


@dataclass(frozen=True)
class Baseline:
    """An untouched model with its graph and measurements. Copy the model before pruning it."""

    model: nn.Module
    graph: ChannelGraph
    facts: ModelFacts

    def fresh(self) -> nn.Module:
        """A copy of the untouched model."""
        return copied(self.model)


def load_baseline(source: str, imgsz: int, *, trust: bool = False) -> Baseline:
    """Load and trace a model; ``trust`` runs the code that a checkpoint asks for."""
    return _load(source, imgsz, trust, _state_of(source))


def _state_of(source: str) -> tuple[int, int] | None:
    """What changes when a model file is overwritten; None for a name."""
    file = Path(source)
    return (file.stat().st_mtime_ns, file.stat().st_size) if file.is_file() else None


@lru_cache(maxsize=4)
def _load(source: str, imgsz: int, trust: bool, state: tuple[int, int] | None) -> Baseline:
    model = load_model(source, trust=trust)
    graph = ChannelGraph.trace(model, imgsz=imgsz)
    return Baseline(model, graph, facts_of(model, graph))


_MEASURED: dict[tuple[str, str, int, bool, str, tuple[int, int] | None], Scores] = {}


def baseline_scores(
    source: str, data: str, imgsz: int, shown: Progress | None = None, *, trust: bool = False, device: str = "cpu"
) -> Scores:
    """Evaluate the untouched model on the val split, on the first of the devices named."""
    key = (source, data, imgsz, trust, device, _state_of(source))
    if key not in _MEASURED:
        model = placed(load_baseline(source, imgsz, trust=trust).model, device)
        _MEASURED[key] = evaluate(model, data=data, imgsz=imgsz, progress=shown or progress(quiet=True))
    return _MEASURED[key]
