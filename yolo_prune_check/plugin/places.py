"""What the command line names, looked at before anything runs. Imports no torch, but for a GPU."""

from __future__ import annotations

import tempfile
from pathlib import Path

from yolo_prune_check.errors import UserError


def check_report_dir(out: Path) -> None:
    """See that reports can be written; nothing is left behind, not even the folder.

    Raises:
        UserError: The path, or one above it, is no folder, or one that cannot be written to; or the folder has an
            index that is not ours.
    """
    from yolo_prune_check.report.owned import refuse_foreign  # here: pytest loads this module in runs without specs
    from yolo_prune_check.report.site import INDEX

    for path in (out, out / "records"):
        check_writable(path, shown=out)
    refuse_foreign([out / INDEX])


def check_writable(folder: Path, *, shown: Path | None = None) -> None:
    """See that reports can be written into a folder; nothing is left behind, not even the folder.

    Args:
        folder: The folder, which need not be there.
        shown: What messages call it, if not by its name.

    Raises:
        UserError: The path, or one above it, is no folder, or one that cannot be written to.
    """
    try:
        there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        with tempfile.TemporaryDirectory(prefix=".yolo-prune-check-", dir=there):
            pass  # asking for permissions does not tell what a read-only or virtual file system will say
    except OSError as error:
        hint = "Name a folder that can be written to; it is made if it is not there."
        what = f"cannot write reports there ({error.strerror or error})"
        raise UserError(what, where=str(shown or folder), hint=hint) from error


def check_model(model: str) -> None:
    """See that a model is there, as far as that can be said without loading it.

    A bare name such as ``yolov8n.yaml`` or ``yolov8n-digits`` may be a stock or shipped one, which are known later.

    Raises:
        UserError: A checkpoint, or a YAML in a folder, does not exist.
    """
    is_certainly_a_file = model.endswith(".pt") or (model.endswith((".yaml", ".yml")) and Path(model).name != model)
    if is_certainly_a_file and not Path(model).expanduser().is_file():
        what = "no such checkpoint" if model.endswith(".pt") else "no such model file"
        raise UserError(what, value=model, hint="Paths are relative to the working directory; nothing is downloaded.")


def check_device(asked: str, *, where: str) -> str:
    """See that devices are there.

    Args:
        asked: As users name them.
        where: The option.

    Returns:
        As specs have them.

    Raises:
        UserError: It names no device, or one that is not there.
    """
    from yolo_prune_check.spec.device import CPU, read_device  # here, as above

    device = read_device(asked, where=where)
    if device != CPU:
        from yolo_prune_check.train.devices import require_devices

        require_devices(device, where=where)
    return device
