"""What a network is for, which Ultralytics class it needs, and what only a YOLO detector can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from torch import nn

from yolo_prune_check.errors import UserError
from yolo_prune_check.model.quiet import prepare_ultralytics

# The head decides: its class in `ultralytics.nn.modules`, the task, the model's class in `ultralytics.nn.tasks`.
# The first that fits counts, since most heads are subclasses of `Detect`.
_HEADS: Final = (
    ("Classify", "classify", "ClassificationModel"),
    ("SemanticSegment", "semantic", "SemanticSegmentationModel"),
    ("Depth", "depth", "DepthModel"),
    ("RTDETRDecoder", "detect", "RTDETRDetectionModel"),
    ("YOLOESegment", "segment", "YOLOESegModel"),
    ("YOLOEDetect", "detect", "YOLOEModel"),
    ("WorldDetect", "detect", "WorldModel"),
    ("Segment", "segment", "SegmentationModel"),
    ("Pose", "pose", "PoseModel"),
    ("OBB", "obb", "OBBModel"),
    ("Detect", "detect", "DetectionModel"),
)


def class_for(config: Mapping[str, Any], name: str) -> type[nn.Module]:
    """The Ultralytics class that builds what a model YAML describes.

    Args:
        config: The YAML's content.
        name: Its name, for the message.

    Raises:
        UserError: Its last block is none of Ultralytics' heads.
    """
    prepare_ultralytics()
    from ultralytics.nn import modules, tasks

    try:
        written = str(config["head"][-1][2])
    except (IndexError, KeyError, TypeError):
        written = ""
    head = getattr(modules, written, None) or getattr(modules.head, written, None)
    row = _row(head) if isinstance(head, type) else None
    if row is None:
        known = ", ".join(known for known, _, _ in _HEADS)
        raise UserError(
            "the last block of the model YAML is no head of Ultralytics",
            where=name,
            value=written,
            hint=f"End it with one of {known}.",
        )
    found: type[nn.Module] = getattr(tasks, row[2])
    return found


def task_of(model: nn.Module) -> str | None:
    """`detect`, `segment`, `semantic`, `depth`, `pose`, `obb` or `classify`; None if the last block is no head."""
    blocks = getattr(model, "model", None)
    row = _row(type(blocks[-1])) if isinstance(blocks, nn.Sequential) and len(blocks) else None
    return row[1] if row else None


def require_detector(model: nn.Module, *, where: str | None = None, hint: str | None = None) -> None:
    """Check that boxes come out of a model as they do out of a YOLO detector.

    Raises:
        UserError: It is a model of another task, RT-DETR, or no Ultralytics model.
    """
    prepare_ultralytics()
    from ultralytics.nn.modules import Detect
    from ultralytics.nn.tasks import DetectionModel

    task = task_of(model)
    if isinstance(model, DetectionModel) and task == "detect" and isinstance(model.model[-1], Detect):
        return
    kind = type(model).__name__
    raise UserError(
        "only YOLO detection models can be read object by object",
        where=where,
        value=f"{kind} for {task}" if task else kind,
        hint=hint or "Use a detection model.",
    )


def require_yolo(model: nn.Module, *, where: str | None = None, hint: str | None = None) -> str:
    """The task of a model that Ultralytics trains and validates like a YOLO of its task.

    Returns:
        `detect`, `segment`, `pose`, `obb` or `classify`.

    Raises:
        UserError: It is RT-DETR, of another task, or no Ultralytics model.
    """
    prepare_ultralytics()
    from ultralytics.nn.modules import Detect
    from ultralytics.nn.tasks import ClassificationModel, DetectionModel

    task = task_of(model)
    network: Any = model
    if task == "classify" and isinstance(model, ClassificationModel):
        return task
    if task is not None and isinstance(model, DetectionModel) and isinstance(network.model[-1], Detect):
        return task
    kind = type(model).__name__
    raise UserError(
        "only YOLO models that detect, segment, pose, find oriented boxes or classify can be evaluated or fine-tuned",
        where=where,
        value=f"{kind} for {task}" if task else kind,
        hint=hint or "Use one of them.",
    )


def require_boxes(model: nn.Module, *, where: str | None = None, hint: str | None = None) -> str:
    """The task of a model whose answers are boxes, alone or with masks, keypoints or angles, so that it has an mAP.

    Raises:
        UserError: As `require_yolo`, or it is a classifier.
    """
    task = require_yolo(model, where=where, hint=hint)
    if task == "classify":
        raise UserError("a classifier has no mAP", where=where, value=type(model).__name__, hint=hint)
    return task


def require_trainable(model: nn.Module, *, where: str | None = None, hint: str | None = None) -> str:
    """The task of a model that learns from labelled images alone.

    Raises:
        UserError: As `require_yolo`, or it is a detector that is trained with texts.
    """
    task = require_yolo(model, where=where, hint=hint)
    from ultralytics.nn.tasks import WorldModel, YOLOEModel

    if isinstance(model, (WorldModel, YOLOEModel)):
        raise UserError(
            "an open-vocabulary detector is trained with texts, which this package has none of",
            where=where,
            value=type(model).__name__,
            hint=hint or "Use a detector of a fixed set of classes.",
        )
    return task


def _row(head: type) -> tuple[str, str, str] | None:
    prepare_ultralytics()
    from ultralytics.nn.modules import head as heads

    # An older Ultralytics lacks some of them.
    return next((row for row in _HEADS if issubclass(head, getattr(heads, row[0], ()))), None)
