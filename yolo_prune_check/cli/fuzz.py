"""``yolo-prune-check fuzz``."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from yolo_prune_check.channels.plan import EXECUTIONS
from yolo_prune_check.cli.exits import Exit
from yolo_prune_check.cli.image_size import is_image_size
from yolo_prune_check.cli.interrupted import TriedSoFar
from yolo_prune_check.cli.numbers import parse_numbers
from yolo_prune_check.cli.output import complain, say, say_json
from yolo_prune_check.errors import UserError
from yolo_prune_check.plugin.names import SUFFIX, TRUST
from yolo_prune_check.progress import progress
from yolo_prune_check.report.random_plans import random_text
from yolo_prune_check.run.fuzz_record import FuzzRecord

if TYPE_CHECKING:
    from torch import nn

    from yolo_prune_check.channels.graph import ChannelGraph


class _Execution(StrEnum):
    """The executions; typer takes a list of an enumeration, but not of literals. A test compares them."""

    MASK = "mask"
    LOCAL = "local"
    GROUP = "group"
    ADAPTER = "adapter"


def fuzz(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A .pt, a model .yaml or a shipped name.")],
    examples: Annotated[int, typer.Option("--examples", min=1, help="How many plans to try.")] = 200,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Which plans: the same seed gives the same ones.")] = 0,
    executions: Annotated[
        list[_Execution] | None,
        typer.Option(
            "--execution",
            help="How plans are carried out; mask has both kinds of mask. Repeat it for more; by default all.",
        ),
    ] = None,
    max_steps: Annotated[int, typer.Option("--max-steps", min=1, max=100, help="Most steps of a plan.")] = 5,
    blocks: Annotated[
        str | None, typer.Option("--blocks", metavar="NUMBERS", help="Prune layers of these blocks only, as in 1-5,8.")
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option("--layers", metavar="LAYERS", help="Prune these layers only, as in 2.0,model.4.cv1.conv."),
    ] = None,
    imgsz: Annotated[
        int,
        typer.Option("--imgsz", callback=is_image_size, help="Image size in pixels, a multiple of 32 from 32 to 1280."),
    ] = 64,
    predict_only: Annotated[
        bool, typer.Option("--predict-only", help="Only predict the plans and count; carry nothing out.")
    ] = False,
    trust_checkpoint: Annotated[bool, typer.Option("--trust-checkpoint", help=TRUST)] = False,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Where the spec of a refuted prediction is written.")
    ] = Path(f"counterexample{SUFFIX}"),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Try random plans: what is predicted against what happens.

    Ends at the first prediction that is refuted, which is a defect of this tool: the plan is shrunk and written as a
    spec that is ready to run, and the exit code is 3. Use a trained model: BatchNorms of an untrained one have no
    shift, which hides phantom channels, and its signals fade, so that a wrong result may not show.

    Example:  yolo-prune-check fuzz yolov8n-digits --examples 50 --execution mask --execution local
    """
    numbers = None if blocks is None else parse_numbers(blocks, where="--blocks")
    if not out.name.endswith(SUFFIX):
        raise UserError("a spec's name ends otherwise", where="--out", value=str(out), hint=f"End it in {SUFFIX}.")
    from yolo_prune_check.atomic import written_whole
    from yolo_prune_check.channels.graph import ChannelGraph
    from yolo_prune_check.model.load import load_model
    from yolo_prune_check.run.fuzz import FuzzTask
    from yolo_prune_check.run.fuzz import fuzz as fuzz_plans

    loaded = load_model(model, trust=trust_checkpoint)
    graph = ChannelGraph.trace(loaded, imgsz=imgsz)
    task = FuzzTask(
        model=model,
        trust=trust_checkpoint,
        examples=examples,
        seed=seed,
        max_steps=max_steps,
        executions=tuple(known for known in EXECUTIONS if known in executions) if executions else None,
        layers=_layers(loaded, graph, numbers, layers),
        execute=not predict_only,
    )
    tried, record = TriedSoFar(), None
    try:
        for happened in fuzz_plans(loaded, graph, task, progress()):
            if isinstance(happened, FuzzRecord):
                record = happened
            else:
                tried.add(happened.agrees, of=examples)
    except KeyboardInterrupt:
        complain(tried.interrupted() if tried.plans else "interrupted before the first plan was tried")
        raise typer.Exit(Exit.INTERRUPTED) from None
    if record is None:
        raise TypeError("the last thing that fuzz gives is its record")
    found = record.counterexample
    if found is not None:
        with written_whole(out) as file:
            file.write(found.spec.encode("utf-8"))
    if as_json:
        written = str(out) if found is not None else None
        say_json(
            {"model": model, "imgsz": imgsz, **dataclasses.asdict(record), "agreed": record.agreed, "out": written}
        )
    else:
        say(random_text(record))
    if found is not None:
        complain(f"a prediction was refuted: a defect of this tool, please report it with {out}")
        raise typer.Exit(Exit.REFUTED)


def _layers(
    model: nn.Module, graph: ChannelGraph, blocks: tuple[int, ...] | None, layers: str | None
) -> tuple[str, ...] | None:
    """The layers to draw from; None for all."""
    from yolo_prune_check.fuzz.ground import layers_in
    from yolo_prune_check.model.addresses import find_layer

    if blocks is not None and layers is not None:
        raise UserError("`--blocks` and `--layers` both say what to prune", hint="Give one of them.")
    if blocks is not None:
        return layers_in(model, graph, blocks)
    if layers is None:
        return None
    return tuple(find_layer(model, name).name for name in layers.split(","))
