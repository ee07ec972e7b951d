"""Ways in which a plan that runs is still not what was meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from yolo_prune_check.channels.adapted import adapted
from yolo_prune_check.channels.edges import Junction
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.interpretation import Interpretation, spread_over
from yolo_prune_check.channels.parameters import removed
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.planned import Changes
from yolo_prune_check.channels.prediction import HAZARDS, Hazard
from yolo_prune_check.channels.program import Op
from yolo_prune_check.channels.removal import Removal
from yolo_prune_check.channels.revived import revived_by

_ALIGNMENT = 8
_MODEL = "(model)"  # where the model's own forward does something


def find_hazards(graph: ChannelGraph, plan: Plan, changes: Changes, result: Interpretation) -> tuple[Hazard, ...]:
    """All hazards of a plan, errors first.

    Args:
        graph: The traced model.
        plan: The plan.
        changes: What carrying it out changes.
        result: The program, interpreted with the plan's parameters.
    """
    if changes.removal is None:
        found = [*_no_op(graph, plan), *_empty_layers(plan), *_head(graph, plan)]
    else:
        found = [*_nothing_goes(graph, plan, changes.removal), *changes.removal.hazards]
        found += _partly_kept(graph, plan, changes.removal)
    found += [*_unknown(graph, plan, result), *_broadcasts(graph, result)]
    if plan.execution == "adapter":
        found += [*_without_place(graph, plan), *_misgrouped(graph, plan, result)]
    if plan.execution == "local":
        found += [*_uneven(graph, plan, result), *_frozen(graph, result)]
    if plan.execution in ("mask", "adapter"):
        found += [*_phantoms(graph, plan, result), *_kept_alive(graph, plan, result), *_revived(graph, plan, result)]
    if plan.execution != "mask":
        found += _unaligned(graph, _widths(plan, changes))
    # An operator that runs many times says the same many times.
    return tuple(sorted(dict.fromkeys(found), key=lambda hazard: hazard.severity != "error"))


def _hazard(code: str, layer: str, message: str) -> Hazard:
    return Hazard(code, HAZARDS[code].severity, layer, message)


def _no_op(graph: ChannelGraph, plan: Plan) -> Iterator[Hazard]:
    named = plan.steps[0].layer if plan.steps else "(no layer)"
    if all(len(keep) == graph.layers[name].out_channels for name, keep in plan.kept().items()):
        yield _hazard("no-op", named, _none_removed(plan))
    elif plan.execution == "mask" and not any(_masks_anything(graph, *step) for step in plan.kept().items()):
        yield _hazard("no-op", named, "all channels that the plan masks were masked before")


def _nothing_goes(graph: ChannelGraph, plan: Plan, removal: Removal) -> Iterator[Hazard]:
    if not removal.stays.all() or removal.hazards:
        return
    named = plan.steps[0].layer if plan.steps else "(no layer)"
    if removal.returned:
        asked = sum(graph.layers[name].out_channels - len(keep) for name, keep in plan.kept().items())
        words = "the only channel" if asked == 1 else f"all {asked} channels"
        words += f" that the plan names {'is' if asked == 1 else 'are'} kept {why_kept(plan)}"
    else:
        words = _none_removed(plan)
    yield _hazard("no-op", named, words)


def _partly_kept(graph: ChannelGraph, plan: Plan, removal: Removal) -> Iterator[Hazard]:
    """Layers of which fewer channels go than the plan asks for, where anything goes."""
    if not removal.returned or removal.stays.all():
        return
    for name, keep in plan.kept().items():
        asked = removed(keep, graph.layers[name].out_channels)
        count = int((asked & removal.stays[graph.provenance.channels.span(name)]).sum())
        if count:
            verb = "stays" if count == 1 else "stay"
            words = f"{count} of the {int(asked.sum())} channels that the plan removes {verb} {why_kept(plan)}"
            yield _hazard("kept-for-symmetry", name, words)


def why_kept(plan: Plan) -> str:
    """For what channels that a plan by ``group`` removes may stay after all, in words."""
    rounded = "" if plan.round_to is None else f", and widths that are multiples of {plan.round_to}"
    return f"for symmetry{rounded}"


def _none_removed(plan: Plan) -> str:
    if len(plan.steps) == 1:
        return "the plan's only step removes no channel"
    return f"none of the plan's {len(plan.steps)} steps removes a channel"


def _masks_anything(graph: ChannelGraph, name: str, keep: tuple[int, ...]) -> bool:
    """Whether a channel that is not kept has a filter with weights, or emits anything, on the untouched model."""
    layer = graph.layers[name]
    alive = graph.verdicts.silence(name, "silent").alive
    return bool((alive & removed(keep, layer.out_channels)).any())


def _empty_layers(plan: Plan) -> Iterator[Hazard]:
    for name, keep in plan.kept().items():
        if not keep:
            yield _hazard("empty-layer", name, "0 channels are kept")


def _head(graph: ChannelGraph, plan: Plan) -> Iterator[Hazard]:
    for name, keep in plan.kept().items():
        total = graph.layers[name].out_channels
        if name in graph.head_layers and len(keep) < total:
            yield _hazard(
                "head-output-changed",
                name,
                f"{total - len(keep)} of {total} channels are gone from what the head decodes "
                f"({graph.head_layers[name]})",
            )


def _unknown(graph: ChannelGraph, plan: Plan, result: Interpretation) -> Iterator[Hazard]:
    if result.unknown is not None and result.stopped is not None:
        yield _hazard("frozen-channel", graph.program.ops[result.stopped].module or plan.steps[0].layer, result.unknown)


def passed_frozen(graph: ChannelGraph, result: Interpretation) -> Iterator[Op]:
    """Operators that take channels by their position, or mix them, and ran on fewer without a complaint."""
    for index in result.touched:
        op = graph.program.ops[index]
        if index in graph.freezing and index != result.stopped and _narrowed(graph, op, result):
            yield op


def _narrowed(graph: ChannelGraph, op: Op, result: Interpretation) -> bool:
    shapes = ((graph.program.values[value].shape, result.tensors.get(value)) for value in op.inputs)
    return any(after is not None and after.shape != before for before, after in shapes)


def _frozen(graph: ChannelGraph, result: Interpretation) -> Iterator[Hazard]:
    for op in passed_frozen(graph, result):
        words = f"{op.target} runs without the removed channels, but what it makes of the others depends on them"
        yield _hazard("frozen-channel", op.module or _MODEL, words)


def _broadcasts(graph: ChannelGraph, result: Interpretation) -> Iterator[Hazard]:
    for op in result.broadcasts:
        place, width = op.module or _MODEL, spread_over(graph.program, op, result.tensor, result.tensor(op.outputs[0]))
        yield _hazard("broadcast-add", place, f"1 channel is broadcast over {width} by {op.target} in {place}")


def _uneven(graph: ChannelGraph, plan: Plan, result: Interpretation) -> Iterator[Hazard]:
    """Splits whose pieces, cut at new borders, hold channels that belonged to another piece."""
    provenance = graph.provenance
    goes = np.zeros(provenance.channels.total + 1, dtype=np.bool_)  # the last one for what no layer makes
    for name, keep in plan.kept().items():
        goes[provenance.channels.span(name)] = removed(keep, graph.layers[name].out_channels)
    for junction in graph.junctions:
        if junction.kind != "split" or not result.ran(junction.op):
            continue
        before = [graph.program.values[value].shape[1] for value in junction.op.outputs]
        line = provenance.origins.channel(provenance.line(junction.op.inputs[0]))
        if len(line) != sum(before) or not goes[line].any():
            continue
        stays = np.add.reduceat(~goes[line], np.cumsum([0, *before[:-1]]), dtype=np.int64).tolist()
        pieces = [None if value in result.absent else result.get(value) for value in junction.op.outputs]
        after = [0 if piece is None else piece.shape[1] for piece in pieces]
        if stays != after:
            yield _hazard(
                "uneven-split",
                junction.op.module or _MODEL,
                f"{junction.operator} gives pieces of {_counts(after)} channels; {_counts(stays)} belong there",
            )


def _without_place(graph: ChannelGraph, plan: Plan) -> Iterator[Hazard]:
    """Layers behind which no adapter can be put."""
    for name in sorted(_losing(graph, plan)):
        if adapted(graph, graph.layers[name]) is None:
            yield _hazard("frozen-channel", name, "no module returns its channels, so that none can put them back")


def _misgrouped(graph: ChannelGraph, plan: Plan, result: Interpretation) -> Iterator[Hazard]:
    """Grouped convolutions whose groups, cut at new borders, hold filters that were made for other inputs."""
    if result.failure is not None:
        return
    inputs = {consumer.weight: consumer.channels for consumer in graph.provenance.consumers}
    for name, keep in plan.kept().items():
        layer = graph.layers[name]
        if layer.groups == 1 or not 0 < len(keep) < layer.out_channels:
            continue
        blocks = inputs[f"{name}.weight"].reshape(layer.groups, -1)
        own = np.asarray(keep) // (layer.out_channels // layer.groups)
        given = np.arange(len(keep)) // (len(keep) // layer.groups)
        alike = ((blocks[own] == blocks[given]) & (blocks[own] >= 0)).all(1)  # what stems from no layer may be anything
        if ((own != given) & ~alike).any():
            stays = np.bincount(own, minlength=layer.groups).tolist()
            words = f"its conv groups take {len(keep) // layer.groups} filters each; {_counts(stays)} belong there"
            yield _hazard("uneven-split", name, words)


def _counts(numbers: Sequence[int]) -> str:
    return " and ".join(map(str, numbers))


def _phantoms(graph: ChannelGraph, plan: Plan, result: Interpretation) -> Iterator[Hazard]:
    for name, keep in plan.kept().items():
        layer = graph.layers[name]
        emitted = result.get(layer.emission)
        if emitted is None:
            continue
        gone = removed(keep, layer.out_channels)
        count = int((emitted.emits & gone).sum())
        if count:
            kept = "1 channel is kept" if len(keep) == 1 else f"{len(keep)} channels are kept"
            words = f"{count} of {int(gone.sum())} zeroed filters still emit a constant: {kept}"
            if not result.is_unclear(layer.emission):
                words += f", {emitted.active} of {layer.out_channels} are active"
            yield _hazard("phantom-channel", name, words)


def _kept_alive(graph: ChannelGraph, plan: Plan, result: Interpretation) -> Iterator[Hazard]:
    pruned = _losing(graph, plan)
    for junction in graph.junctions:
        if junction.kind != "residual":
            continue
        for layer, count in _alive(graph, junction, pruned, result).items():
            yield _hazard(
                "kept-alive-by-residual",
                layer,
                f"{count} masked channels stay alive behind {junction.operator}, whose other operand feeds them",
            )


def _revived(graph: ChannelGraph, plan: Plan, result: Interpretation) -> Iterator[Hazard]:
    for layer, norms in revived_by(graph, _losing(graph, plan), result).items():
        (first, count), more = next(iter(norms.items())), len(norms) - 1
        others = f", and behind {more} more norms" if more > 1 else ", and behind another norm" if more else ""
        yield _hazard("revived-by-norm", layer, f"{count} masked channels speak again behind {first}{others}")


def _losing(graph: ChannelGraph, plan: Plan) -> set[str]:
    """Layers of which the plan does not keep every channel."""
    return {name for name, keep in plan.kept().items() if len(keep) < graph.layers[name].out_channels}


def _alive(graph: ChannelGraph, junction: Junction, pruned: set[str], result: Interpretation) -> dict[str, int]:
    """For each pruned layer, how many of its channels are silenced before the add and emitted behind it."""
    operands, out = junction.op.inputs, junction.op.outputs[0]
    tensors = [result.get(value) for value in (*operands, out)]
    if any(tensor is None for tensor in tensors) or any(map(result.is_unclear, (*operands, out))):
        return {}
    states = [tensor.emits for tensor in tensors if tensor is not None]
    counts: dict[str, int] = {}
    for value, emits in zip(operands, states, strict=False):
        silenced = graph.baseline.tensors[value].emits & ~emits
        revived = silenced & states[-1]
        start = 0
        for segment in graph.provenance.segments[value]:
            count = int(revived[start : start + segment.length].sum())
            start += segment.length
            for layer in {name for name, _ in segment.sources} & pruned if count else ():
                counts[layer] = counts.get(layer, 0) + count
    return dict(sorted(counts.items()))


def _widths(plan: Plan, changes: Changes) -> dict[str, int]:
    """Channels that stay, by layer that loses some."""
    if changes.removal is None:
        return plan.widths()
    return {name: len(cut.outputs) for name, cut in changes.removal.layers.items()}


def _unaligned(graph: ChannelGraph, widths: Mapping[str, int]) -> Iterator[Hazard]:
    for name, width in widths.items():
        if width % _ALIGNMENT and width < graph.layers[name].out_channels:
            yield _hazard("unaligned-width", name, f"{width} kept channels are no multiple of {_ALIGNMENT}")
