"""``yolo-prune-check suggest``."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from yolo_prune_check.atomic import sweep
from yolo_prune_check.cli.bench import (
    Address,
    Backend,
    Data,
    Device,
    ImageSize,
    Jobs,
    Model,
    Ratios,
    Trust,
    Workers,
    read_bench,
    read_ratios,
)
from yolo_prune_check.cli.budget import AccuracyDrop, MapDrop, require_budget
from yolo_prune_check.cli.choosing import Criterion
from yolo_prune_check.cli.exits import Exit, exit_code
from yolo_prune_check.cli.output import WIDTH, complain, say, say_json, wrapped
from yolo_prune_check.cli.run import BackendName
from yolo_prune_check.cli.training import PANEL, about, read_training
from yolo_prune_check.plugin.names import SUFFIX, WORK_DIR
from yolo_prune_check.plugin.places import check_device, check_writable
from yolo_prune_check.plugin.store import run_scenario
from yolo_prune_check.progress import progress
from yolo_prune_check.report.figures import many
from yolo_prune_check.run.record import write_atomically

if TYPE_CHECKING:
    from yolo_prune_check.channels.plan import Plan
    from yolo_prune_check.progress import Progress
    from yolo_prune_check.run.record import Record
    from yolo_prune_check.run.suggested_spec import Made
    from yolo_prune_check.run.suggestion_record import Checked, Suggestion

DEFAULT: Final = Path("suggestion-report")
"""Where the files go if nothing is said."""


def suggest(
    model: Model,
    data: Data,
    max_map_drop: MapDrop = None,
    max_accuracy_drop: AccuracyDrop = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Where the spec, the plan and the page go.")
    ] = DEFAULT,
    criterion: Annotated[
        Criterion, typer.Option("--criterion", help="Which channels go: the least important by it.")
    ] = Criterion.TAYLOR,
    ratios: Ratios = None,
    imgsz: ImageSize = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the criterion, and of the training.")] = 0,
    device: Device = "cpu",
    workers: Workers = None,
    epochs: Annotated[
        int,
        typer.Option(
            "--fine-tune", metavar="EPOCHS", help="Train every candidate so long first.", rich_help_panel=PANEL
        ),
    ] = 0,
    batch: Annotated[int | None, typer.Option("--batch", help=about("batch"), rich_help_panel=PANEL)] = None,
    lr: Annotated[float | None, typer.Option("--lr", help=about("lr"), rich_help_panel=PANEL)] = None,
    fraction: Annotated[float | None, typer.Option("--fraction", help=about("fraction"), rich_help_panel=PANEL)] = None,
    amp: Annotated[bool | None, typer.Option("--amp/--no-amp", help=about("amp"), rich_help_panel=PANEL)] = None,
    jobs: Jobs = 1,
    backend: Backend = BackendName.LOCAL,
    address: Address = None,
    trust_checkpoint: Trust = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what was tried, and what came of it, as one JSON object.")
    ] = False,
) -> None:
    """Find the largest safe cut whose loss stays within a budget, as a spec that is ready to run.

    One half of the val images decides, the other checks: the spec is run on that one, and it is told whether it held
    (else exit code 1). Each model that was measured is kept: a run that is killed goes on.

    Example:  yolo-prune-check suggest yolov8n-digits --data digits --max-map-drop 0.02 --out suggestion-report
    """
    budget = require_budget(max_map_drop, max_accuracy_drop)
    shares = read_ratios(ratios)
    files = _Files(out)
    files.check()
    from yolo_prune_check.run.measured import Hands, measuring

    hands = Hands(jobs, backend.value, address)
    hands.require()
    device = check_device(device, where="--device")
    how = {"batch": batch, "lr": lr, "fraction": fraction, "amp": amp}
    training = read_training(epochs, workers, how, device)
    if training is not None:
        training = training.model_copy(update={"after": "last"})
    bench = read_bench(
        model, data, imgsz, device=device, workers=workers, trust=trust_checkpoint, trains=training is not None
    )
    from yolo_prune_check.model.tasks import task_of
    from yolo_prune_check.run.baseline import load_baseline

    baseline = load_baseline(bench.model, bench.imgsz, trust=bench.trust)
    budget.check_measure(task_of(baseline.model))
    options = {
        "--data": data,
        budget.option: f"{budget.value!r}",
        "--out": None if out == DEFAULT else files.folder,
        "--criterion": None if criterion is Criterion.TAYLOR else criterion.value,
        "--ratios": None if ratios is None else ",".join(map(repr, shares)),
        "--imgsz": imgsz,
        "--seed": seed or None,
        "--device": None if device == "cpu" else device,
        "--workers": workers,
        "--fine-tune": epochs or None,
        **{f"--{name}": value for name, value in how.items() if name != "amp"},
    }
    flags = [*(["--amp"] if amp else []), *(["--trust-checkpoint"] if trust_checkpoint else [])]
    command = _command("suggest", model, options, flags)
    trained = ("--data", "--fine-tune", "--batch", "--lr", "--fraction") if epochs else ()
    kept = {name: options[name] for name in ("--seed", "--device", "--workers", *trained)} | {"--imgsz": bench.imgsz}
    compact = _command("compact", model, kept, flags)
    shown = progress()
    from yolo_prune_check.data.resolve import read_data
    from yolo_prune_check.run.halves import folds_of
    from yolo_prune_check.run.scored import scores_of
    from yolo_prune_check.run.suggest import Search, suggestion_of
    from yolo_prune_check.run.suggested_spec import Made

    folds = folds_of(len(read_data(data).images("val")))
    made = Made(command, bench, budget.field, budget.value, training, seed)
    with measuring(bench, WORK_DIR, hands, shown) as measured:
        search = Search(baseline.graph, bench, budget.value, folds, measured, training, seed)
        first = f", each trained for {many(epochs, 'epoch')} first" if epochs else ""
        shown.line(f"measures each part of the model alone, then at most {2 * search.tries} candidates{first}")
        try:
            found, plan = suggestion_of(
                search,
                partial(scores_of, bench, criterion.value, seed, measured, shown),
                criterion.value,
                shares,
                command=command,
                compact=compact,
            )
        except KeyboardInterrupt:
            complain(f"interrupted: {measured.told()}; the same command goes on from there")
            raise typer.Exit(Exit.INTERRUPTED) from None
        shown.line(measured.told())
        record = None if plan is None else _checked(files, plan, found, made, shown)
        _conclude(files, found, record, as_json=as_json)


def _command(name: str, model: str, options: Mapping[str, object], flags: list[str]) -> str:
    """A command line that says the same; options without a value are left out."""
    given = [part for option, value in options.items() if value is not None for part in (option, str(value))]
    return shlex.join(["yolo-prune-check", name, model, *given, *flags])


class _Files:
    """The spec, the plan and the page in a folder; relative to the working directory where it lies below it."""

    def __init__(self, out: Path) -> None:
        here = Path.cwd()
        self.folder = out.relative_to(here) if out.is_relative_to(here) else out  # as commands on the page name it
        self.spec = self.folder / f"suggestion{SUFFIX}"
        self.plan = self.folder / "suggestion.plan.yaml"
        self.page = self.folder / "suggestion.md"

    def check(self) -> None:
        """See that they can be written, and take the place of none that this command has not made.

        Raises:
            UserError: They cannot, or would.
        """
        from yolo_prune_check.report.owned import refuse_foreign
        from yolo_prune_check.run.suggested_spec import refuse_foreign_spec

        check_writable(self.folder)
        refuse_foreign([self.page])
        for path in (self.spec, self.plan):
            refuse_foreign_spec(path)


def _checked(files: _Files, plan: Plan, found: Suggestion, made: Made, shown: Progress) -> Record:
    """Write the spec and the plan, and run the spec on the half that decided nothing."""
    from yolo_prune_check.run.suggested_spec import plan_text, spec_text
    from yolo_prune_check.spec import load_spec

    if found.chosen is None:
        raise ValueError("a plan was chosen without its numbers")
    for path, text in (
        (files.plan, plan_text(plan, found.chosen, made)),
        (files.spec, spec_text(plan, found.chosen, made)),
    ):
        sweep(path)
        write_atomically(path, text)
    (scenario,) = load_spec(files.spec).scenarios
    shown.line(f"runs {files.spec} on part {found.checked_on} of the val images, which decided nothing")
    try:
        return run_scenario(scenario, work_dir=WORK_DIR, progress=shown)
    except KeyboardInterrupt:
        complain(f"interrupted: {files.spec} is written, and not yet checked; the same command goes on from there")
        raise typer.Exit(Exit.INTERRUPTED) from None


def _told(files: _Files, found: Suggestion, checked: Checked | None, record: Record | None) -> dict[str, object]:
    """All of it as JSON has it; nothing stands for files that were not written."""
    from yolo_prune_check.run.plain import to_plain

    return {
        **to_plain(found),
        "checked": to_plain(checked),
        "spec": None if record is None else str(files.spec),
        "plan": None if record is None else str(files.plan),
        "page": str(files.page),
        "checkpoint": None if record is None else record.checkpoint,
    }


def _conclude(files: _Files, found: Suggestion, record: Record | None, *, as_json: bool) -> None:
    """Write the page, tell what came of it, and end; where no spec was written, none of an earlier run stays."""
    from yolo_prune_check.report.sensitivity.suggestion import conclusion, suggestion_page
    from yolo_prune_check.run.suggested_spec import remove_own
    from yolo_prune_check.run.suggestion_record import Checked

    checked = None
    if record is None:
        for path in (files.spec, files.plan):
            if remove_own(path):
                complain(f"removed {path}, which an earlier run made")
    else:
        metrics = record.metrics
        before, after = metrics.scores_before, metrics.scores_after
        checked = Checked(before, after, record.passed, record.failures)
    sweep(files.page)
    make = f"{found.compact} {shlex.join(['--plan', str(files.plan), '-o', 'small.pt'])}"
    check = shlex.join(["yolo-prune-check", "run", str(files.spec)])
    write_atomically(files.page, suggestion_page(found, checked, check=check, make=make))
    if as_json:
        say_json(_told(files, found, checked, record))
    else:
        say(wrapped(conclusion(found, checked), WIDTH))
        if record is not None:
            if record.checkpoint:
                say(f"small model: {record.checkpoint}")
            say(f"spec: {files.spec}\nto make the file again: {make}")
        say(f"page: {files.page}")
    code = Exit.DIFFERS if record is None else exit_code([record])
    if code:
        raise typer.Exit(code)
