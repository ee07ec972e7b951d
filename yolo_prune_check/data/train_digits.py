"""Train the shipped detector: `python -m yolo_prune_check.data.train_digits`.

A stock YOLOv8n, from scratch, on the `digits` set, on the CPU, without a download. What is kept is the fp16 checkpoint
and a JSON file with the accuracy measured on that very file.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from yolo_prune_check.data.digits import CLASSES, IMAGE_SIZE, build_fresh, content_hash, digits_yaml

WEIGHTS = Path(__file__).with_name("weights") / "yolov8n-digits.pt"
EPOCHS = 120

# A digit mirrored is another sign, hence no flips; a photograph's colours hardly matter to a stroke, hence little hsv.
# nbs = batch: one optimiser step per batch, where Ultralytics would gather gradients up to 64 pictures.
RECIPE: dict[str, Any] = {
    "imgsz": IMAGE_SIZE,
    "batch": 32,
    "nbs": 32,
    "optimizer": "AdamW",
    "lr0": 0.002,
    "lrf": 0.01,
    "momentum": 0.9,
    "weight_decay": 0.0005,
    "warmup_epochs": 2.0,
    "warmup_bias_lr": 0.01,
    "cos_lr": True,
    "patience": 0,
    "fliplr": 0.0,
    "flipud": 0.0,
    "hsv_h": 0.01,
    "hsv_s": 0.3,
    "hsv_v": 0.2,
    "degrees": 5.0,
    "translate": 0.1,
    "scale": 0.3,
    "mosaic": 0.5,
    "erasing": 0.0,
}


@contextmanager
def offline() -> Iterator[Any]:
    """Yield the `ultralytics` package, kept from fonts, updates, installs and telemetry; restored afterwards."""
    settings = {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "WANDB_MODE": "disabled"}
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        ultralytics: Any = importlib.import_module("ultralytics")
        checks: Any = importlib.import_module("ultralytics.data.utils")
        # Checking a data set fetches a font, for plots that are never drawn here.
        fetch_font, checks.check_font = checks.check_font, lambda *_: None
        try:
            yield ultralytics
        finally:
            checks.check_font = fetch_font
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def train(*, epochs: int, threads: int, seed: int, runs: Path, provisional: Path | None = None) -> Path:
    """Train, and return the best checkpoint of the run.

    Args:
        epochs: passes over the 1,600 pictures.
        threads: PyTorch threads.
        seed: seed of initialisation and augmentation.
        runs: folder for Ultralytics' own files.
        provisional: where to export the best checkpoint so far, every tenth epoch.
    """
    import torch

    def use_threads(_trainer: Any) -> None:
        # Choosing the device leaves PyTorch one core fewer than the machine has.
        torch.set_num_threads(threads)

    def export_best(trainer: Any) -> None:
        if provisional and (trainer.epoch + 1) % 10 == 0 and trainer.best.is_file():
            export(trainer.best, provisional)

    with offline() as ultralytics:
        model = ultralytics.YOLO("yolov8n.yaml", task="detect")
        model.add_callback("on_train_start", use_threads)
        model.add_callback("on_fit_epoch_end", export_best)
        model.train(
            **RECIPE,
            data=str(digits_yaml()),
            epochs=epochs,
            close_mosaic=max(1, epochs // 4),
            seed=seed,
            device="cpu",
            workers=0,
            cache="ram",
            amp=False,
            plots=False,
            pretrained=False,
            project=str(runs),
            name="digits",
            exist_ok=True,
        )
        return Path(model.trainer.best)


def export(checkpoint: Path, target: Path) -> None:
    """Strip a training checkpoint to an fp16 model without traces of the machine it was made on.

    Args:
        checkpoint: a `best.pt` or `last.pt` that Ultralytics wrote.
        target: the file to write; replaced in one step.
    """
    import torch

    with offline() as ultralytics:
        raw = torch.load(checkpoint, map_location="cpu", weights_only=False)
        trained = raw.get("ema") or raw["model"]
        args = _public_args(raw["train_args"])
        # Weights go into a freshly built network, so nothing the trainer hung on its modules is kept.
        tasks: Any = importlib.import_module("ultralytics.nn.tasks")
        yaml = {**trained.yaml, "nc": CLASSES, "yaml_file": "yolov8n.yaml"}
        model = tasks.DetectionModel(yaml, nc=CLASSES, verbose=False)
        version = ultralytics.__version__
    model.load_state_dict(trained.float().state_dict())
    model.names = {label: str(label) for label in range(CLASSES)}
    model.args = args
    model.pt_path = None
    model.eval().half()
    for parameter in model.parameters():
        parameter.requires_grad = False
    stripped = {
        "epoch": -1,
        "best_fitness": None,
        "model": model,
        "ema": None,
        "updates": None,
        "optimizer": None,
        "train_args": args,
        "date": None,
        "version": version,
        "license": "AGPL-3.0",
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".tmp", delete=False) as draft:
        torch.save(stripped, draft)
    Path(draft.name).replace(target)
    target.chmod(0o644)


def _public_args(args: dict[str, Any]) -> dict[str, Any]:
    """Training arguments without paths."""
    neutral = {"data": "digits", "model": "yolov8n.yaml", "project": None, "name": "digits", "save_dir": None}
    return {**args, **neutral}


def measure(weights: Path, *, fresh: bool = False) -> dict[str, float]:
    """Accuracy of a checkpoint at imgsz 128 on the CPU (a few seconds).

    Args:
        weights: the checkpoint.
        fresh: measure on 400 new pictures instead of the validation half. Training keeps the epoch that does best on
            the validation half, so a figure from there is a little too good for the epoch that was chosen.

    Returns:
        `{"map50": ..., "map50_95": ...}`, both shares between 0 and 1.
    """
    with offline() as ultralytics, tempfile.TemporaryDirectory() as scratch:
        data = build_fresh(Path(scratch) / "fresh") if fresh else digits_yaml()
        result = ultralytics.YOLO(str(weights)).val(
            data=str(data),
            imgsz=IMAGE_SIZE,
            batch=32,
            device="cpu",
            workers=0,
            plots=False,
            verbose=False,
            project=scratch,
        )
    return {"map50": float(result.box.map50), "map50_95": float(result.box.map)}


def describe(weights: Path, *, epochs: int, seed: int, minutes: float) -> None:
    """Write `weights` with suffix `.json`: how it was made and what it measures."""
    from importlib.metadata import version

    facts = {
        "model": "yolov8n.yaml",
        "data": "digits",
        "data_sha256": content_hash(digits_yaml().parent),
        "imgsz": IMAGE_SIZE,
        "epochs": epochs,
        "seed": seed,
        "minutes": round(minutes, 1),
        "chosen": "best epoch by mAP50-95 on the validation half, which metrics are measured on; fresh_metrics are not",
        "metrics": _rounded(measure(weights)),
        "fresh_metrics": _rounded(measure(weights, fresh=True)),
        "versions": {
            "python": platform.python_version(),
            "torch": version("torch"),
            "ultralytics": version("ultralytics"),
        },
    }
    weights.with_suffix(".json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def _rounded(metrics: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in metrics.items()}


def main(argv: Sequence[str] | None = None) -> None:
    """Train the shipped detector, export it and measure it."""
    parser = argparse.ArgumentParser(prog="python -m yolo_prune_check.data.train_digits", description=main.__doc__)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="checkpoint to write (a .json comes beside it)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=Path, help="keep Ultralytics' own files here instead of in a temporary folder")
    parser.add_argument("--measure", action="store_true", help="only measure the checkpoint at --out")
    options = parser.parse_args(argv)
    if options.measure:
        print(json.dumps({"val": measure(options.out), "fresh": measure(options.out, fresh=True)}))
        return
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        best = train(
            epochs=options.epochs,
            threads=options.threads,
            seed=options.seed,
            runs=options.runs or Path(scratch),
            provisional=options.out,
        )
        export(best, options.out)
        minutes = (time.perf_counter() - start) / 60
        describe(options.out, epochs=options.epochs, seed=options.seed, minutes=minutes)
    print(options.out.with_suffix(".json").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
