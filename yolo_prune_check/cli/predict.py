"""``yolo-prune-check predict``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from yolo_prune_check.channels.plan import Execution, MaskKind, Plan
from yolo_prune_check.cli.exits import Exit
from yolo_prune_check.cli.explain import explain
from yolo_prune_check.cli.image_size import OWN_SIZE, is_image_size
from yolo_prune_check.cli.output import WIDTH, heading, say, say_json, table, wrapped
from yolo_prune_check.cli.steps import parse_step, resolve_steps
from yolo_prune_check.errors import UserError
from yolo_prune_check.plugin.names import TRUST

if TYPE_CHECKING:
    from yolo_prune_check.channels.graph import ChannelGraph
    from yolo_prune_check.channels.prediction import Prediction


def predict(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A .pt, a model .yaml or a shipped name.")],
    steps: Annotated[
        list[str],
        typer.Option(
            "--step",
            metavar="LAYER=KEEP",
            help="Channels to keep, as in 2.0=0-15,20, or a criterion and the share to remove, as in 2.0=l1:0.5. "
            "LAYER is an address (block.index) or a qualified name. Repeat it for more steps.",
        ),
    ],
    execution: Annotated[Execution, typer.Option("--execution", help="How the plan is to be carried out.")] = "mask",
    mask: Annotated[
        MaskKind | None, typer.Option("--mask", help="With mask: what it zeroes, silent unless named.")
    ] = None,
    round_to: Annotated[
        int | None,
        typer.Option("--round-to", min=2, max=256, help="With group: make every width a multiple of this, such as 8."),
    ] = None,
    no_extend: Annotated[
        bool, typer.Option("--no-extend", help="With group: call it unsafe if channels go that the plan does not name.")
    ] = False,
    imgsz: Annotated[int | None, typer.Option("--imgsz", callback=is_image_size, help=OWN_SIZE)] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the criterion random.")] = 0,
    trust_checkpoint: Annotated[bool, typer.Option("--trust-checkpoint", help=TRUST)] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what a plan will do, without running it. Exits with 1 if the plan is unsafe.

    Example:  yolo-prune-check predict yolov8n-digits --step 2.0=0-7,16-23 --step 4.0=l1:0.5 --execution group
    """
    wanted = [parse_step(text) for text in steps]  # before the model is loaded: a typing error is told at once
    _check_says_something(execution, {"--mask": mask}, "mask")
    _check_says_something(execution, {"--round-to": round_to, "--no-extend": no_extend or None}, "group")
    from yolo_prune_check.channels.graph import ChannelGraph
    from yolo_prune_check.channels.predict import predict as predict_plan
    from yolo_prune_check.model.image_size import image_size
    from yolo_prune_check.model.load import load_model

    loaded = load_model(model, trust=trust_checkpoint)
    steps_there = resolve_steps(wanted, loaded, seed=seed)
    plan = Plan(steps_there, execution=execution, mask=mask or "silent", extend=not no_extend, round_to=round_to)
    graph = ChannelGraph.trace(loaded, imgsz=imgsz or image_size(loaded))
    prediction = predict_plan(graph, plan)
    if as_json:
        say_json({"model": model, "imgsz": graph.imgsz, "plan": plan, "prediction": prediction.to_dict()})
    else:
        say(_describe(graph, plan, prediction))
    if prediction.verdict != "safe":
        raise typer.Exit(Exit.DIFFERS)


def _check_says_something(execution: Execution, given: Mapping[str, object], wanted: Execution) -> None:
    """Refuse options that say nothing to the execution, as specs do."""
    for option, value in given.items():
        if value is not None and execution != wanted:
            hint = f"Leave it out, or use --execution {wanted}."
            raise UserError(f"says nothing to execution {execution}", where=option, hint=hint)


def _describe(graph: ChannelGraph, plan: Plan, prediction: Prediction) -> str:
    from yolo_prune_check.cli.removal import removal_lines

    lines = [*explain(prediction), *removal_lines(graph, prediction)]
    whole = graph.predict_many([Plan()])[0]
    lines.append(f"parameters: {whole.params:,} before, {prediction.params:,} after")
    macs = "not known, as it breaks" if prediction.macs is None else f"{prediction.macs:,} after"
    lines.append(f"multiply-accumulates at {graph.imgsz} px: {whole.macs:,} before, {macs}")
    if plan.execution == "mask":
        lines.append("a mask keeps every weight, so nothing is saved: `--execution group` removes the channels")
    said = "\n".join(wrapped(line, WIDTH) for line in lines)
    return f"{said}\n\n" + heading("Layers that change", _layers(whole, plan, prediction)).rstrip()


def _layers(whole: Prediction, plan: Plan, prediction: Prediction) -> str:
    pruned = plan.kept()
    rows = []
    for name, after in prediction.layers.items():
        before = whole.layers[name]
        cells = [
            _change(before.in_channels, after.in_channels),
            _change(before.out_channels, after.out_channels),
            _change(before.active_in, after.active_in),
            _change(before.active_out, after.active_out),
        ]
        if name in pruned or any("→" in cell for cell in cells):
            rows.append([name, "pruned" if name in pruned else "follows", *cells])
    return table(["layer", "role", "in", "out", "active in", "active out"], rows)


def _change(before: int | None, after: int | None) -> str:
    if after is None:  # execution breaks before this layer is reached, or it is not known
        return "–"
    return str(after) if before == after else f"{before} → {after}"
