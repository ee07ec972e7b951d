"""What commands that measure many plans of one model ask for alike, and how they begin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from yolo_prune_check.cli.image_size import OWN_SIZE, is_image_size
from yolo_prune_check.cli.run import BackendName
from yolo_prune_check.errors import UserError
from yolo_prune_check.plugin.names import DEVICE
from yolo_prune_check.plugin.names import TRUST as TRUSTS
from yolo_prune_check.plugin.places import check_device

if TYPE_CHECKING:
    from yolo_prune_check.run.trial import Bench

Model = Annotated[str, typer.Argument(metavar="MODEL", help="A .pt, a model .yaml or a shipped name.")]
Data = Annotated[
    str, typer.Option("--data", metavar="DATA", help="Measure on this data set: a name, a YAML, a folder of classes.")
]
ImageSize = Annotated[int | None, typer.Option("--imgsz", callback=is_image_size, help=OWN_SIZE)]
Device = Annotated[str, typer.Option("--device", metavar="DEVICE", help=DEVICE)]
Workers = Annotated[
    int | None,
    typer.Option("--workers", help="Processes that read images; by default none, on a GPU one a core, 8 at most."),
]
Trust = Annotated[bool, typer.Option("--trust-checkpoint", help=TRUSTS)]
Jobs = Annotated[int, typer.Option("--jobs", "-j", metavar="N", min=1, help="Measure so many models at a time.")]
Backend = Annotated[
    BackendName, typer.Option("--backend", help="Where: processes of this machine, or workers of a running cluster.")
]
Address = Annotated[
    str | None,
    typer.Option("--address", metavar="ADDR", help="Of the cluster: dask's scheduler, or HOST:PORT of Ray."),
]
Ratios = Annotated[
    list[str] | None,
    typer.Option(
        "--ratios",
        metavar="R",
        help="Shares of the channels that go, such as 0.25,0.5; may be given several times.  [default: 0.25,0.5,0.75]",
        show_default=False,
    ),
]


def read_ratios(texts: list[str] | None) -> tuple[float, ...]:
    """The ratios, each once, ascending.

    Raises:
        UserError: One is no number above 0 and below 1.
    """
    hint = "Such as --ratios 0.25,0.5,0.75."
    found = set[float]()
    for word in ",".join(texts or ["0.25,0.5,0.75"]).replace(" ", ",").split(","):
        if not word:
            continue
        try:
            ratio = float(word)
        except ValueError as error:
            raise UserError("not a share of channels", where="--ratios", value=word, hint=hint) from error
        if not 0 < ratio < 1:
            what = "the share of channels to remove must lie between 0 and 1"
            raise UserError(what, where="--ratios", value=word, hint=hint)
        found.add(ratio)
    if not found:
        raise UserError("no share of channels is given", where="--ratios", hint=hint)
    return tuple(sorted(found))


def read_bench(
    model: str, data: str, imgsz: int | None, *, device: str, workers: int | None, trust: bool, trains: bool = False
) -> Bench:
    """What is measured on, once everything is seen to fit; the model is loaded and traced by then.

    Args:
        model: As ``load_model`` takes it.
        data: What it is measured on, and its channels are scored with.
        imgsz: Image size in pixels; the model's own if None.
        device: As the user names it.
        workers: Processes that read images.
        trust: Whether code in a checkpoint is accepted.
        trains: Whether models are trained, too.

    Raises:
        UserError: Something cannot be used.
    """
    device = check_device(device, where="--device")
    from yolo_prune_check.data.resolve import read_data
    from yolo_prune_check.model.tasks import require_trainable, require_yolo
    from yolo_prune_check.run.baseline import load_baseline
    from yolo_prune_check.run.resolve import require_labels
    from yolo_prune_check.run.trial import Bench

    found = read_data(data)
    for split in ("train", "val"):
        found.images(split)
    baseline = load_baseline(model, imgsz, trust=trust)
    require_yolo(baseline.model, where="--data", hint="Name a model that can be measured.")
    if trains:
        require_trainable(baseline.model, where="--fine-tune", hint="Leave out --fine-tune.")
    require_labels(baseline.model, data, source=model, where="--data")
    return Bench(model, data, baseline.graph.imgsz, trust, device, workers)
