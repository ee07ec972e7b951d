"""The worker of a training on several devices, on the CPU.

Ultralytics trains together on GPUs only: it picks NCCL and a GPU for each process, and hands PyTorch's
`DistributedDataParallel` a GPU's number, which that refuses for a network on the CPU. These three are replaced, and
nothing else. Each process writes down what it trained.
"""

from __future__ import annotations

import hashlib
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import distributed, nn

from yolo_prune_check.model.quiet import prepare_ultralytics
from yolo_prune_check.train import worker


class OnCpu(nn.parallel.DistributedDataParallel):
    def __init__(self, module: nn.Module, device_ids: list[None], **more: Any) -> None:
        assert device_ids == [None]
        super().__init__(module, **more)


def main(folder: Path) -> int:
    prepare_ultralytics()
    from ultralytics.utils import RANK, WORLD_SIZE

    from yolo_prune_check.train import trainer

    class Trainer(trainer.GivenDetector):
        images: list[str]

        def __init__(self, *given: Any, overrides: dict[str, Any], **more: Any) -> None:
            assert overrides["device"] == "0,1"
            super().__init__(*given, overrides={**overrides, "device": "cpu"}, **more)
            self.world_size = WORLD_SIZE
            self.images = []

        def _setup_ddp(self) -> None:
            distributed.init_process_group("gloo", timeout=timedelta(seconds=120), rank=RANK, world_size=WORLD_SIZE)

        def preprocess_batch(self, batch: dict[str, Any]) -> Any:
            self.images += [Path(image).name for image in batch["im_file"]]
            return super().preprocess_batch(batch)

        def final_eval(self) -> None:
            weights = b"".join(value.detach().numpy().tobytes() for value in self._given.parameters())
            seen = {
                "wrapped": type(self.model).__name__,
                "width": self.model.module.model[1].conv.out_channels,
                "images": sorted(self.images),
                "parameters": hashlib.sha256(weights).hexdigest(),
                "regrown": self._masks.regrown(self._given),
                "threads": torch.get_num_threads(),
            }
            (Path(self.args.project).parent / f"seen-{RANK}.json").write_text(json.dumps(seen))

    nn.parallel.DistributedDataParallel = OnCpu  # type: ignore[misc]  # as Ultralytics finds it
    trainer.TRAINERS["detect"] = Trainer  # type: ignore[index]  # in this process only
    return worker.main(folder)


if __name__ == "__main__":
    worker.end_with_starter()
    sys.exit(main(Path(sys.argv[1])))
