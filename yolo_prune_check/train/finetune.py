"""Fine-tuning that keeps what was pruned: the very module is trained, and its masks hold."""

from __future__ import annotations

import copy
import math
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from yolo_prune_check.data.resolve import DataSet, read_data
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.quiet import prepare_ultralytics, quietly
from yolo_prune_check.model.tasks import require_trainable
from yolo_prune_check.progress import Progress
from yolo_prune_check.prune.mask import MaskSet
from yolo_prune_check.train.isolation import isolated
from yolo_prune_check.train.network import Network, as_network

if TYPE_CHECKING:
    from yolo_prune_check.spec.schema import FineTune

WARMUP_SHARE = 0.1
WARMUP_BATCHES = 100

# A digit or letter mirrored is another sign, and a network that is only to recover needs no hard examples: no flips, no
# mosaic, mild shifts and colours.
_AUGMENTATION: dict[str, Any] = {
    "mosaic": 0.0,
    "close_mosaic": 0,
    "fliplr": 0.0,
    "flipud": 0.0,
    "translate": 0.1,
    "scale": 0.3,
    "hsv_h": 0.01,
    "hsv_s": 0.3,
    "hsv_v": 0.2,
    "auto_augment": None,  # of classifiers
    "erasing": 0.0,
}


@dataclass(frozen=True)
class FineTuneResult:
    """What came of a fine-tuning.

    Attributes:
        model: The moving average (EMA) of the trained weights, as Ultralytics ships them, in a copy of the argument:
            float32, eval mode, everything but parameters and buffers as in the argument.
        regrown: Per masked layer, how many masked channels are non-zero again in `model`.
        epochs: Passes over the images.
        seconds: Wall-clock time.
    """

    model: nn.Module
    regrown: dict[str, int]
    epochs: int
    seconds: float


def fine_tune(
    model: nn.Module,
    *,
    data: str,
    imgsz: int,
    settings: FineTune,
    seed: int,
    masks: MaskSet | None,
    work_dir: Path,
    progress: Progress,
    keep_files: bool = False,
) -> FineTuneResult:
    """Train a copy of a detection model for a few epochs, starting from its weights.

    AdamW at a constant learning rate after a short warm-up (a tenth of all batches, at most 100), one step per batch,
    float32, no mosaic and no flips. Ultralytics' defaults are made for hundreds of epochs: in one epoch their warm-up
    and their decay would leave next to nothing. On the CPU the same arguments, library versions and number of threads
    give the same weights; the state of global random generators neither matters nor changes.

    Args:
        model: An Ultralytics detection model; not modified. Training takes place on its device.
        data: A shipped data set or an Ultralytics dataset YAML; its `train` images are used.
        imgsz: Side of the square images, px.
        settings: `epochs`, `fraction` (share of the training images, evenly spread), `batch`, `lr`, `enforce_masks`.
        seed: Seed of everything random.
        masks: Pruned channels. Kept at zero after every step if `settings.enforce_masks`; counted when they came back
            in either case.
        work_dir: Where a temporary folder may be made.
        progress: Told of every batch.
        keep_files: Let Ultralytics write its checkpoints and keep them, in `work_dir`.

    Raises:
        UserError: The data set or model cannot be used, the loss is not finite, or nothing changed.
    """
    prepare_ultralytics()
    from yolo_prune_check.train.trainer import TRAINERS

    begin = time.perf_counter()
    if not 0 < settings.lr <= 1:
        raise UserError("the learning rate must lie between 0 and 1", value=settings.lr, hint="Try 0.0005.")
    data_set = read_data(data)
    require_trainable(model)
    network = as_network(model, data_set)
    images = _images(data_set, network, settings, imgsz)
    batches = math.ceil(len(images) / settings.batch) * settings.epochs
    enforced = masks if settings.enforce_masks else None

    trained = copy.deepcopy(model).float()
    start = {name: value.detach().clone() for name, value in trained.named_parameters()}
    work_dir.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="fine-tune-", dir=work_dir))
    try:
        title = f"fine-tune {settings.epochs} epoch{'s' if settings.epochs > 1 else ''} on {len(images)} images"
        with quietly(), isolated(), progress.task(title, batches) as advance:
            trainer = TRAINERS[network.task](
                trained,
                data_set,
                images,
                masks=enforced,
                warmup=min(WARMUP_BATCHES, int(batches * WARMUP_SHARE)),
                on_batch=lambda: advance(1),
                report=progress.line,
                overrides={
                    **_AUGMENTATION,
                    "task": network.task,
                    "imgsz": imgsz,
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
                    "amp": False,
                    "channels_last": False,
                    "device": network.device_argument,
                    "workers": 0,
                    "seed": seed % 2**32,
                    "deterministic": True,
                    "val": False,
                    "plots": False,
                    "save": keep_files,
                    "verbose": False,
                    "project": str(folder),
                    "name": "ultralytics",
                    "exist_ok": True,
                },
            )
            trainer.train()
            average = trainer.ema.ema
    finally:
        if not keep_files:
            shutil.rmtree(folder, ignore_errors=True)

    # Into a copy of the argument, so that nothing the trainer hung on its modules is kept.
    tuned = copy.deepcopy(model).float().eval()
    tuned.load_state_dict(average.state_dict())
    _check_outcome(start, tuned)
    regrown = masks.regrown(tuned) if masks else {}
    return FineTuneResult(tuned, regrown, settings.epochs, time.perf_counter() - begin)


def _images(data_set: DataSet, network: Network, settings: FineTune, imgsz: int) -> tuple[Path, ...]:
    """The images to train on, so many that no batch is too small for BatchNorm."""
    from yolo_prune_check.train.images import spread

    if settings.batch == 1:
        if imgsz < 2 * network.stride:
            raise UserError(f"batch 1 at image size {imgsz} gives BatchNorm a single value", hint="Raise either.")
        return spread(data_set.images("train"), settings.fraction)
    images = spread(data_set.images("train"), settings.fraction)
    if len(images) % settings.batch == 1:
        images = images[:-1]
    if not images:
        raise UserError("fine-tuning needs two images at least", where=str(data_set.yaml))
    return images


def _check_outcome(start: dict[str, torch.Tensor], tuned: nn.Module) -> None:
    values = dict(tuned.named_parameters())
    if all(torch.equal(value, values[name]) for name, value in start.items()):
        raise UserError(
            "fine-tuning changed nothing: every parameter is what it was",
            hint="Check the learning rate and that not everything is masked.",
        )
    broken = [name for name, value in tuned.state_dict().items() if not bool(torch.isfinite(value).all())]
    if broken:
        raise UserError(f"fine-tuning diverged: {broken[0]} is not finite", hint="Choose a smaller learning rate.")
