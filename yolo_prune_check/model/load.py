"""Loading a model: a shipped name, a checkpoint or a model YAML. Nothing is ever downloaded."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from yolo_prune_check.data import SHIPPED_MODELS, shipped_model
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.architecture import build_model
from yolo_prune_check.model.checkpoint import read_checkpoint
from yolo_prune_check.model.quiet import prepare_ultralytics
from yolo_prune_check.model.tasks import task_of
from yolo_prune_check.model.there import require_there


def load_model(source: str | Path, *, seed: int = 0, trust: bool = False) -> nn.Module:
    """Load an Ultralytics model of any task.

    Args:
        source: A shipped name such as `"yolov8n-digits"`, a `.pt` checkpoint, or a model YAML: a path, or a stock name
            such as `"yolov8n.yaml"`.
        seed: Seed of the weights of a model that is built from a YAML.
        trust: Run the code that a checkpoint asks for. Without it one that needs more than the network classes of
            PyTorch, torchvision and Ultralytics is refused, and nothing in it runs.

    Returns:
        An Ultralytics model (of the class that its task has there) in eval mode and float32; `requires_grad` is as
        stored. It runs on an image alone: open-vocabulary models carry the embeddings of their classes.

    Raises:
        UserError: There is no such model (`require_there`), or it cannot be loaded (`read_checkpoint`, `build_model`).

    >>> len(load_model("yolov8n.yaml").model)
    23
    """
    name = str(source)
    require_there(name)
    if name in SHIPPED_MODELS:
        model = read_checkpoint(shipped_model(name))
    elif Path(name).suffix.lower() == ".pt":
        model = read_checkpoint(Path(name).expanduser(), trust=trust)
    else:
        model = build_model(name, seed)
    return _prepared(model, name)


def _prepared(model: nn.Module, name: str) -> nn.Module:
    prepare_ultralytics()
    from ultralytics.nn.tasks import BaseModel

    if not isinstance(model, BaseModel):
        raise UserError(
            f"not an Ultralytics model but a {type(model).__name__}",
            where=name,
            hint="Load it yourself and trace it from Python: ypc.ChannelGraph.trace(model).",
        )
    if task_of(model) is None:
        last = model.model[-1] if isinstance(getattr(model, "model", None), nn.Sequential) else None
        raise UserError("its last block is no head of Ultralytics", where=name, value=type(last).__name__)
    for module in model.modules():
        if isinstance(module, nn.Upsample) and not hasattr(module, "recompute_scale_factor"):
            module.recompute_scale_factor = None  # checkpoints from before PyTorch 1.11 lack it
    if not hasattr(model, "stride"):
        model.stride = torch.tensor([32.0])  # as Ultralytics gives it to such a checkpoint
    _stop_writing_in_place(model)
    loaded: nn.Module = model.float().eval()
    return loaded


def _stop_writing_in_place(model: nn.Module) -> None:
    """Let activations give a tensor of their own, in blocks of which it is known that they go on with that one.

    Ultralytics writes in place to save memory. But what was written so has another name as well, by which it may be
    read: execution ``adapter`` would have to stay before such an activation.
    """
    for block in model.modules():
        if type(block).__module__.startswith(("ultralytics.nn.", "torchvision.", "torch.nn.")):
            for child in block.children():
                if getattr(child, "inplace", None) is True and type(child).__module__ == "torch.nn.modules.activation":
                    child.inplace = False  # type: ignore[assignment]  # a flag, not a module
