"""``--layer``: everything that depends on one layer, and what pruning it alone would do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from yolo_prune_check.channels.dependents import Dependent, Dependents, Membership, dependents_of
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.channels.prediction import EdgeKind, Prediction
from yolo_prune_check.cli.equal import Equal, equals_of
from yolo_prune_check.cli.explain import explain
from yolo_prune_check.cli.inspect.counts import many
from yolo_prune_check.cli.inspect.edge_table import MEANINGS
from yolo_prune_check.cli.inspect.equal_table import equal_part_of
from yolo_prune_check.cli.inspect.group_table import EQUALLY, removable, why_frozen
from yolo_prune_check.cli.inspect.part_table import kernel
from yolo_prune_check.cli.inspect.parts import Part, Parts
from yolo_prune_check.cli.inspect.section import section
from yolo_prune_check.cli.output import WIDTH, table, wrapped
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.layers import Layer

_ARROW = " → "


@dataclass(frozen=True)
class LayerFacts:
    """What is known of one layer.

    Attributes:
        layer: The layer.
        dependents: Where its channels go, and what they are tied to.
        parts: The blocks in which something depends on it, ascending.
        trial: The channels that stay in the plan that is tried, every second one; None if there is only one channel.
        local: What the plan does where only this layer is shrunk.
        mask: What it does where the channels are silenced.
    """

    layer: Layer
    dependents: Dependents
    parts: tuple[Part, ...]
    trial: tuple[int, ...] | None
    local: Prediction | None
    mask: Prediction | None


def examine(graph: ChannelGraph, parts: Parts, layer: Layer) -> LayerFacts:
    """Look at one layer, and predict what halving it alone does.

    Raises:
        UserError: The layer did not run when the model was traced.
    """
    if layer.name not in graph.layers:
        raise UserError(
            "this layer does not run when the model predicts, so nothing depends on it",
            where="--layer",
            value=layer.name,
            hint="Layers that only training uses are marked `not run` in the table of layers.",
        )
    dependents = dependents_of(graph, layer.name)
    modules = [item.consumer.partition(":")[0] for item in dependents.reached]
    modules += [part.layer for membership in dependents.memberships for part in membership.partners]
    reached = {part.index: part for part in map(parts.of_module, modules) if part is not None}
    trial = tuple(range(0, layer.out_channels, 2)) if layer.out_channels > 1 else None
    steps = [Step(layer.name, trial)] if trial else []
    return LayerFacts(
        layer=layer,
        dependents=dependents,
        parts=tuple(reached[index] for index in sorted(reached)),
        trial=trial,
        local=predict(graph, Plan(steps, "local")) if trial else None,
        mask=predict(graph, Plan(steps, "mask")) if trial else None,
    )


def describe_layer(model: str, graph: ChannelGraph, parts: Parts, facts: LayerFacts) -> str:
    """All of it as text."""
    equals = equals_of(graph)
    sections = [
        _summary(model, graph, parts, facts),
        _reached(facts.dependents),
        _paths(facts.dependents),
        _together(graph, facts.dependents, equals),
        equal_part_of(graph, facts.layer.name, equals),
        _alone(graph, facts),
        _active(graph, facts),
    ]
    return "\n\n\n".join(section for section in sections if section)


def _summary(model: str, graph: ChannelGraph, parts: Parts, facts: LayerFacts) -> str:
    layer, known = facts.layer, graph.layers[facts.layer.name]
    ends = [item for item in facts.dependents.reached if item.ends]
    readers = dict.fromkeys(item.consumer for item in ends if item.kind not in ("frozen", "head", "attention"))
    home = parts.of_module(layer.name)
    where = f" of block {layer.block} ({home.type})" if home is not None else ""
    blocks = ", ".join(f"{part.index} ({part.type})" for part in facts.parts)
    lines = [
        f"{model}, layer {layer.address} = {layer.name}{where}, traced at {graph.imgsz} px",
        "",
        f"{layer.in_channels} → {layer.out_channels} channels, {kernel(graph, layer.name)}, "
        + (f"batch norm {known.norm}" if known.norm else "no batch norm"),
        _endings(len(readers), {item.kind for item in ends if item.consumer not in readers}),
        f"blocks that depend on it: {blocks}" if blocks else "nothing depends on it",
    ]
    return "\n".join(wrapped(line, WIDTH) for line in lines)


def _endings(layers: int, others: set[EdgeKind]) -> str:
    found = [many(layers, "layer")] if layers else []
    found += ["the product of an attention, which sums over them"] if "attention" in others else []
    found += ["operators that do not tell them apart"] if others - {"attention"} else []
    return f"its channels end in {' and in '.join(found)}" if found else "its channels end nowhere"


def _reached(dependents: Dependents) -> str:
    rows: list[list[str | int]] = [
        [
            _range(item.channels.start, item.channels.stop),
            item.consumer,
            item.kind,
            _range(item.position, item.position + item.channels.stop - item.channels.start),
            f"in{item.port}",
            "ends" if item.ends else "goes on",
        ]
        for item in dependents.reached
    ]
    kinds = dict.fromkeys(item.kind for item in dependents.reached)
    meanings = "; ".join(f"{kind} = {MEANINGS[kind]}" for kind in MEANINGS if kind in kinds)
    return section(
        "Where its channels go",
        "Its channels arrive at these positions of an input (in0, in1, …) of these layers and operators; [0:16] is "
        "channels 0 to 15. "
        f"goes on: they leave it as the same channels; ends: they are used up. Kinds: {meanings}.",
        table(["channels", "arrive in", "kind", "at", "of", "then"], rows),
        many(len(rows), "edge"),
    )


def _range(start: int, stop: int) -> str:
    return f"[{start}:{stop}]"


def _paths(dependents: Dependents) -> str:
    ends = [item for item in dependents.reached if item.ends]
    margin = max((len(_range(item.channels.start, item.channels.stop)) for item in ends), default=0) + 2
    lines = [_path_lines(item, margin) for item in ends]
    return section(
        "Paths",
        "How they get to where they end: operator by operator, each after the module that runs it. chunk[1] is the "
        "second piece of a chunk, concat[1] the second input of a concat.",
        "\n".join(lines),
        many(len(ends), "path"),
    )


def _path_lines(item: Dependent, margin: int) -> str:
    body = wrapped(_ARROW.join(item.path), WIDTH - margin)
    return _range(item.channels.start, item.channels.stop).ljust(margin) + body.replace("\n", "\n" + " " * margin)


def _together(graph: ChannelGraph, dependents: Dependents, equals: Sequence[Equal]) -> str:
    how = list(removable(graph, equals))
    rows = [_membership(graph, membership, how[membership.number]) for membership in dependents.memberships]
    equally = EQUALLY if any(how[membership.number].startswith("yes,") for membership in dependents.memberships) else ""
    return section(
        "What they can only be removed with",
        "The groups that hold its channels: the first channels of all members go together, the second ones, and so on."
        f"{equally}",
        table(["group", "channels", "goes together with", "tied by", "removable"], rows),
    )


def _membership(graph: ChannelGraph, membership: Membership, how: str) -> list[str | int]:
    each_other = ["each other, channel by channel"] if len(membership.channels) > 1 else []
    partners = [*each_other, *map(str, membership.partners)]
    return [
        membership.number + 1,
        ", ".join(_range(part.start, part.stop) for part in membership.channels),
        ", ".join(partners) or "nothing",
        ", ".join(map(str, membership.ties)),
        f"no: {why_frozen(graph, membership.group)}" if membership.group.frozen else how,
    ]


def _alone(graph: ChannelGraph, facts: LayerFacts) -> str:
    title = "If it alone is shrunk"
    if facts.trial is None or facts.local is None:
        return section(title, "It has a single channel, so there is nothing to remove.", "")
    return section(
        title,
        f"Prediction for keeping every second of its {facts.layer.out_channels} channels with execution local, which "
        "changes no other layer.",
        "\n".join(wrapped(line, WIDTH) for line in explain(facts.local)),
    )


def _active(graph: ChannelGraph, facts: LayerFacts) -> str:
    if facts.trial is None or facts.mask is None:
        return ""
    whole = predict(graph, Plan())
    rows = [row for row in _active_rows(whole, facts.mask) if row[1] != row[2]]
    return section(
        "If it alone is masked",
        "Prediction for keeping the same channels with execution mask: every shape stays, the others emit only zeros. "
        "active counts the channels that emit anything else.",
        "\n".join(wrapped(line, WIDTH) for line in explain(facts.mask))
        + "\n\n"
        + table(["where", "active before", "active after"], rows),
        f"{many(len(rows), 'place')} with fewer active channels",
    )


def _active_rows(whole: Prediction, mask: Prediction) -> Iterator[list[str | int]]:
    for name, before in whole.layers.items():
        after = mask.layers[name]
        yield [f"into {name}", *_known(before.active_in, after.active_in)]
        yield [f"out of {name}", *_known(before.active_out, after.active_out)]
    for edge in mask.edges:
        where = f"{'out of' if edge.port.startswith('out') else 'into'} {edge.operator} {edge.port}"
        yield [where, *_known(edge.active_before, edge.active_after)]


def _known(before: int | None, after: int | None) -> tuple[int, int]:
    """Two counts, alike where one of them is not known."""
    return (0, 0) if before is None or after is None else (before, after)
