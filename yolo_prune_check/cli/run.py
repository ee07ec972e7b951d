"""``yolo-prune-check run``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from yolo_prune_check.cli.exits import Exit, exit_code
from yolo_prune_check.cli.interrupted import TriedSoFar
from yolo_prune_check.cli.output import complain, hear_ultralytics, say, say_json
from yolo_prune_check.errors import UserError
from yolo_prune_check.fanout import LostError, fan_out
from yolo_prune_check.plugin.fanned import Asked, lost, run_asked
from yolo_prune_check.plugin.names import DEVICE, TRUST, WORK_DIR
from yolo_prune_check.plugin.places import check_device, check_model, check_report_dir
from yolo_prune_check.plugin.store import mark_broken, run_scenario, spec_files, update_report
from yolo_prune_check.plugin.text import cached_text, failure_text
from yolo_prune_check.progress import progress
from yolo_prune_check.report import save_records, stood_in, terminal_summary, write_reports
from yolo_prune_check.report.figures import many
from yolo_prune_check.run.events import Event, HazardFound, PlanTried, ScenarioFinished, ScenarioStarted, StepFinished
from yolo_prune_check.run.record import Record

if TYPE_CHECKING:
    from yolo_prune_check.progress import Progress
    from yolo_prune_check.spec import Scenario


Broken = tuple[Path, str | None, UserError]
"""A spec; the one scenario of it that is concerned, if not all are; and what is wrong."""


class BackendName(StrEnum):
    """Where scenarios run: ``fanout.Backend``, as typer takes it."""

    LOCAL = "local"
    DASK = "dask"
    RAY = "ray"


def run(
    specs: Annotated[list[Path], typer.Argument(metavar="SPEC|DIR...", help="Specs, or folders to search for them.")],
    report_dir: Annotated[
        Path | None, typer.Option("--report-dir", metavar="DIR", help="Write records and Markdown reports here.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="MODEL", help="Run on this model (.pt, .yaml, shipped name) instead."),
    ] = None,
    trust_checkpoint: Annotated[bool, typer.Option("--trust-checkpoint", help=TRUST)] = False,
    device: Annotated[str | None, typer.Option("--device", metavar="DEVICE", help=DEVICE)] = None,
    predict_only: Annotated[
        bool, typer.Option("--predict-only", help="Predict every plan; prune, run and train nothing.")
    ] = False,
    rerun: Annotated[
        bool,
        typer.Option("--rerun", help="With --report-dir: run anew also what is kept from an earlier run."),
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print the events, one JSON object a line; the last of each scenario has its record."
        ),
    ] = False,
    jobs: Annotated[int, typer.Option("--jobs", "-j", metavar="N", min=1, help="Run so many scenarios at a time.")] = 1,
    backend: Annotated[
        BackendName,
        typer.Option("--backend", help="Where: processes of this machine, or workers of a running cluster."),
    ] = BackendName.LOCAL,
    address: Annotated[
        str | None,
        typer.Option("--address", metavar="ADDR", help="Of the cluster: dask's scheduler, or HOST:PORT of Ray."),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Let Ultralytics talk.")] = False,
) -> None:
    """Run the scenarios of specs: predict, prune, fine-tune, confirm.

    All specs, and the data sets that they name, are checked before the first scenario runs. With --report-dir, what
    earlier runs left there stays; a scenario that was interrupted goes on after its last step, and one that finished is
    not run again unless its spec, model, data or this package has changed.

    With --jobs, scenarios run in several processes, and come to the same records. One whose process dies is started
    once more.

    Example:  yolo-prune-check run specs/ --report-dir reports
    """
    if model is not None:
        check_model(model)
    if report_dir is not None:
        check_report_dir(report_dir)
    if device is not None:
        device = check_device(device, where="--device")
    scenarios = _load_all(spec_files(specs), report_dir)
    if verbose:
        hear_ultralytics()
    shown = progress()
    asked = [
        Asked(
            scenario,
            None if report_dir is None else WORK_DIR,
            model=model,
            trust_checkpoint=trust_checkpoint,
            device=device,
            predict_only=predict_only,
            rerun=rerun,
        )
        for scenario in scenarios
    ]
    if backend is BackendName.LOCAL and not predict_only:  # a cluster's machines may have data that this one has not
        _refuse_data([each.changed for each in asked], report_dir)
    done: dict[int, Record] = {}
    tried = TriedSoFar()
    interrupted = False
    gone: UserError | None = None
    try:
        if jobs == 1 and backend is BackendName.LOCAL and address is None:
            ran = _in_turn(asked, shown, tried, as_json=as_json)
        else:
            ran = _at_once(asked, shown, jobs=jobs, backend=backend, address=address, as_json=as_json)
        with closing(ran):
            for index, record in ran:
                if record.verdict == "not-started":
                    complain(f"yolo-prune-check: {record.reasons[0]}")
                done[index] = record
                if report_dir is not None:
                    save_records([record], report_dir)  # at once: a run that is killed keeps what is done
    except KeyboardInterrupt:
        interrupted = True
    except UserError as error:  # as of a cluster that went away: first what is finished is told
        gone = error
    if done:
        in_order = [(done[index], scenarios[index]) for index in sorted(done)]
        _conclude(in_order, as_json=as_json, report_dir=report_dir, searched=[path for path in specs if path.is_dir()])
    if interrupted:
        if tried.plans and len(done) < len(scenarios):
            complain(f"{asked[len(done)].name}: {tried.interrupted()}")
        complain(f"interrupted: {len(done)} of {many(len(scenarios), 'scenario')} finished")
        raise typer.Exit(Exit.INTERRUPTED)
    if gone is not None:
        if done:
            complain(f"given up: {len(done)} of {many(len(scenarios), 'scenario')} finished")
        raise gone
    code = exit_code(list(done.values()))
    if code:
        raise typer.Exit(code)


def _in_turn(
    asked: list[Asked], shown: Progress, tried: TriedSoFar, *, as_json: bool
) -> Generator[tuple[int, Record], None, None]:
    """Run scenarios one after the other in this process; `tried` counts the random plans of the one that runs."""
    for index, each in enumerate(asked):
        shown.line(f"[{index + 1}/{len(asked)}] {each.name}")
        tried.forget()
        record = run_scenario(
            each.scenario,
            work_dir=each.work_dir,
            progress=shown,
            model=each.model,
            trust_checkpoint=each.trust_checkpoint,
            device=each.device,
            predict_only=each.predict_only,
            rerun=each.rerun,
            on_event=_each(_print_json(each.name) if as_json else _narrate(shown), _count(tried)),
        )
        yield index, record


def _at_once(
    asked: list[Asked], shown: Progress, *, jobs: int, backend: BackendName, address: str | None, as_json: bool
) -> Generator[tuple[int, Record], None, None]:
    """Run scenarios in other processes, several at a time; what one has to say is said when it is finished."""

    def place(index: int) -> str:
        return f"[{index + 1}/{len(asked)}] {asked[index].name}"

    def started(index: int) -> None:
        shown.line(f"{place(index)}: started")

    outcomes = fan_out(
        run_asked,
        asked,
        jobs=jobs,
        backend=backend.value,
        address=address,
        shown=shown,
        name=lambda each: each.name,
        on_start=started,
    )
    with closing(outcomes), shown.task("scenarios", len(asked)) as advance:
        for index, outcome in outcomes:
            each = asked[index]
            if isinstance(outcome, LostError):
                record = lost(each, outcome.what)
                said: tuple[Event | str, ...] = (ScenarioFinished(record),)
            else:
                record, said = outcome.record, outcome.said
            shown.line(f"{place(index)}: finished, {record.verdict}")
            tell = _print_json(each.name) if as_json else _narrate(shown)
            for what in said:
                if isinstance(what, str):
                    shown.line(what)
                else:
                    tell(what)
            advance(1)
            yield index, record


def _load_all(paths: list[Path], report_dir: Path | None) -> list[Scenario]:
    """All scenarios; every broken spec is named before the run is given up, and reports on it no longer stand."""
    from yolo_prune_check.spec import load_spec

    scenarios: list[Scenario] = []
    broken: list[Broken] = []
    for path in paths:
        try:
            scenarios += load_spec(path).scenarios
        except UserError as error:
            broken.append((path, None, error))
    _refuse(broken, report_dir)
    return scenarios


def _refuse_data(scenarios: list[Scenario], report_dir: Path | None) -> None:
    """Give the run up, before hours go into its first scenarios, if a later one cannot use its data set."""
    from yolo_prune_check.run.data_there import missing_data

    broken = missing_data(scenarios)
    if not broken and any(scenario.data is not None for scenario in scenarios):
        from yolo_prune_check.run.data_fits import unfit_data

        broken = unfit_data(scenarios)
    _refuse([(Path(scenario.spec), scenario.id, error) for scenario, error in broken], report_dir)


def _refuse(broken: list[Broken], report_dir: Path | None) -> None:
    """Give the run up if something is broken: every mistake is told once, and reports on it no longer stand."""
    if not broken:
        return
    for message in dict.fromkeys(str(error) for _, _, error in broken):
        complain(f"yolo-prune-check: {message}")
    if report_dir is not None:
        marked = [path for spec, only, error in broken for path in mark_broken(spec, error, report_dir, only=only)]
        if marked:
            index = write_reports([], report_dir).pages[0]
            complain(f"reports: {index} says that {many(len(marked), 'scenario')} could not be started")
    raise typer.Exit(Exit.BAD_INPUT)


def _print_json(name: str) -> Callable[[Event], None]:
    def tell(event: Event) -> None:
        say_json({"event": type(event).__name__, "scenario": name, **_fields(event)}, indent=None)

    return tell


def _fields(event: Event) -> dict[str, object]:
    return {name: value for name, value in dataclasses.asdict(event).items() if name != "scenario"}


def _narrate(shown: Progress) -> Callable[[Event], None]:
    total = 0

    def tell(event: Event) -> None:
        nonlocal total
        if isinstance(event, ScenarioStarted):
            total = len(event.layers)
        elif isinstance(event, StepFinished):
            step = event.step
            what = f"kept {step.kept} of {step.channels}" if step.status == "pruned" else step.status
            shown.line(f"    step {step.index + 1} of {total}: {step.layer}: {what}")
        elif isinstance(event, HazardFound) and event.hazard.code != "unaligned-width":
            hazard = event.hazard
            shown.line(f"        {hazard.severity}: {hazard.code} in {hazard.layer}: {hazard.message}")
        elif isinstance(event, ScenarioFinished) and event.cached:
            shown.line(f"    {cached_text(1, '--rerun')}")

    return tell


def _each(*listeners: Callable[[Event], None]) -> Callable[[Event], None]:
    def tell(event: Event) -> None:
        for listener in listeners:
            listener(event)

    return tell


def _count(tried: TriedSoFar) -> Callable[[Event], None]:
    def tell(event: Event) -> None:
        if isinstance(event, PlanTried):
            tried.add(event.agrees, of=event.total)

    return tell


def _conclude(
    done: list[tuple[Record, Scenario]], *, as_json: bool, report_dir: Path | None, searched: list[Path]
) -> None:
    """Tell what came of the scenarios, and bring the reports up to date."""
    records = [record for record, _ in done]
    if not as_json:
        for record, scenario in done:
            if not record.passed and record.verdict != "not-started":  # of which it was said why at once
                say(f"{failure_text(record, scenario)}\n")
        say(terminal_summary(records))
    elif (told := stood_in(records)) is not None:
        complain(told)
    if report_dir is None:
        return
    updated = update_report(records, report_dir, searched=searched)
    tell = complain if as_json else say
    for line in (f"reports: {updated.written.pages[0]}", *updated.removals):
        tell(line)
