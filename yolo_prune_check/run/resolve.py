"""From a scenario's words to the layers of a model, in the order in which they are pruned."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from yolo_prune_check.data.resolve import DataSet, read_data
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.addresses import find_layer
from yolo_prune_check.model.blocks import Block, blocks_of
from yolo_prune_check.model.layers import Layer
from yolo_prune_check.model.network import as_network, classes_of, names_of
from yolo_prune_check.model.tasks import require_boxes, require_trainable, require_yolo
from yolo_prune_check.run.where import told_at, where_of
from yolo_prune_check.select.criteria import criterion_named
from yolo_prune_check.spec.schema import Scenario
from yolo_prune_check.train.devices import require_devices, require_training
from yolo_prune_check.train.evaluate import val_images


@dataclass(frozen=True)
class Target:
    """A layer to prune.

    Attributes:
        layer: The layer.
        keep: Its channels that stay, where they are known before the first step: the scenario names them, or one
            ranking of all layers was made.
        scores: What its channels are worth in that ranking.
        details: How that came about, for the record; see ``Choice``.
    """

    layer: Layer
    keep: tuple[int, ...] | None = None
    scores: tuple[float, ...] | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Resolved:
    """The layers of a scenario, in pruning order, and what a reader should know about how they were found."""

    targets: tuple[Target, ...]
    notes: tuple[str, ...]


def resolve(scenario: Scenario, model: nn.Module) -> Resolved:
    """Find the layers that a scenario names.

    Raises:
        UserError: A block, index, address or name does not exist, or nothing is left to prune.
    """
    resolved = _resolved(scenario, model)
    _refuse_twice(scenario, resolved.targets)
    if scenario.activations == "sliced":
        _refuse_joins(scenario, model, resolved.targets)
    return resolved


def refuse_device(scenario: Scenario) -> None:
    """Refuse devices that are not there, and training that they cannot carry out as it is asked for.

    Raises:
        UserError: A GPU is not there, the CPU is to train in mixed precision, or a batch cannot be shared equally.
    """
    require_devices(scenario.device, where=f"{where_of(scenario, 'device')}: device")
    if scenario.fine_tune is not None:
        require_training(scenario.fine_tune, scenario.device, where=where_of(scenario, "fine_tune"))


def refuse_data(scenario: Scenario, model: nn.Module) -> None:
    """Refuse models that data say nothing about, and data of other labels, before hours go into anything else.

    Raises:
        UserError: The scenario names data and the model cannot be measured, or not by what a budget limits; it cannot
            be read object by object, or fine-tuned, where the scenario wants that; or it was trained for another number
            of classes, other ones, or other keypoints; or the part of the val images that it names is empty.
    """
    if scenario.data is None:
        return
    where = where_of(scenario, "data")
    hint = "Leave out `data`: plans for it are predicted and confirmed without."
    task = require_yolo(model, where=where, hint=hint)
    _refuse_budget(scenario, model, task)
    if scenario.steps is None:
        _refuse_criterion(scenario.select.criterion, model, where_of(scenario, "select.criterion", "select"))
    if scenario.fine_tune is not None:
        require_trainable(model, where=where_of(scenario, "fine_tune"), hint="Leave out `fine_tune`.")
    require_labels(model, scenario.data, source=scenario.model, where=where)
    if scenario.part is not None:
        with told_at(where_of(scenario, "val_part")):
            val_images(read_data(scenario.data), scenario.part)


def _refuse_criterion(name: str, model: nn.Module, where: str) -> None:
    needs = criterion_named(name).needs
    if needs == "boxes":
        require_boxes(model, where=where, hint="Choose channels by another criterion, such as l1.")
    elif needs == "labels":
        require_trainable(model, where=where, hint="Choose channels by a criterion without labels, such as l1.")


def _refuse_budget(scenario: Scenario, model: nn.Module, task: str) -> None:
    """A classifier has an accuracy and no mAP, all others have a mAP."""
    expect = scenario.expect
    if expect.max_map_drop is not None:
        hint = "Limit its loss by `max_accuracy_drop` instead of `max_map_drop`."
        require_boxes(model, where=where_of(scenario, "expect.max_map_drop"), hint=hint)
    if expect.max_accuracy_drop is not None and task != "classify":
        raise UserError(
            "only a classifier has an accuracy",
            where=where_of(scenario, "expect.max_accuracy_drop"),
            value=f"{type(model).__name__} for {task}",
            hint="Limit its loss by `max_map_drop` instead of `max_accuracy_drop`.",
        )


def require_labels(model: nn.Module, data: str, *, source: str, where: str) -> None:
    """Refuse data of other labels than a model was trained for.

    Args:
        model: One that `require_yolo` accepts.
        data: The data set.
        source: The model as `load_model` took it.
        where: The place for the message.

    Raises:
        UserError: The data set is of another task, of another number of classes, of the same classes in another order,
            or of other keypoints.
    """
    found = read_data(data)
    try:
        as_network(model, found)
    except UserError as error:
        raise UserError(f"{data}: {error.what}", where=where, value=error.value, hint=error.hint) from error
    if not source.endswith((".yaml", ".yml")):  # what is built from a description was trained for nothing yet
        _refuse_classes(model, data, found, source=source, where=where)


def _refuse_classes(model: nn.Module, data: str, found: DataSet, *, source: str, where: str) -> None:
    trained, there, hint = classes_of(model), found.names, "Name the data set it was trained on."
    if trained != len(there):
        what = f"{data}: {len(there)} class{'' if len(there) == 1 else 'es'}, but {source} was trained for {trained}"
        raise UserError(what, where=where, hint=hint)
    known = names_of(model)
    if not found.by_folder and sorted(known.values()) == sorted(there.values()):  # folders go by their names
        moved = [index for index in there if known.get(index) != there[index]]
        if moved:
            what = f"{data}: class {moved[0]} is {there[moved[0]]!r}, but {source} was trained to call it"
            raise UserError(f"{what} {known.get(moved[0])!r}", where=where, hint=hint)


def _resolved(scenario: Scenario, model: nn.Module) -> Resolved:
    if scenario.steps is not None:
        targets = tuple(
            Target(_find(scenario, model, step.layer, f"steps[{index}].layer"), tuple(step.keep))
            for index, step in enumerate(scenario.steps)
        )
        for index, target in enumerate(targets):
            _refuse_unknown_channels(target, where_of(scenario, f"steps[{index}].keep", "steps"))
        return Resolved(targets, ())
    layers, notes = _chosen(scenario, model)
    return Resolved(tuple(Target(layer) for layer in _ordered(layers, scenario.order)), notes)


def _refuse_unknown_channels(target: Target, where: str) -> None:
    highest, layer = max(target.keep or (), default=0), target.layer
    if highest >= layer.out_channels:
        raise UserError(
            f"{layer.name} has no such channel",
            where=where,
            value=highest,
            hint=f"It has channels 0 to {layer.out_channels - 1}.",
        )


def _refuse_twice(scenario: Scenario, targets: Sequence[Target]) -> None:
    names = [target.layer.name for target in targets]
    twice = next((index for index, name in enumerate(names) if name in names[:index]), None)
    if twice is not None:
        written = [step.layer for step, name in zip(scenario.steps or (), names, strict=True) if name == names[twice]]
        what = f"{names[twice]} is named twice ({', '.join(written)})"
        raise UserError(
            what, where=where_of(scenario, f"steps[{twice}].layer", "steps"), hint="Make one step of the two."
        )


def _refuse_joins(scenario: Scenario, model: nn.Module, targets: Sequence[Target]) -> None:
    """An ``nn.Sequential`` hands on one tensor; behind a block that takes several there is nothing to slice."""
    deepest = max(target.layer.block for target in targets)
    for block in blocks_of(model)[: deepest + 1]:
        if len(block.from_) > 1:
            raise UserError(
                f"`activations: sliced` cannot get past block {block.index}, which takes {len(block.from_)} inputs",
                where=where_of(scenario, "activations"),
                value=f"block {deepest}",
                hint=f"Name blocks before {block.index}, or use `activations: hooked`.",
            )


def _chosen(scenario: Scenario, model: nn.Module) -> tuple[list[Layer], tuple[str, ...]]:
    choice = scenario.layers
    blocks = _blocks(scenario, model)
    if not isinstance(choice, str):
        return _listed(scenario, model, choice, blocks), ()
    found = [layer for block in blocks for layer in _of_block(block, choice)]
    notes = tuple(note for block in blocks if (note := _shortage(block, choice)))
    if not found:
        numbers = ", ".join(str(block.index) for block in blocks)
        kinds = ", ".join(f"block {block.index} is {block.type}" for block in blocks)
        raise UserError(
            f"block {numbers} has no Conv2d to prune ({kinds})",
            where=where_of(scenario, "blocks"),
            hint="Name a block that has one; `yolo-prune-check inspect MODEL` lists them.",
        )
    return found, notes


def _blocks(scenario: Scenario, model: nn.Module) -> list[Block]:
    known = {block.index: block for block in blocks_of(model)}
    for place, index in enumerate(scenario.blocks or ()):
        if index not in known:
            raise UserError(
                "unknown block",
                where=where_of(scenario, f"blocks[{place}]", "blocks"),
                value=index,
                hint=f"{scenario.model} has blocks 0 to {max(known)}.",
            )
    return [known[index] for index in scenario.blocks or ()]


def _of_block(block: Block, choice: str) -> Sequence[Layer]:
    if choice == "first":
        return block.layers[:1]
    if choice == "all":
        return block.layers
    count = int(choice.removeprefix("widest:"))
    return sorted(block.layers, key=lambda layer: -layer.out_channels)[:count]


def _shortage(block: Block, choice: str) -> str | None:
    if not choice.startswith("widest:"):
        return None
    asked, there = int(choice.removeprefix("widest:")), len(block.layers)
    return f"asked for {asked} layers of block {block.index}, which has {there}" if there < asked else None


def _listed(scenario: Scenario, model: nn.Module, choice: Sequence[int | str], blocks: Sequence[Block]) -> list[Layer]:
    found: list[Layer] = []
    for place, item in enumerate(choice):
        if isinstance(item, str):
            found.append(_find(scenario, model, item, f"layers[{place}]"))
            continue
        for block in blocks:
            if item >= len(block.layers):
                convs = ", ".join(layer.address for layer in block.layers) or "none"
                raise UserError(
                    f"layer index out of range: block {block.index} has {len(block.layers)} Conv2d ({convs})",
                    where=where_of(scenario, f"layers[{place}]", "layers"),
                    value=item,
                    hint="Indices count from 0 within each block.",
                )
            found.append(block.layers[item])
    return list({layer.name: layer for layer in found}.values())


def _find(scenario: Scenario, model: nn.Module, text: str, key: str) -> Layer:
    try:
        return find_layer(model, text)
    except UserError as error:
        where = where_of(scenario, key, key.partition("[")[0])
        raise UserError(error.what, where=where, value=error.value, hint=error.hint) from error


def _ordered(layers: Sequence[Layer], order: str) -> list[Layer]:
    if order == "listed":
        return list(layers)
    front = sorted(layers, key=lambda layer: (layer.block, layer.index))
    if order == "back-to-front":
        return front[::-1]
    if order.startswith("shuffled:"):
        random.Random(int(order.removeprefix("shuffled:"))).shuffle(front)
    return front
