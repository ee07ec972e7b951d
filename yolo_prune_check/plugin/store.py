"""What both fronts do with specs and records: find the files, run one scenario, keep a report directory current."""

from __future__ import annotations

import contextlib
import dataclasses
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from yolo_prune_check.errors import UserError
from yolo_prune_check.plugin.names import SUFFIX
from yolo_prune_check.report import RECORDS, Written, counterexample_path, save_records, write_reports
from yolo_prune_check.report.figures import named
from yolo_prune_check.run.events import Event, ScenarioFinished, StepFinished
from yolo_prune_check.run.record import Record, not_started, read_record

if TYPE_CHECKING:
    from yolo_prune_check.progress import Progress
    from yolo_prune_check.spec import Scenario


def spec_files(paths: Iterable[Path]) -> list[Path]:
    """The specs among and below the given paths, each once, sorted within each folder; hidden folders are left out.

    Raises:
        UserError: A path does not exist, or no spec lies below a folder.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            below = sorted(file for file in path.rglob(f"*{SUFFIX}") if not _hidden(file.relative_to(path)))
            if not below:
                raise UserError(f"no *{SUFFIX} below this folder", where=str(path), hint="Name a spec or its folder.")
            found.update(dict.fromkeys(below))
        elif path.is_file():
            found[path] = None
        else:
            raise UserError("no such file", where=str(path), hint=f"A spec is named like NAME{SUFFIX}.")
    return list(found)


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def run_scenario(
    scenario: Scenario,
    *,
    work_dir: Path | None,
    progress: Progress,
    model: str | None = None,
    trust_checkpoint: bool = False,
    device: str | None = None,
    predict_only: bool = False,
    rerun: bool = False,
    on_event: Callable[[Event], None] | None = None,
) -> Record:
    """Run one scenario to its record, which says so if it could not be started. This is where torch is imported.

    Args:
        scenario: From ``load_spec``.
        work_dir: Where pruned models are saved, and what a killed run goes on from and finished records are kept; None
            keeps nothing.
        progress: Where long work is shown.
        model: Run on this model instead of the spec's. That a spec trusts its own checkpoint says nothing of this one.
        trust_checkpoint: Load the checkpoint even if it asks for code beyond network classes.
        device: Compute there instead of where the spec says; random plans are carried out on the CPU all the same.
        predict_only: Predict every step and carry nothing out.
        rerun: Use nothing that earlier runs kept.
        on_event: Called with each event as it comes.
    """
    from yolo_prune_check.run.engine import run
    from yolo_prune_check.run.finish import blank_record

    scenario, options = as_asked(
        scenario, model=model, trust_checkpoint=trust_checkpoint, device=device, predict_only=predict_only
    )
    record: Record | None = None
    with TemporaryDirectory(prefix="yolo-prune-check-") as scratch:
        folder = Path(scratch) if work_dir is None else work_dir

        def tell(event: Event) -> None:
            nonlocal record
            told = _told(event, options, keeps_models=work_dir is not None)
            if isinstance(told, ScenarioFinished):
                record = told.record
            if on_event is not None:
                on_event(told)

        try:
            for event in run(
                scenario,
                work_dir=folder,
                progress=progress,
                predict_only=predict_only,
                keep=work_dir is not None,
                rerun=rerun,
            ):
                tell(event)
        except UserError as error:
            why = (str(error),)
            tell(
                ScenarioFinished(blank_record(scenario, verdict="not-started", reasons=why, failures=why, agrees=None))
            )
    if record is None:
        raise RuntimeError(f"{scenario.id} ended without a record")
    return record


def lost_record(
    scenario: Scenario,
    reason: str,
    *,
    model: str | None = None,
    trust_checkpoint: bool = False,
    device: str | None = None,
    predict_only: bool = False,
) -> Record:
    """The record of a scenario of which no more is known than why it did not come to its end; see ``run_scenario``."""
    from yolo_prune_check.run.limited import stopped_record

    scenario, options = as_asked(
        scenario, model=model, trust_checkpoint=trust_checkpoint, device=device, predict_only=predict_only
    )
    record = stopped_record(scenario, reason, (), limited=False)
    return dataclasses.replace(record, rerun=record.rerun + options)


def as_asked(
    scenario: Scenario, *, model: str | None, trust_checkpoint: bool, device: str | None, predict_only: bool
) -> tuple[Scenario, str]:
    """The scenario as options change it, and these options as pytest knows them."""
    if model is not None:
        scenario = _rather(scenario, "model", model).model_copy(update={"trust_checkpoint": False})
    if trust_checkpoint:
        scenario = scenario.model_copy(update={"trust_checkpoint": True})
    if device is not None and scenario.fuzz is None:
        scenario = _rather(scenario, "device", device)
    options = "" if model is None else f" --prune-model {shlex.quote(model)}"
    options += " --prune-trust-checkpoint" if trust_checkpoint else ""
    options += "" if device is None else f" --prune-device {device}"
    options += " --prune-predict-only" if predict_only else ""
    return scenario, options


def _rather(scenario: Scenario, key: str, value: str) -> Scenario:
    """The scenario with a value that an option names, so that no message finds the spec at fault for it."""
    places = {name: place for name, place in scenario.source.places.items() if name != key}
    source = scenario.source.model_copy(update={"places": places})
    return scenario.model_copy(update={key: value, "source": source})


def _told(event: Event, options: str, *, keeps_models: bool) -> Event:
    """The event as others may know it: the command repeats this very run, and no file is named that will be gone."""
    if isinstance(event, StepFinished) and not keeps_models:
        return StepFinished(dataclasses.replace(event.step, checkpoint=None))
    if not isinstance(event, ScenarioFinished):
        return event
    record = dataclasses.replace(event.record, rerun=event.record.rerun + options)
    if not keeps_models:
        steps = tuple(dataclasses.replace(step, checkpoint=None) for step in record.steps)
        record = dataclasses.replace(record, steps=steps, checkpoint=None)
    return dataclasses.replace(event, record=record)


@dataclass(frozen=True)
class Updated:
    """What became of a report directory.

    Attributes:
        written: The pages.
        removed: The scenarios whose records were removed, as ``spec::id``.
    """

    written: Written
    removed: tuple[str, ...]

    @property
    def removals(self) -> tuple[str, ...]:
        """What was removed: scenarios and pages in one line each."""
        scenarios = (
            f"removed from the reports, as no spec declares them any more: {named(self.removed)}"
            if self.removed
            else None
        )
        return tuple(line for line in (scenarios, self.written.removal) if line is not None)


def update_report(records: Sequence[Record], out: Path, *, searched: Iterable[Path] = ()) -> Updated:
    """Store records in a report directory and write its pages anew; what other runs left there stays.

    Removed are records of scenarios that their spec, which is there, no longer declares. A spec that is not there is
    taken as deleted only if its folder was searched in this run and the report directory lies in the working
    directory: other projects may write to a report directory elsewhere, and the paths of their specs mean nothing here.

    Args:
        records: Records of this run.
        out: The report directory.
        searched: Folders that were searched for specs in this run.

    Raises:
        UserError: There is nothing to report, or a stored record cannot be read.
    """
    save_records(records, out)
    fresh = {(record.spec, record.id) for record in records}
    removed = tuple(_remove_stale(out, fresh, [folder.resolve() for folder in searched]))
    return Updated(write_reports(records, out), removed)


def mark_broken(spec: Path, error: UserError, out: Path, *, only: str | None = None) -> list[Path]:
    """Say of stored records of a spec that their scenarios cannot be started any more.

    Args:
        spec: The spec.
        error: Why it cannot be used.
        out: The report directory.
        only: The id of the one scenario that cannot be started; by default it is the spec that cannot be read.

    Returns:
        The records.

    Raises:
        UserError: A stored record cannot be read.
    """
    from yolo_prune_check.spec.reader import shown

    stored = (read_record(path) for path in sorted((out / RECORDS).rglob("*.json")))
    those = (record for record in stored if record.spec == shown(spec) and only in (None, record.id))
    return save_records([not_started(record, str(error)) for record in those], out)


def _remove_stale(out: Path, fresh: set[tuple[str, str]], searched: list[Path]) -> Iterator[str]:
    declared: dict[str, frozenset[str] | None] = {}
    for path in sorted((out / RECORDS).rglob("*.json")):
        record = read_record(path)
        if (record.spec, record.id) in fresh:
            continue
        if record.spec not in declared:
            declared[record.spec] = _declared_in(record.spec, out, searched)
        known = declared[record.spec]
        if known is not None and record.id not in known:
            path.unlink(missing_ok=True)  # another run may have been quicker
            counterexample_path(path).unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # the folder holds other records, or is gone already
                path.parent.rmdir()
            yield f"{record.spec}::{record.id}"


def _declared_in(spec: str, out: Path, searched: list[Path]) -> frozenset[str] | None:
    """Ids that a spec declares; none if it was deleted, ``None`` if that, or what it declares, is not known."""
    from yolo_prune_check.spec import load_spec

    # A record names its spec relative to where it was run from, mostly the folder that holds the report directory.
    places = [Path(spec), out.resolve().parent / spec]
    place = next((place for place in places if place.is_file()), None)
    if place is None:
        is_ours = out.resolve().is_relative_to(Path.cwd().resolve())
        was_searched = any(Path(spec).resolve().is_relative_to(folder) for folder in searched)
        return frozenset() if is_ours and was_searched else None
    try:
        return frozenset(scenario.id for scenario in load_spec(place).scenarios)
    except UserError:
        return None
