"""A scenario's final model on disk: a `final.pt` that is there has been checked, and has its sidecar."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.confirm.check import Check
from yolo_prune_check.errors import UserError
from yolo_prune_check.run.checkpoint import save_checkpoint
from yolo_prune_check.run.deployed import deployed
from yolo_prune_check.run.record import Record
from yolo_prune_check.run.sidecar import sidecar_path, write_sidecar
from yolo_prune_check.run.state import State
from yolo_prune_check.run.trusted import trusted_names
from yolo_prune_check.run.unfinished import Unfinished
from yolo_prune_check.run.way import Way

FILE: Final = "final.pt"


def forget_final(way: Way, unfinished: Unfinished | None) -> None:
    """Remove the final model of an earlier run where a run begins anew; one that goes on makes the same again.

    Args:
        way: Of the run that begins. Where it only predicts, nothing is removed.
        unfinished: What it may go on from.

    Raises:
        UserError: It cannot be removed.
    """
    if not way.predict_only and (way.rerun or unfinished is None or not unfinished.is_begun()):
        remove_final(way.folder)


def remove_final(folder: Path) -> None:
    """Remove a final model and its sidecar, in an order that never leaves the model alone.

    Raises:
        UserError: They cannot be removed.
    """
    final = folder / FILE
    if not folder.is_dir():
        return
    try:
        for path in (final, sidecar_path(final)):
            path.unlink(missing_ok=True)
    except OSError as error:
        what = f"the model of an earlier run cannot be removed ({error.strerror or error})"
        raise UserError(what, where=str(final), hint="See to it that it may be written there.") from error


@contextmanager
def saved_aside(state: State) -> Iterator[Path]:
    """The final model's file, in a folder that goes when it was not put in its place, or with the next run's start.

    Raises:
        UserError: It cannot be written.
    """
    folder = state.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        aside = tempfile.TemporaryDirectory(prefix="deploy-", dir=folder)
    except OSError as error:
        what = f"nothing can be written there ({error.strerror or error})"
        raise UserError(what, where=str(folder), hint="Make room, or run in another folder.") from error
    with aside as name:
        file = Path(name) / FILE
        save_checkpoint(state.model, file, imgsz=state.baseline.graph.imgsz, data=state.scenario.data)
        yield file


def deploy_rows(state: State, file: Path) -> tuple[Check, ...]:
    """What can be done with the file elsewhere; one with adapters needs this package, and says so when it is loaded."""
    if state.scenario.execution != "group":
        return ()
    scenario = state.scenario
    return deployed(
        state.baseline.model,
        state.model,
        file,
        imgsz=state.baseline.graph.imgsz,
        trusted=trusted_names(scenario.model, trust=scenario.trust_checkpoint),
        work_dir=state.folder,
        progress=state.progress,
    )


def is_usable(rows: Sequence[Check]) -> bool:
    """Whether no row of a proof, or of the checks of a file, fails."""
    return all(row.passed is not False for row in rows)


def put_in_place(file: Path, state: State, record: Record) -> None:
    """Write the sidecar of a file that was saved aside, and put both in their places: the model last.

    Raises:
        UserError: They cannot be written.
    """
    sidecar = write_sidecar(file, plan=_whole(state), source=state.scenario.model, record=asdict(record))
    final = state.folder / FILE
    try:
        sidecar.replace(sidecar_path(final))
        file.replace(final)
    except OSError as error:
        what = f"the file cannot be written ({error.strerror or error})"
        raise UserError(what, where=str(final), hint="See to it that it may be written there.") from error


def _whole(state: State) -> Plan:
    """All that was carried out, as one plan on the untouched model."""
    return state.plan() if state.standing else Plan(state.done, state.scenario.execution, state.scenario.mask)
