"""Fine-tuning that keeps what was pruned: the very module is trained, its masks hold and its widths stay."""

from __future__ import annotations

import copy
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from yolo_prune_check.data.resolve import read_data
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.network import as_network
from yolo_prune_check.model.quiet import prepare_ultralytics, quietly
from yolo_prune_check.model.tasks import require_trainable
from yolo_prune_check.progress import Progress
from yolo_prune_check.prune.mask import MaskSet
from yolo_prune_check.spec.device import read_device
from yolo_prune_check.train.devices import require_devices, require_training
from yolo_prune_check.train.failure import TrainingError
from yolo_prune_check.train.isolation import isolated
from yolo_prune_check.train.resume import NAME, KeptState, fingerprint_of
from yolo_prune_check.train.widths import require_widths, widths_in_files, widths_of

if TYPE_CHECKING:
    from yolo_prune_check.spec.schema import FineTune


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
    resume_dir: Path | None = None,
    devices: Sequence[int] | None = None,
) -> FineTuneResult:
    """Train a copy of a model for a few epochs, starting from its weights.

    AdamW at a constant learning rate after a short warm-up (a tenth of all batches, at most 100), one step per batch,
    no mosaic and no flips, float32 unless mixed precision is asked for. Ultralytics' defaults are made for hundreds of
    epochs: in one epoch their warm-up and their decay would leave next to nothing. On the CPU the same arguments,
    library versions and numbers of threads and workers give the same weights, whether or not the training was
    interrupted; the state of global random generators neither matters nor changes.

    Args:
        model: An Ultralytics model that detects, segments, finds poses or oriented boxes, or classifies; not modified.
            Training takes place on its device.
        data: A shipped data set or an Ultralytics dataset YAML, for a classifier a folder of classes; its `train`
            images are used.
        imgsz: Side of the square images, px.
        settings: `epochs`, `fraction` (share of the training images, evenly spread), `batch`, `lr`, `enforce_masks`,
            `amp` (mixed precision; only on GPUs), `workers` (that read images; see `workers_of`).
        seed: Seed of everything random.
        masks: Pruned channels. Kept at zero after every step if `settings.enforce_masks`; counted when they came back
            in either case.
        work_dir: Where a temporary folder may be made.
        progress: Told of every batch.
        keep_files: Let Ultralytics write its checkpoints and keep them, in `work_dir`.
        resume_dir: Where the state of the training is kept after each epoch until the training ends. If that of this
            very training is there, it goes on after its last whole epoch; that of another one is replaced.
        devices: GPUs to train on instead of the model's own device. On several, each trains on an equal share of every
            batch in a process of its own; there, the model must consist of stock modules. The result is on the model's
            own device all the same.

    Raises:
        UserError: The data set or model cannot be used.
        TrainingError: The loss is not finite, nothing changed, or memory ran out.
        RebuiltError: A network of other widths than the given one was trained, or written to a checkpoint.
    """
    prepare_ultralytics()
    from yolo_prune_check.train.job import Job, carry_out
    from yolo_prune_check.train.launch import train_together

    begin = time.perf_counter()
    if not 0 < settings.lr <= 1:
        raise UserError("the learning rate must lie between 0 and 1", value=settings.lr, hint="Try 0.0005.")
    data_set = read_data(data)
    require_trainable(model)
    network = as_network(model, data_set)
    if devices is None:
        device = network.device_argument
    else:
        device = read_device(list(devices), where="devices")
        require_devices(device, where="devices")
    require_training(settings, device)
    enforced = masks if masks and settings.enforce_masks else MaskSet()
    job = Job(str(data_set.yaml), imgsz, settings, seed, enforced, device, keep_files)
    images = job.images(data_set, network)

    trained = copy.deepcopy(model).float()
    start = {name: value.detach().clone() for name, value in trained.named_parameters()}
    kept = None
    if resume_dir is not None:
        fingerprint = fingerprint_of(trained, images, data_set, {**job.told(), "workers": job.workers})
        kept = KeptState(resume_dir / NAME, fingerprint, progress.line)
    work_dir.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="fine-tune-", dir=work_dir))
    title = f"fine-tune {settings.epochs} epoch{'s' if settings.epochs > 1 else ''} on {len(images)} images"
    try:
        with quietly(), isolated(), progress.task(title, job.batches(len(images))) as advance:
            train = carry_out if job.processes == 1 else train_together
            average = train(job, trained, folder, kept=kept, advance=advance, report=progress.line)
        if keep_files:
            checkpoints = sorted(folder.rglob("*.pt"))
            for file, widths in zip(checkpoints, widths_in_files(checkpoints), strict=True):
                require_widths(widths_of(model), widths, file.name)
        # Into a copy of the argument, so that nothing the trainer hung on its modules is kept.
        tuned = copy.deepcopy(model).float().eval()
        tuned.load_state_dict(average)
        _check_outcome(start, tuned)
    except UserError:
        _end(kept)  # it would fail again
        raise
    finally:
        if not keep_files:
            shutil.rmtree(folder, ignore_errors=True)
    _end(kept)
    regrown = masks.regrown(tuned) if masks else {}
    return FineTuneResult(tuned, regrown, settings.epochs, time.perf_counter() - begin)


def _end(kept: KeptState | None) -> None:
    if kept is not None:
        kept.remove()


def _check_outcome(start: dict[str, torch.Tensor], tuned: nn.Module) -> None:
    values = dict(tuned.named_parameters())
    if all(torch.equal(value, values[name]) for name, value in start.items()):
        raise TrainingError(
            "fine-tuning changed nothing: every parameter is what it was",
            hint="Check the learning rate and that not everything is masked.",
        )
    broken = [name for name, value in tuned.state_dict().items() if not bool(torch.isfinite(value).all())]
    if broken:
        raise TrainingError(f"fine-tuning diverged: {broken[0]} is not finite", hint="Choose a smaller learning rate.")
