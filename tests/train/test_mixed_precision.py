"""Mixed precision keeps what float32 keeps. On the CPU the refusal is lifted and PyTorch's own autocast taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.train.test_resume import MASKS, Killed, Killer, killed, tune
from tests.train.tiny import narrow, same, state
from yolo_prune_check.errors import UserError
from yolo_prune_check.train import finetune

AMP = {"epochs": 2, "amp": True}


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finetune, "require_training", lambda *_: None)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    from ultralytics.engine import trainer

    def downloads(*_: Any) -> bool:
        raise AssertionError("Ultralytics would try AMP on a network that it downloads")

    monkeypatch.setattr(trainer, "check_amp", downloads)


def test_on_the_cpu_it_is_refused(network: Any, tiny: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"mixed precision is for GPUs only: got 'cpu'\. Leave out `fine_tune\.amp`"):
        tune(network, tiny, tmp_path, settings=AMP)


@pytest.mark.usefixtures("allowed")
def test_masks_and_widths_hold_in_half_precision(
    network: Any, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from yolo_prune_check.train.trainer import GivenModelTrainer

    seen: set[tuple[Any, ...]] = set()
    step = GivenModelTrainer.optimizer_step

    def watched(trainer: Any) -> None:
        head = trainer.model.model[22].cv3[0][2].weight
        seen.add((trainer.scaler.is_enabled(), trainer.scaler.get_scale() > 1, head.dtype, head.grad.dtype))
        step(trainer)
        assert MASKS.regrown(trainer.model) == MASKS.regrown(trainer.ema.ema) == {"model.1.conv": 0}

    half: set[torch.dtype] = set()
    handle = torch.nn.modules.module.register_module_forward_hook(
        lambda module, _inputs, output: half.add(output.dtype) if isinstance(module, torch.nn.Conv2d) else None
    )
    monkeypatch.setattr(GivenModelTrainer, "optimizer_step", watched)
    narrow(network, 32)
    try:
        mixed = tune(network, tiny, tmp_path, settings=AMP, masks=MASKS)
    finally:
        handle.remove()
    assert seen == {(True, True, torch.float32, torch.float32)}  # gradients are scaled, weights are whole
    assert half == {torch.bfloat16}
    plain = tune(network, tiny, tmp_path, settings={"epochs": 2}, masks=MASKS)
    assert {name: (v.shape, v.dtype) for name, v in mixed.items()} == {n: (v.shape, v.dtype) for n, v in plain.items()}
    assert not same(mixed, plain)
    weight = "model.22.cv3.0.2.weight"
    start = state(network)[weight]
    moves = [(tuned[weight] - start).flatten() for tuned in (mixed, plain)]
    assert torch.cosine_similarity(*moves, dim=0) > 0.5  # the same lesson, less precisely


@pytest.mark.usefixtures("allowed")
def test_a_killed_one_goes_on_with_its_scaler(network: Any, tiny: str, tmp_path: Path) -> None:
    expected = tune(network, tiny, tmp_path, settings=AMP, resume_dir=None)
    with pytest.raises(Killed):
        tune(network, tiny, tmp_path, Killer(4, killed), settings=AMP)
    assert same(tune(network, tiny, tmp_path, settings=AMP), expected)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("amp", [False, True])
def test_on_a_gpu(network: Any, tiny: str, tmp_path: Path, amp: bool) -> None:
    narrow(network, 20)
    tuned = tune(network.cuda(), tiny, tmp_path, settings={"epochs": 2, "amp": amp})
    assert tuned["model.1.conv.weight"].shape[0] == 20
    assert {value.device.type for value in tuned.values()} == {"cuda"}
    assert {value.dtype for value in tuned.values()} == {torch.float32, torch.int64}
    assert not same(tuned, state(network))
