"""GPUs that are only said to be there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from yolo_prune_check.model.quiet import prepare_ultralytics
from yolo_prune_check.train import devices, isolation, resume

no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is such a device")
"""Of tests of what is said where a GPU is asked for and none is there."""


class StandIn:
    """Answers what this package asks PyTorch about its GPUs, and computes on the CPU what is meant for them.

    Nothing else is replaced: modules that are moved to a GPU, and trainers that are to use some, stay and are noted.

    Attributes:
        names: What the GPUs are called.
        usable: Whether there is a driver that fits.
        current: The number of the one that is PyTorch's own choice.
        moved: Where modules were moved to.
        trained: Ultralytics' `device` of each training.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
        prepare_ultralytics()
        from yolo_prune_check.train.trainer import TRAINERS, GivenDetector

        self.names = names
        self.usable = True
        self.current = 0
        self.moved: list[str] = []
        self.trained: list[str] = []
        answers = {
            "is_available": lambda: self.usable and bool(self.names),
            "device_count": lambda: len(self.names),
            "get_device_name": lambda gpu=None: self.names[self.current if gpu is None else gpu],
            "current_device": lambda: self.current,
            "set_device": lambda gpu: setattr(self, "current", gpu),
            "get_rng_state_all": lambda: [torch.zeros(1, dtype=torch.uint8) for _ in self.names],
            "set_rng_state_all": lambda _states: None,
        }
        # Of PyTorch itself and Ultralytics, which ask the same before they compute, nobody may believe in them.
        cuda = SimpleNamespace(**answers)
        for module in (devices, isolation, resume):
            monkeypatch.setattr(module, "torch", _With(cuda))
        move, stand_in = nn.Module.to, self

        def to(module: nn.Module, *where: Any, **how: Any) -> nn.Module:
            if where and isinstance(where[0], torch.device) and where[0].type == "cuda":
                self.moved.append(str(where[0]))
                return module
            return move(module, *where, **how)

        class Trainer(GivenDetector):
            def __init__(self, *given: Any, overrides: dict[str, Any], **more: Any) -> None:
                stand_in.trained.append(overrides["device"])
                if overrides["device"] != "cpu":
                    cuda.set_device(int(overrides["device"]))  # as Ultralytics does for one
                super().__init__(*given, overrides={**overrides, "device": "cpu"}, **more)

        monkeypatch.setattr(nn.Module, "to", to)
        monkeypatch.setitem(TRAINERS, "detect", Trainer)  # type: ignore[arg-type]  # read-only to the package


class _With:
    """PyTorch, with other answers about GPUs."""

    def __init__(self, cuda: SimpleNamespace) -> None:
        self.cuda = cuda

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)
