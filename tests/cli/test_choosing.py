"""By what ``compact`` chooses channels where nothing is said."""

from __future__ import annotations

import copy

from ultralytics import YOLO

from yolo_prune_check.cli.choosing import Criterion, Scope, best_criterion, best_scope
from yolo_prune_check.model.load import load_model


def test_without_data_weights_decide_as_far_as_they_tell_channels_apart() -> None:
    trained = load_model("yolov8n-digits")
    assert best_criterion(trained, None) is Criterion.GAMMA
    assert best_criterion(YOLO("yolov8n.yaml").model, None) is Criterion.L1  # all of its BatchNorms are new
    fused = copy.deepcopy(trained)
    fused.fuse(verbose=False)  # type: ignore[operator]
    assert best_criterion(fused, None) is Criterion.L1


def test_with_data_the_loss_does() -> None:
    assert best_criterion(load_model("yolov8n-digits"), "digits") is Criterion.TAYLOR
    assert best_scope(Criterion.TAYLOR) is Scope.GLOBAL
    assert best_scope(Criterion.GAMMA) is Scope.GROUP
