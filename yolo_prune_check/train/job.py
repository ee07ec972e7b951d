"""One training: what is asked for, and carrying it out in this process.

Imports Ultralytics: call `prepare_ultralytics` first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import nn

from yolo_prune_check.data.labelled import spread
from yolo_prune_check.data.resolve import DataSet, read_data
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.network import Network, as_network
from yolo_prune_check.prune.mask import LayerMask, MaskSet
from yolo_prune_check.train.devices import workers_of
from yolo_prune_check.train.failure import memory_told
from yolo_prune_check.train.resume import KeptState
from yolo_prune_check.train.trainer import TRAINERS
from yolo_prune_check.train.widths import require_widths, widths_of

if TYPE_CHECKING:
    from yolo_prune_check.spec.schema import FineTune

WARMUP_SHARE = 0.1
WARMUP_BATCHES = 100

# A digit or letter mirrored is another sign, and a network that is only to recover needs no hard examples: no flips, no
# mosaic, mild shifts and colours. Nor may it depend on which packages for augmentation happen to be installed.
_AUGMENTATION: Final[dict[str, Any]] = {
    "mosaic": 0.0,
    "close_mosaic": 0,
    "fliplr": 0.0,
    "flipud": 0.0,
    "translate": 0.1,
    "scale": 0.3,
    "hsv_h": 0.01,
    "hsv_s": 0.3,
    "hsv_v": 0.2,
    "augmentations": [],
    "auto_augment": None,  # of classifiers
    "erasing": 0.0,
}


@dataclass(frozen=True)
class Job:
    """A training.

    Attributes:
        data: A shipped data set, a dataset YAML or a folder of classes.
        imgsz: Side of the square images, px.
        settings: As the spec has them.
        seed: Seed of everything random.
        masks: Enforced in every step.
        device: In Ultralytics' notation: `cpu`, `0`, or `0,1` for several processes that train together.
        save: Write Ultralytics' checkpoints, too.
    """

    data: str
    imgsz: int
    settings: FineTune
    seed: int
    masks: MaskSet
    device: str
    save: bool

    @property
    def processes(self) -> int:
        """How many train together."""
        return len(self.device.split(","))

    @property
    def workers(self) -> int:
        """How many more read the images of each."""
        return workers_of(self.settings.workers, self.device)

    def told(self) -> dict[str, Any]:
        """All of it as JSON knows it; `Job.read` is the way back."""
        return {**asdict(self), "settings": self.settings.model_dump(mode="json")}

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Job:
        """The job that `told` told of."""
        from yolo_prune_check.spec.schema import FineTune

        masks = [LayerMask(**{**mask, "keep": tuple(mask["keep"])}) for mask in told["masks"]["masks"]]
        settings = FineTune.model_validate(told["settings"])
        return cls(**{**told, "settings": settings, "masks": MaskSet(tuple(masks))})

    def images(self, data_set: DataSet, network: Network) -> tuple[Path, ...]:
        """The images to train on, so many that no process has a batch too small for BatchNorm.

        Raises:
            UserError: There are too few.
        """
        images = spread(data_set.images("train"), self.settings.fraction)
        batch = self.settings.batch // self.processes
        if batch == 1:
            if self.imgsz < 2 * network.stride:
                alone = "batch 1" if self.processes == 1 else f"batch {self.settings.batch} on {self.processes} devices"
                raise UserError(
                    f"{alone} at image size {self.imgsz} gives BatchNorm a single value", hint="Raise either."
                )
            return images
        while math.ceil(len(images) / self.processes) % batch == 1:
            images = images[:-1]
        if not images:
            raise UserError("fine-tuning needs two images at least", where=str(data_set.yaml))
        return images

    def batches(self, images: int) -> int:
        """How many batches each process sees, of so many images."""
        each = math.ceil(images / self.processes)
        return math.ceil(each / (self.settings.batch // self.processes)) * self.settings.epochs


def carry_out(
    job: Job,
    model: nn.Module,
    folder: Path,
    *,
    kept: KeptState | None,
    advance: Callable[[int], None],
    report: Callable[[str], None],
) -> dict[str, torch.Tensor]:
    """Train a module in place, and see to it that it keeps its widths.

    Args:
        job: What is asked for.
        model: In float32.
        folder: An existing one for Ultralytics' files.
        kept: Where the state is kept after each epoch; None keeps none.
        advance: Told the number of batches that are done.
        report: Told, in a sentence, what the user should know.

    Returns:
        The moving average (EMA) of the weights, as a `state_dict`.

    Raises:
        UserError: The data set or model cannot be used.
        TrainingError: The loss is not finite, or memory ran out.
        RebuiltError: What was trained is another network than the given one.
    """
    settings = job.settings
    data_set = read_data(job.data)
    network = as_network(model, data_set)
    images = job.images(data_set, network)
    widths = widths_of(model)
    trainer = TRAINERS[network.task](
        model,
        data_set,
        images,
        masks=job.masks,
        warmup=min(WARMUP_BATCHES, int(job.batches(len(images)) * WARMUP_SHARE)),
        kept=kept,
        advance=advance,
        report=report,
        mixed=settings.amp,
        overrides={
            **_AUGMENTATION,
            "task": network.task,
            "imgsz": job.imgsz,
            "epochs": settings.epochs,
            "batch": settings.batch,
            "nbs": settings.batch,
            "optimizer": "AdamW",
            "lr0": settings.lr,
            "lrf": 1.0,
            "momentum": 0.9,
            "weight_decay": 0.0005,
            "warmup_epochs": 0.0,
            "patience": 0,
            "channels_last": False,
            "device": job.device,
            "workers": job.workers,
            "seed": job.seed % 2**32,
            "deterministic": True,
            "val": False,
            "plots": False,
            "save": job.save,
            "verbose": False,
            "project": str(folder),
            "name": "ultralytics",
            "exist_ok": True,
        },
    )
    with memory_told("fine-tuning", hint="Choose a smaller batch or image size, or a device with more memory."):
        trainer.train()
    average: nn.Module = trainer.ema.ema
    require_widths(widths, widths_of(model), "the trained network")
    require_widths(widths, widths_of(average), "the moving average (EMA)")
    return average.state_dict()
