"""``yolo-prune-check sensitivity``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

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
from yolo_prune_check.cli.choosing import Criterion
from yolo_prune_check.cli.exits import Exit
from yolo_prune_check.cli.output import complain, say, say_json
from yolo_prune_check.cli.run import BackendName
from yolo_prune_check.plugin.names import WORK_DIR
from yolo_prune_check.plugin.places import check_report_dir
from yolo_prune_check.progress import progress
from yolo_prune_check.spec.part import read_part


class Per(StrEnum):
    """What is pruned alone."""

    GROUP = "group"
    LAYER = "layer"


def sensitivity(
    model: Model,
    data: Data,
    per: Annotated[
        Per, typer.Option("--per", help="Prune each layer by masks, or each with all that is tied to it.")
    ] = Per.GROUP,
    ratios: Ratios = None,
    criterion: Annotated[
        Criterion, typer.Option("--criterion", help="Which channels go: the least important by it.")
    ] = Criterion.TAYLOR,
    val_part: Annotated[
        str,
        typer.Option("--val-part", metavar="k/n", help="Measure on every n-th val image beginning with the k-th."),
    ] = "1/2",
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Where the page, its plots and the numbers go.")
    ] = Path("sensitivity-report"),
    imgsz: ImageSize = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the criterion.")] = 0,
    device: Device = "cpu",
    workers: Workers = None,
    jobs: Jobs = 1,
    backend: Backend = BackendName.LOCAL,
    address: Address = None,
    trust_checkpoint: Trust = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as one JSON object.")] = False,
) -> None:
    """Find out what each part of a model can do without: prune it alone, and measure.

    Each model that was measured is kept: a run that is killed goes on, and a second one reads. Half of the val images
    is left out by default, so that what is decided by the page can be checked on them.

    Example:  yolo-prune-check sensitivity yolov8n-digits --data digits --out sensitivity-report
    """
    part, shares = read_part(val_part, where="--val-part"), read_ratios(ratios)
    check_report_dir(out)
    from yolo_prune_check.report.sensitivity.page import refuse_other_files, write_page
    from yolo_prune_check.report.sensitivity.words import summary
    from yolo_prune_check.run.measured import Hands, measuring

    refuse_other_files(out)
    hands = Hands(jobs, backend.value, address)
    hands.require()
    bench = read_bench(model, data, imgsz, device=device, workers=workers, trust=trust_checkpoint)
    from yolo_prune_check.run.baseline import load_baseline
    from yolo_prune_check.run.plain import to_plain
    from yolo_prune_check.run.scored import scores_of
    from yolo_prune_check.run.sensitivity import Wanted, sensitivity_of

    bench.images(part)  # before anything is measured
    shown = progress()
    wanted = Wanted(per.value, shares, criterion.value, part, seed)
    graph = load_baseline(model, bench.imgsz, trust=trust_checkpoint).graph
    with measuring(bench, WORK_DIR, hands, shown) as measured:
        try:
            scores = scores_of(bench, criterion.value, seed, measured, shown)
            found = sensitivity_of(graph, scores, bench, wanted, measured)
        except KeyboardInterrupt:
            complain(f"interrupted: {measured.told()}; the same command goes on from there")
            raise typer.Exit(Exit.INTERRUPTED) from None
        written = write_page(found, out)
    shown.line(measured.told())
    if found.dense.blind:
        complain(f"warning: {found.dense.blindness} ({found.dense.basis}): what pruning costs cannot be seen here")
    if as_json:
        say_json(to_plain(found))
    else:
        say(summary(found))
        say(f"page: {written}")
