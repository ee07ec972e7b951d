"""One entrance for all criteria, on the shipped detector."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import nn

from yolo_prune_check.errors import UserError
from yolo_prune_check.model.addresses import find_layer
from yolo_prune_check.model.load import load_model
from yolo_prune_check.select.choose import Choice, evidence_of, select_channels
from yolo_prune_check.select.criteria import CRITERIA
from yolo_prune_check.select.evidence import Evidence
from yolo_prune_check.select.sliced import SlicedMismatch
from yolo_prune_check.spec.schema import Select


def choose(model: nn.Module, address: str, seed: int = 0, activations: Any = "hooked", **select: Any) -> Choice:
    settings = Select(**{"max_images": 60, "criterion": "separability", **select})
    layer = find_layer(model, address)
    evidence = evidence_of(model, settings, data="digits", imgsz=128, seed=seed)
    choice = select_channels(evidence, layer, settings, activations=activations)
    json.dumps(choice.details, allow_nan=False)
    assert list(choice.keep) == sorted(set(choice.keep))
    assert all(type(channel) is int for channel in choice.keep)
    assert choice.scores is not None
    assert len(choice.scores) == layer.out_channels
    return choice


def test_separability_chooses_how_many(detector: nn.Module) -> None:
    choice = choose(detector, "2.0")
    assert 2 < len(choice.keep) < 30
    details = choice.details
    assert details["k"] == details["knee"] == len(choice.keep)
    assert details["fallback"] is None
    assert 0.5 < details["silhouette"] < 1
    assert details["classes"] == list(range(10))
    assert details["images"] == 60
    assert 0 < details["objects"] <= details["ground_truth"]
    assert choice == choose(detector, "2.0")


def test_separability_with_a_ratio(detector: nn.Module) -> None:
    assert len(choose(detector, "2.0", ratio=0.75).keep) == 8


def test_sliced_activations_give_the_same_choice_where_they_exist(detector: nn.Module) -> None:
    assert choose(detector, "2.0", activations="sliced").keep == choose(detector, "2.0").keep


def test_sliced_activations_fail_as_in_the_notes(detector: nn.Module) -> None:
    with pytest.raises(SlicedMismatch, match=r"^model\.2\.cv2\.conv: Given groups=1.* to have 48 channels, but got 32"):
        choose(detector, "2.1", activations="sliced")


@pytest.mark.parametrize("criterion", [name for name in CRITERIA if name != "separability"])
def test_scores_rank_the_channels(detector: nn.Module, criterion: str) -> None:
    choice = choose(detector, "2.0", criterion=criterion, ratio=0.5)
    assert choice.scores is not None
    assert len(choice.keep) == 16
    lost = [score for channel, score in enumerate(choice.scores) if channel not in choice.keep]
    assert min(choice.scores[channel] for channel in choice.keep) >= max(lost)


def test_without_a_ratio_half_of_the_channels_go(detector: nn.Module) -> None:
    assert len(choose(detector, "2.0", criterion="l1").keep) == 16


def test_an_unknown_criterion(detector: nn.Module) -> None:
    settings = Select.model_construct(criterion="magic", ratio=0.5, seed=0)
    with pytest.raises(UserError, match=r"no such criterion: got 'magic'\. There are taylor, separability, l1, l2, "):
        select_channels(Evidence(detector), find_layer(detector, "2.0"), settings)


def test_separability_needs_data(detector: nn.Module) -> None:
    with pytest.raises(UserError, match="the criterion separability needs data"):
        select_channels(Evidence(detector), find_layer(detector, "2.0"), Select(criterion="separability"))


def test_the_seed_of_the_scenario_unless_the_choice_has_its_own(detector: nn.Module) -> None:
    one = choose(detector, "5.0", seed=1, criterion="random", ratio=0.5)
    other = choose(detector, "5.0", seed=2, criterion="random", ratio=0.5)
    assert one.keep != other.keep
    settings = Select(criterion="random", ratio=0.5, seed=1)
    layer = find_layer(detector, "5.0")
    own = select_channels(evidence_of(detector, settings, data=None, imgsz=128, seed=2), layer, settings)
    assert own.keep == one.keep


@pytest.mark.parametrize("criterion", list(CRITERIA))
def test_masked_channels_are_never_chosen_over_live_ones(detector: Any, criterion: str) -> None:
    layer = find_layer(detector, "2.0")
    masked = list(range(0, 32, 2))
    with torch.no_grad():
        detector.get_submodule(layer.name).weight[masked] = 0
        norm = detector.get_submodule(str(layer.norm))
        norm.weight[masked] = 0
        norm.bias[masked] = 0
    live = set(range(1, 32, 2))
    assert set(choose(detector, "2.0", criterion=criterion, ratio=0.75).keep) < live
    assert set(choose(detector, "2.0", criterion=criterion, ratio=0.25).keep) > live
    if criterion == "separability":
        assert set(choose(detector, "2.0").keep) <= live


def test_an_untrained_model_has_no_activations() -> None:
    with pytest.raises(UserError, match="no activations found"):
        choose(load_model("yolov8n.yaml"), "1.0", max_images=4)
