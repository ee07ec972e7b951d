"""The command-line options of the pytest plugin and what follows from them."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from yolo_prune_check.errors import UserError
from yolo_prune_check.plugin.names import DEVICE, SCRATCH, TRUST, WORK_DIR
from yolo_prune_check.plugin.places import check_device, check_model, check_report_dir

if TYPE_CHECKING:
    from yolo_prune_check.run.record import Record


def add_options(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("yolo-prune-check", "pruning specs (*.prune.yaml)")
    # Values stay strings: pytest-xdist sends them to its workers, and knows only built-in types.
    group.addoption(
        "--prune-report-dir",
        metavar="DIR",
        default=None,
        help="Write the records and Markdown reports of the scenarios to this folder; without it, none are kept.",
    )
    group.addoption(
        "--prune-predict-only",
        action="store_true",
        default=False,
        help="Predict every plan from the channel graph; prune, run and train nothing.",
    )
    group.addoption(
        "--prune-model",
        metavar="MODEL",
        default=None,
        help="Run the same scenarios on this model (.pt, .yaml or a shipped name) instead of the one in the spec.",
    )
    group.addoption(
        "--prune-trust-checkpoint",
        action="store_true",
        default=False,
        help=TRUST,
    )
    group.addoption(
        "--prune-device",
        metavar="DEVICE",
        default=None,
        help=f"Instead of what the specs say: {DEVICE[0].lower()}{DEVICE[1:]}",
    )
    group.addoption(
        "--prune-rerun",
        action="store_true",
        default=False,
        help="With --prune-report-dir: run every scenario anew, also those whose results are kept from an earlier run.",
    )


@dataclass
class State:
    """What one pytest process knows of its prune session.

    Attributes:
        report_dir: Where reports go, or None.
        predict_only: Carry nothing out.
        model: Model that replaces the specs', or None.
        trust_checkpoint: Load checkpoints that ask for code.
        device: Devices that replace the specs', or None.
        rerun: Use no results of earlier runs.
        worker: Whether this process is a worker of pytest-xdist, which runs items but writes no pages.
        record_files: Where the records of the finished items lie.
        cached: How many of them an earlier run had kept.
        records: They, read, once the session is over.
        pages: The report pages written.
        removals: What was removed from the report directory, one line each.
        problem: Why the report could not be written.
    """

    report_dir: Path | None
    predict_only: bool
    model: str | None
    trust_checkpoint: bool
    device: str | None
    rerun: bool
    worker: bool
    given_scratch: Path | None
    record_files: list[Path] = field(default_factory=list)
    cached: int = 0
    records: list[Record] = field(default_factory=list)
    pages: list[Path] = field(default_factory=list)
    removals: tuple[str, ...] = ()
    problem: str | None = None
    _scratch: tempfile.TemporaryDirectory[str] | None = None

    @classmethod
    def of(cls, config: pytest.Config) -> State:
        """From the command line.

        Raises:
            pytest.UsageError: The report folder cannot be written to, or the model or a device is not there.
        """
        report_dir = config.getoption("prune_report_dir")
        worker: dict[str, str] | None = getattr(config, "workerinput", None)
        model = config.getoption("prune_model")
        device = config.getoption("prune_device")
        if worker is None:
            _check(report_dir, model, device)
        scratch = worker.get(SCRATCH) if worker else None
        if device is not None:
            from yolo_prune_check.spec.device import read_device  # here: runs without specs are not to load all of it

            device = read_device(device)
        return cls(
            report_dir=Path(report_dir) if report_dir else None,
            predict_only=config.getoption("prune_predict_only"),
            model=model,
            trust_checkpoint=config.getoption("prune_trust_checkpoint"),
            device=device,
            rerun=config.getoption("prune_rerun"),
            worker=worker is not None,
            given_scratch=Path(scratch) if scratch else None,
        )

    @property
    def scratch(self) -> Path:
        """A temporary folder for what nobody asked to keep; shared by all workers, deleted at the end."""
        if self.given_scratch is not None:
            return self.given_scratch
        if self._scratch is None:
            self._scratch = tempfile.TemporaryDirectory(prefix="yolo-prune-check-")
        return Path(self._scratch.name)

    @property
    def records_root(self) -> Path:
        """Below which the records of this session are written."""
        return self.scratch if self.report_dir is None else self.report_dir

    @property
    def work_dir(self) -> Path | None:
        """Where pruned models are saved, and what else is kept; nowhere, unless a report names them."""
        return None if self.report_dir is None else WORK_DIR

    def close(self) -> None:
        """Delete the scratch folder, if this process made it."""
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None


def _check(report_dir: str | None, model: str | None, device: str | None) -> None:
    try:
        if report_dir:
            check_report_dir(Path(report_dir))
    except UserError as error:
        raise pytest.UsageError(f"--prune-report-dir: {error}") from error
    try:
        if model is not None:
            check_model(model)
    except UserError as error:
        raise pytest.UsageError(f"--prune-model: {error}") from error
    try:
        if device is not None:
            check_device(device, where="--prune-device")
    except UserError as error:
        raise pytest.UsageError(str(error)) from error


STATE = pytest.StashKey[State]()
"""Where a config keeps its ``State``."""
