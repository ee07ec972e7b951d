"""``yolo-prune-check compact``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from yolo_prune_check.cli.budget import AccuracyDrop, Budget, MapDrop, read_budget
from yolo_prune_check.cli.choosing import Criterion, Scope, best_criterion, best_scope, check_choice, warn_of_ranking
from yolo_prune_check.cli.compact_words import budget_line, ruined_line, symmetry_line, tables
from yolo_prune_check.cli.exits import Exit
from yolo_prune_check.cli.explain import explain
from yolo_prune_check.cli.image_size import OWN_SIZE, is_image_size
from yolo_prune_check.cli.output import WIDTH, complain, say, say_json, wrapped
from yolo_prune_check.cli.training import PANEL, about, read_training
from yolo_prune_check.errors import UserError
from yolo_prune_check.plugin.names import DEVICE
from yolo_prune_check.plugin.places import check_device
from yolo_prune_check.progress import progress

if TYPE_CHECKING:
    from torch import nn

    from yolo_prune_check.channels.graph import ChannelGraph
    from yolo_prune_check.channels.plan import Plan
    from yolo_prune_check.channels.prediction import Prediction
    from yolo_prune_check.run.compact import Compacted


def compact(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A .pt, a model .yaml or a shipped name.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="Where the small model goes: a .pt file, and its .json.")
    ],
    plan: Annotated[
        Path | None,
        typer.Option("--plan", metavar="FILE", help="YAML or JSON with the `steps` of a plan, as in specs."),
    ] = None,
    ratio: Annotated[
        float | None, typer.Option("--ratio", help="Share of the channels to remove wherever any can go.")
    ] = None,
    cut_macs: Annotated[
        float | None, typer.Option("--cut-macs", help="Or the share of the multiply-accumulates (MACs) to save.")
    ] = None,
    criterion: Annotated[
        Criterion | None,
        typer.Option(
            "--criterion",
            help="How channels are chosen: taylor where there is --data, else gamma; l1 where no BatchNorm tells any "
            "apart.",
            show_default=False,
        ),
    ] = None,
    scope: Annotated[
        Scope | None,
        typer.Option(
            "--scope",
            help="The same share of every group, or one global ranking: global for taylor, else group.",
            show_default=False,
        ),
    ] = None,
    round_to: Annotated[
        int | None, typer.Option("--round-to", min=2, max=256, help="Make every width a multiple of this, such as 8.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="DATA", help="Measure on this data set: a name, a YAML, a folder of classes."),
    ] = None,
    imgsz: Annotated[int | None, typer.Option("--imgsz", callback=is_image_size, help=OWN_SIZE)] = None,
    max_map_drop: MapDrop = None,
    max_accuracy_drop: AccuracyDrop = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Seed of what is random in the choice, and of the training.")
    ] = 0,
    device: Annotated[str, typer.Option("--device", metavar="DEVICE", help=DEVICE)] = "cpu",
    workers: Annotated[
        int | None,
        typer.Option("--workers", help="Processes that read images; by default none, on a GPU one a core, 8 at most."),
    ] = None,
    epochs: Annotated[
        int,
        typer.Option(
            "--fine-tune", metavar="EPOCHS", help="Train so long on that data afterwards.", rich_help_panel=PANEL
        ),
    ] = 0,
    batch: Annotated[
        int | None,
        typer.Option("--batch", help=about("batch"), rich_help_panel=PANEL),
    ] = None,
    lr: Annotated[float | None, typer.Option("--lr", help=about("lr"), rich_help_panel=PANEL)] = None,
    fraction: Annotated[
        float | None,
        typer.Option("--fraction", help=about("fraction"), rich_help_panel=PANEL),
    ] = None,
    amp: Annotated[bool | None, typer.Option("--amp/--no-amp", help=about("amp"), rich_help_panel=PANEL)] = None,
    trust_checkpoint: Annotated[
        bool, typer.Option("--trust-checkpoint", help="Load a checkpoint that holds code, and run that code.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make the small model: remove channels everywhere they are needed, prove it, save it.

    The file loads with plain Ultralytics. Nothing is written unless the plan is safe and the loss within the budget, if
    one is given (else exit code 1), the small model is proven to compute what the model with these channels masked
    computes, and its file can be used elsewhere (else 3, a defect of this tool). If the training is killed, the same
    command goes on after its last epoch.

    Example:  yolo-prune-check compact best.pt --ratio 0.5 --data my-data.yaml --fine-tune 10 -o small.pt
    """
    check_choice(criterion, scope, ratio, cut_macs, data, planned=plan is not None)
    budget = read_budget(max_map_drop, max_accuracy_drop)
    _check_needs_data(data, epochs, budget)
    _check_out(out, model, plan)
    device = check_device(device, where="--device")
    training = read_training(epochs, workers, {"batch": batch, "lr": lr, "fraction": fraction, "amp": amp}, device)
    if data is not None:
        _check_images(data, trains=training is not None)
    from yolo_prune_check.channels.graph import ChannelGraph
    from yolo_prune_check.channels.predict import predict
    from yolo_prune_check.confirm.latency import latency as measure_latency
    from yolo_prune_check.model.load import load_model
    from yolo_prune_check.model.tasks import task_of
    from yolo_prune_check.run.compact import compact as make
    from yolo_prune_check.run.compact import compact_key, save
    from yolo_prune_check.run.output import making
    from yolo_prune_check.run.proving import recorded
    from yolo_prune_check.run.trusted import trusted_names
    from yolo_prune_check.train.devices import placed

    loaded = load_model(model, trust=trust_checkpoint)
    if data is not None:
        _check_fit(loaded, model, data, trains=training is not None)
    if budget is not None:
        budget.check_measure(task_of(loaded))
    graph = ChannelGraph.trace(loaded, imgsz=_size(imgsz, loaded))
    wanted = _from_file(plan, loaded, round_to) if plan is not None else None
    if wanted is None:
        from yolo_prune_check.select.everywhere import plan_everywhere
        from yolo_prune_check.select.evidence import Evidence

        chosen = criterion or best_criterion(loaded, data)
        scope = scope or best_scope(chosen)
        warn_of_ranking(chosen, scope)
        evidence = Evidence(loaded, data, graph.imgsz, seed=seed, progress=progress())
        wanted = plan_everywhere(
            evidence,
            graph,
            chosen.value,
            scope=scope.value,
            ratio=ratio,
            macs_cut=cut_macs,
            round_to=round_to,
        )
    prediction = predict(graph, wanted)
    if prediction.verdict != "safe":  # nothing is begun for it
        _refuse(model, graph, prediction, as_json=as_json)
    _tell_hazards(graph, prediction)
    key = compact_key(
        wanted,
        source=model,
        imgsz=graph.imgsz,
        data=data,
        training=training,
        seed=seed,
        trust=trust_checkpoint,
        device=device,
    )
    shown = progress()
    with making(out, key, shown) as kept:
        try:
            done = make(
                loaded,
                graph,
                prediction,
                imgsz=graph.imgsz,
                data=data,
                training=training,
                seed=seed,
                work_dir=kept.path,
                progress=shown,
                device=device,
                workers=workers,
                trusted=trusted_names(model, trust=trust_checkpoint),
                limit=None if budget is None else budget.option,
            )
        except KeyboardInterrupt:
            complain("interrupted: the same command goes on after the last whole epoch of its training, if one is done")
            raise typer.Exit(Exit.INTERRUPTED) from None
        latency = measure_latency(placed(loaded, device), placed(done.model, device), graph.imgsz)
        judged = None if budget is None or not done.usable else budget.judge(done.metrics[0], done.metrics[-1])
        written = done.usable and (judged is None or judged.held)
        if written:
            save(done, out, graph, source=model, work_dir=kept.path)
        if written or not (training and done.proven):
            kept.forget()
    whole = graph.predict_many([type(wanted)()])[0]
    if as_json:
        say_json(
            {
                "model": model,
                "out": str(out) if written else None,
                "imgsz": graph.imgsz,
                "verdict": prediction.verdict,
                "hazards": prediction.hazards,
                "params": [whole.params, done.prediction.params],
                "macs": [whole.macs, done.prediction.macs],
                "latency": latency,
                "metrics": list(done.metrics),
                "worsened": done.worsened,
                "budget": judged,
                "proof": recorded(done.proof),
                "deploy": recorded(done.deploy),
                "differences": list(done.differences),
            }
        )
    else:
        say(tables(done, (whole.params, whole.macs), latency, imgsz=graph.imgsz, written=written))
    if training is not None and done.worsened is not None:
        advice = f"Train longer, or with a smaller --lr than {training.lr:g}."
        complain(f"warning: training made it worse: {done.worsened}. {advice}")
    if not done.usable:
        _refute(done, kept.path)
    if judged is not None:
        line = budget_line(judged, done.metrics[0], done.metrics[-1])
        if not judged.held:
            _miss(line, out, kept.path)
        complain(f"within the budget: {line}")
    if done.metrics and done.worsened is None and (ruined := ruined_line(done.metrics[0], done.metrics[-1])):
        complain(ruined)
    if data is None:
        complain("note: what it costs in accuracy was not measured: name a data set with `--data`")
    complain(f"saved {out}")


def _tell_hazards(graph: ChannelGraph, prediction: Prediction) -> None:
    """Tell what is to be known of a plan that is safe; of layers that keep channels for symmetry all in one line."""
    told = [hazard for hazard in prediction.hazards if hazard.code not in ("unaligned-width", "kept-for-symmetry")]
    lines = [f"{hazard.severity}: {hazard.code} in {hazard.layer}: {hazard.message}" for hazard in told]
    for line in (*lines, *symmetry_line(graph, prediction)):
        complain(wrapped(line, WIDTH))


def _refuse(model: str, graph: ChannelGraph, prediction: Prediction, *, as_json: bool) -> NoReturn:
    """Tell why a plan is not carried out, and end."""
    if as_json:
        told = {"model": model, "out": None, "imgsz": graph.imgsz, "verdict": prediction.verdict}
        say_json({**told, "prediction": prediction.to_dict()})
    else:
        say("\n".join(wrapped(line, WIDTH) for line in explain(prediction)))
    complain(f"nothing was written: the plan is {prediction.verdict}")
    raise typer.Exit(Exit.DIFFERS)


def _refute(done: Compacted, kept: Path) -> NoReturn:
    """Tell what is wrong with a small model or its file, and end."""
    for difference in done.differences:
        complain(f"not as predicted: {difference}")
    for row in done.deploy:
        if row.passed is False:
            complain(wrapped(f"the file: {row.name}: {row.detail}", WIDTH))
    wrong = "its file cannot be used" if done.proven else "the small model is not what was meant"
    complain(f"nothing was written: {wrong}, a defect of this tool; please report it")
    if kept.exists():
        complain(f"the trained model is kept in {kept}: the same command goes on from there")
    raise typer.Exit(Exit.REFUTED)


def _miss(missed: str, out: Path, kept: Path) -> NoReturn:
    """Tell that a small model has lost more than it may, and end."""
    complain(wrapped(f"nothing was written: {missed}", WIDTH))
    if out.exists():
        complain(f"{out} is that of an earlier run, and stays as it was")
    hint = "remove less, train longer (--fine-tune), or let `suggest` find the largest cut within the budget"
    complain(hint)
    if kept.exists():
        complain(f"the trained model is kept in {kept}: the same command with a larger budget writes it")
    raise typer.Exit(Exit.DIFFERS)


def _check_needs_data(data: str | None, epochs: int, budget: Budget | None) -> None:
    """Tell mistakes before anything is loaded."""
    if data is not None:
        return
    hint = "Name a data set with `--data`."
    if epochs:
        raise UserError("training needs data", where="--fine-tune", hint=hint)
    if budget is not None:
        raise UserError("a loss is measured on data", where=budget.option, value=budget.value, hint=hint)


def _check_images(data: str, *, trains: bool) -> None:
    """Tell mistakes in a data set before a model is loaded."""
    from yolo_prune_check.data.resolve import read_data

    found = read_data(data)
    for split in ("train", "val") if trains else ("val",):
        found.images(split)


def _check_fit(loaded: nn.Module, model: str, data: str, *, trains: bool) -> None:
    """Tell that a model cannot be measured on a data set, or trained with it, before hours go into anything else."""
    from yolo_prune_check.model.tasks import require_trainable, require_yolo
    from yolo_prune_check.run.resolve import require_labels

    require_yolo(loaded, where="--data", hint="Leave out --data: the small model is proven without.")
    if trains:
        require_trainable(loaded, where="--fine-tune", hint="Leave out --fine-tune.")
    require_labels(loaded, data, source=model, where="--data")


def _size(asked: int | None, loaded: nn.Module) -> int:
    """The image size to take; one that is not what the model was trained at is told."""
    from yolo_prune_check.model.image_size import image_size, trained_size

    trained = trained_size(loaded)
    if asked is not None and trained is not None and asked != trained:
        complain(f"note: the model was trained at {trained} px, and is checked, measured and saved at {asked} px")
    return asked or image_size(loaded)


def _check_out(out: Path, model: str, plan: Path | None) -> None:
    """Tell that a file cannot be written, or would take the place of what it is made from, before hours go into it."""
    from yolo_prune_check.run.sidecar import is_sidecar, sidecar_path

    if out.suffix != ".pt":
        raise UserError("a model's file name ends otherwise", where="--out", value=str(out), hint="End it in .pt.")
    folder = out.resolve().parent
    if out.is_dir() or not folder.is_dir():
        raise UserError("there is no folder for this file", where="--out", value=str(out), hint="Make it first.")
    if out.resolve() == Path(model).expanduser().resolve():
        raise UserError("the small model would replace the one that it is made from", where="--out", value=str(out))
    beside = sidecar_path(out)
    if plan is not None and beside.resolve() == plan.resolve():
        hint = f"{beside.name} is written beside the small model: name that otherwise."
        raise UserError("the small model's own file would replace the plan", where="--out", value=str(out), hint=hint)
    if beside.exists() and not is_sidecar(beside):
        hint = f"{beside.name} is written beside the small model: name that otherwise, or move the file."
        what = f"{beside} is there, and this command has not made it"
        raise UserError(what, where="--out", value=str(out), hint=hint)
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        what = f"nothing can be written there ({error.strerror})"
        raise UserError(what, where="--out", value=str(out), hint="Name another folder.") from error


def _from_file(file: Path, loaded: nn.Module, round_to: int | None) -> Plan:
    from yolo_prune_check.channels.plan import Plan, Step
    from yolo_prune_check.model.addresses import find_layer
    from yolo_prune_check.spec.plan_file import load_plan

    read = load_plan(file)
    steps, written = list[Step](), dict[str, str]()
    for step in read.steps:
        name = find_layer(loaded, step.layer).name
        if name in written:
            what = f"{name} is named twice ({written[name]}, {step.layer})"
            raise UserError(what, where=str(file), hint="Make one step of the two.")
        written[name] = step.layer
        steps.append(Step(name, step.keep))
    return Plan(steps, "group", extend=read.extend, round_to=round_to or read.round_to)
