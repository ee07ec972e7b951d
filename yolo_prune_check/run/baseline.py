"""Load a scenario's model and measure it before anything is pruned; once for each process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from torch import nn

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.model.image_size import image_size
from yolo_prune_check.model.load import load_model
from yolo_prune_check.progress import Progress, progress
from yolo_prune_check.prune.copied import copied
from yolo_prune_check.run.facts import facts_of
from yolo_prune_check.run.record import ModelFacts
from yolo_prune_check.scores import Scores
from yolo_prune_check.spec.part import Part
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


def load_baseline(source: str, imgsz: int | None, *, trust: bool = False) -> Baseline:
    """Load and trace a model; ``trust`` runs the code that a checkpoint asks for.

    Args:
        source: As ``load_model`` takes it.
        imgsz: Image size in pixels; the model's own if None. ``graph.imgsz`` is what was taken.
        trust: Whether code in a checkpoint is accepted.
    """
    return _load(source, imgsz or own_size(source, trust=trust), trust, _state_of(source))


def own_size(source: str, *, trust: bool = False) -> int:
    """The image size in pixels that a model is used at where none is named, see ``image_size``."""
    return image_size(untouched(source, trust=trust))


def untouched(source: str, *, trust: bool = False) -> nn.Module:
    """The model as it is loaded, which nobody may change; one that was loaded lately is not loaded again."""
    return _model(source, trust, _state_of(source))


def _state_of(source: str) -> tuple[int, int] | None:
    """What changes when a model file is overwritten; None for a name."""
    file = Path(source)
    return (file.stat().st_mtime_ns, file.stat().st_size) if file.is_file() else None


@lru_cache(maxsize=4)
def _model(source: str, trust: bool, _state: tuple[int, int] | None) -> nn.Module:
    return load_model(source, trust=trust)


@lru_cache(maxsize=4)
def _load(source: str, imgsz: int, trust: bool, state: tuple[int, int] | None) -> Baseline:
    model = _model(source, trust, state)
    graph = ChannelGraph.trace(model, imgsz=imgsz)
    return Baseline(model, graph, facts_of(model, graph))


_MEASURED: dict[tuple[str, str, int, bool, str, Part | None, tuple[int, int] | None], Scores] = {}


def baseline_scores(
    source: str,
    data: str,
    imgsz: int,
    shown: Progress | None = None,
    *,
    trust: bool = False,
    device: str = "cpu",
    workers: int | None = None,
    part: Part | None = None,
) -> Scores:
    """Evaluate the untouched model on the val split or a part of it, on the first of the devices named."""
    key = (source, data, imgsz, trust, device, part, _state_of(source))
    if key not in _MEASURED:
        model = placed(load_baseline(source, imgsz, trust=trust).model, device)
        shown = shown or progress(quiet=True)
        _MEASURED[key] = evaluate(model, data=data, imgsz=imgsz, progress=shown, workers=workers, part=part)
    return _MEASURED[key]
