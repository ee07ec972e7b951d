"""Ultralytics' trainers, kept to the very module they are given.

A stock trainer builds a new network from the model's YAML and copies over the weights that fit: a pruned network
comes out dense again. It also lets masked channels grow back, in the network and in its moving average (EMA).

Imports Ultralytics: call `prepare_ultralytics` first.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import nn
from ultralytics.engine.trainer import BaseTrainer
from ultralytics.models.yolo.classify import ClassificationTrainer
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.models.yolo.obb import OBBTrainer
from ultralytics.models.yolo.pose import PoseTrainer
from ultralytics.models.yolo.segment import SegmentationTrainer
from ultralytics.utils import RANK
from ultralytics.utils.torch_utils import unwrap_model

from yolo_prune_check.data.folders import FolderImages
from yolo_prune_check.data.labelled import LabelledImages, as_ultralytics
from yolo_prune_check.data.resolve import DataSet
from yolo_prune_check.model.network import as_network
from yolo_prune_check.prune.mask import MaskSet
from yolo_prune_check.train.failure import TrainingError
from yolo_prune_check.train.isolation import pin_threads
from yolo_prune_check.train.resume import KeptState
from yolo_prune_check.train.widths import RebuiltError, require_widths, widths_of

_EPOCH_STRIDE = 1_000_003
"""Between the seeds of two epochs: larger than any number of processes."""


class GivenModelTrainer(BaseTrainer):
    """Trains a model as it is: nothing rebuilt, nothing downloaded, nothing validated, nobody told.

    Stands before the stock trainer of a task among the bases of a class. Ultralytics' callbacks (loggers, platform,
    usage statistics) never run, whatever the user's settings say. The training itself (loss, optimizer, augmentation,
    EMA) is Ultralytics'.

    Args:
        model: The module to train, in place.
        data: Its data set.
        images: The images to train on.
        masks: Enforced after every optimizer step in the model and in its EMA.
        warmup: Batches over which the learning rate rises from near zero to its value.
        kept: Where the state is kept after each epoch but the last, and looked for at the start; None keeps none.
        advance: Told the number of batches that are done: after every batch, and at the start if it goes on.
        report: Told, in a sentence, what the user should know.
        mixed: Train in mixed precision (AMP), with scaled gradients.
        overrides: Arguments of Ultralytics' trainer, without `amp`. `save` decides whether it writes checkpoints.
    """

    # Ultralytics sets these to None or a file name first, which is all a type checker sees.
    model: Any
    ema: Any
    optimizer: Any
    scaler: Any
    loss: Any

    def __init__(
        self,
        model: nn.Module,
        data: DataSet,
        images: Sequence[Path],
        *,
        masks: MaskSet,
        warmup: int,
        kept: KeptState | None,
        advance: Callable[[int], None],
        report: Callable[[str], None],
        mixed: bool,
        overrides: dict[str, Any],
    ) -> None:
        self._given: Any = model
        self._data_set = data
        self._images = images
        self._masks = masks
        self._warmup = warmup
        self._batches = 0
        self._kept = kept
        self._advance = advance
        self._widths = widths_of(model)
        self._report = report
        self._names = as_network(model, data).names  # before Ultralytics gives it the data set's
        self._mixed = mixed
        given = {"model": "given", "data": str(data.yaml), "mode": "train", "amp": False}
        with pin_threads():
            super().__init__(overrides={**overrides, **given})
        self.args.workers = overrides["workers"]  # Ultralytics forgets them on the CPU
        self.model = model

    def get_dataset(self) -> dict[str, Any]:
        """The data set, which is checked already; Ultralytics would look for it online."""
        return as_ultralytics(self._data_set)

    def setup_model(self) -> None:
        """Use the given module; nothing is loaded."""
        self._given.criterion = None  # of an earlier training
        self.model = self._given

    def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> Any:
        """The given module, whatever the YAML says."""
        return self._given

    def build_dataset(self, img_path: str, mode: str = "train", batch: int | None = None) -> Any:
        """The given images, augmented."""
        return LabelledImages(
            self._images,
            self._data_set,
            task=self.args.task,
            hyp=self.args,
            augment=True,
            batch=batch or self.batch_size,
            stride=self.stride,
            report=self._report,
        )

    def get_dataloader(self, dataset_path: str, batch_size: int = 16, rank: int = 0, mode: str = "train") -> Any:
        """The training images; for validation, which does not take place, the same loader stands in."""
        if mode == "val":
            return self.train_loader
        return super().get_dataloader(dataset_path, batch_size, rank, mode)

    def _build_train_pipeline(self) -> None:
        """Decide on mixed precision as asked, before anything is loaded into its scaler.

        Ultralytics, told `amp`, would try it out on a network that it downloads. It comes here again, with half the
        batch, when a GPU runs out of memory in the first epoch; as many images make a step all the same.
        """
        if self.batch_size != self.args.nbs:
            self._report(f"the device is out of memory: batches of {self.batch_size} instead of {self.args.nbs} images")
        self.args.amp = self.amp = self._mixed
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self._mixed)
        super()._build_train_pipeline()

    def run_callbacks(self, event: str) -> None:
        """Our own hooks, and no others."""
        if event == "on_train_start":
            self._check_network()
            self._enforce()
        elif event == "on_train_epoch_start":
            self._seed_epoch()
        elif event == "on_train_batch_start":
            self._set_learning_rate()
        elif event == "on_train_batch_end":
            self._check_loss()
            self._advance(1)
        elif event == "on_fit_epoch_end":
            self._keep()

    def resume_training(self, ckpt: Any) -> None:
        """Go on after the last whole epoch of this very training, if its state was kept."""
        state = self._kept.read() if self._kept else None
        if state is None:
            return
        self._given.load_state_dict(state["model"])
        self.ema.ema.load_state_dict(state["average"])
        self.ema.updates = state["updates"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.start_epoch = state["epochs"]  # Ultralytics sets the scheduler to it
        self._batches = state["batches"]
        criterion = self._given.init_criterion()
        if hasattr(criterion, "update"):  # weighs its two heads by the epoch
            criterion.updates = self.start_epoch - 1
            criterion.update()
            self._given.criterion = criterion
        self._report(f"fine-tuning goes on after epoch {self.start_epoch} of {self.epochs}")
        self._advance(self._batches)

    def optimizer_step(self) -> None:
        """One step, after which everything masked is zero again, in the model and in its EMA."""
        self._masks.stop_gradients(self._given)
        super().optimizer_step()
        self._enforce()

    def validate(self) -> tuple[dict[str, float], None]:
        """Nothing: `evaluate` measures, once, what is kept."""
        return {}, None

    def final_eval(self) -> None:
        """Nothing: see `validate`."""

    def save_metrics(self, metrics: dict[str, float]) -> None:
        """Write Ultralytics' CSV only where checkpoints are wanted as well."""
        if self.args.save:
            super().save_metrics(metrics)

    def save_model(self) -> bool:
        """Write checkpoints only where they are wanted (Ultralytics always writes the last)."""
        if not self.args.save:
            return False
        self._enforce()
        return bool(super().save_model())

    def _check_network(self) -> None:
        network = unwrap_model(self.model)
        require_widths(self._widths, widths_of(network), "the network that is trained")
        require_widths(self._widths, widths_of(self.ema.ema), "the moving average (EMA)")
        if network is not self._given:
            raise RebuiltError("the trainer trains another network than the one it was given")

    def _enforce(self) -> None:
        self._masks.apply(self._given)
        self._masks.apply(self.ema.ema)

    def _seed_epoch(self) -> None:
        """What an epoch draws depends on the seed and its number, not on the epochs that this process has seen.

        Workers are seeded from the loader's generator when they start, which they do anew. Without any, the first epoch
        is seeded as Ultralytics does.
        """
        seed = self.args.seed + 1 + RANK + _EPOCH_STRIDE * self.epoch
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
        if self.epoch or self.train_loader.num_workers:
            self.train_loader.generator.manual_seed(seed)
            self.train_loader.reset()

    def _keep(self) -> None:
        done = self.epoch + 1
        if self._kept is None or done >= self.epochs or RANK > 0:
            return
        self._kept.write(
            {
                "epochs": done,
                "batches": self._batches,
                "model": self._given.state_dict(),
                "average": self.ema.ema.state_dict(),
                "updates": self.ema.updates,
                "optimizer": self.optimizer.state_dict(),
                "scaler": self.scaler.state_dict(),
            }
        )

    def _set_learning_rate(self) -> None:
        self._batches += 1
        if self._batches <= self._warmup + 1:  # the first batch after the warm-up sets the full rate
            share = min(1.0, self._batches / (self._warmup + 1))
            for group in self.optimizer.param_groups:
                group["lr"] = group["initial_lr"] * share

    def _check_loss(self) -> None:
        # Ultralytics would load its last checkpoint and try again; a result must not depend on such luck.
        if not bool(torch.isfinite(self.loss)):
            raise TrainingError(
                f"fine-tuning diverged in batch {self._batches}: the loss is {self.loss.item()}",
                hint=f"Choose a smaller learning rate than {self.args.lr0:g}, or prune less.",
            )


class GivenDetector(GivenModelTrainer, DetectionTrainer):
    """Trains a detector."""


class GivenSegmenter(GivenModelTrainer, SegmentationTrainer):
    """Trains a model for instance segmentation."""


class GivenPose(GivenModelTrainer, PoseTrainer):
    """Trains a model for keypoints."""


class GivenOBB(GivenModelTrainer, OBBTrainer):
    """Trains a model for oriented boxes."""


class GivenClassifier(GivenModelTrainer, ClassificationTrainer):
    """Trains a classifier."""

    def build_dataset(self, img_path: str, mode: str = "train", batch: int | None = None) -> FolderImages:
        """The given images, augmented."""
        return FolderImages(
            self._images,
            self._data_set,
            split="train",
            augment=True,
            names=self._names,
            hyp=self.args,
            report=self._report,
        )


TRAINERS: Final[Mapping[str, type[GivenModelTrainer]]] = {
    "detect": GivenDetector,
    "segment": GivenSegmenter,
    "pose": GivenPose,
    "obb": GivenOBB,
    "classify": GivenClassifier,
}
"""The trainer of each task."""
