"""Mistakes in what is followed through the network, what is tied, and what a removal takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tests.mutants.hunt import GROUP, SHUFFLE
from tests.mutants.mutant import mutant

Rule = Callable[..., Any]


@mutant(
    "provenance:Origins.tie",
    "residual: no tie between the operands",
    GROUP.on("yolov8n.yaml", "model.2.", "model.4.", "model.6."),
)
def residual_tie_forgotten(tie: Rule, *arguments: Any) -> None:
    return


@mutant(
    "provenance:Origins.union",
    "residual: behind an add the right operand's channels are forgotten",
    GROUP.on("yolov8n.yaml", "model.2.", "model.4.", "model.6."),
)
def add_forgets_the_right_operand(union: Rule, self: Any, first: Any, second: Any) -> Any:
    first, second = np.broadcast_arrays(first, second)
    return np.where(first < 0, second, first)


@mutant(
    "flows.convolution:_group",
    "depthwise: no tie between what it reads and what it makes",
    GROUP.on("yolov8n-ghost.yaml"),
)
def depthwise_tie_dropped(group: Rule, flow: Any, op: Any, inputs: Any, outputs: Any) -> None:
    if inputs.shape[1] > 1:
        group(flow, op, inputs, outputs)


@mutant(
    "flows.convolution:_group", "grouped convolution: treated like a dense one", GROUP.on("resnext50_32x4d", "layer1.")
)
def grouped_is_dense(group: Rule, flow: Any, op: Any, inputs: Any, outputs: Any) -> None:
    if inputs.shape[1] == 1:
        group(flow, op, inputs, outputs)


@mutant(
    "flows.state:Flow.freeze",
    "what the head decodes, and other operators need, is not frozen",
    GROUP.on("yolov8n.yaml", "model.22."),
)
def frozen_channels_forgotten(freeze: Rule, *arguments: Any) -> None:
    return


@mutant(
    "leveling:level",
    "chunk: its halves need not stay equal",
    GROUP.on("yolov8n.yaml", "model.2.", "model.4.", "model.6."),
)
def halves_need_not_be_equal(level: Rule, *arguments: Any) -> None:
    return


@mutant(
    "groups:connected_components", "groups: only what is tied directly goes together", GROUP.on("resnet18", "layer1.")
)
def groups_are_not_closed(components: Rule, ties: Any, **options: Any) -> Any:
    label = np.arange(ties.shape[0])
    label[ties.col] = ties.row
    _, label = np.unique(label, return_inverse=True)
    return label.max() + 1, label


@mutant("removal:Removal.layers", "a consumer loses its last columns, whichever channels go", GROUP)
def last_columns_go(layers: Rule, self: Any) -> Any:
    return {
        name: replace(cut, inputs=np.arange(len(cut.inputs))) if cut.groups == 1 else cut
        for name, cut in layers(self).items()
    }


@mutant("removal:Removal.layers", "a consumer loses the columns beside the right ones", GROUP)
def columns_off_by_one(layers: Rule, self: Any) -> Any:
    def shifted(name: str, cut: Any) -> Any:
        total = self.graph.layers[name].in_channels
        return replace(cut, inputs=np.sort((cut.inputs + 1) % total)) if cut.groups == 1 else cut

    return {name: shifted(name, cut) for name, cut in layers(self).items()}


@mutant("removal:Removal.layers", "a depthwise convolution keeps its number of groups", GROUP.on("yolov8n-ghost.yaml"))
def groups_not_counted_down(layers: Rule, self: Any) -> Any:
    return {name: replace(cut, groups=self.graph.layers[name].groups) for name, cut in layers(self).items()}


@mutant("removal:Removal.norms", "a batch norm loses its last entries, whichever channels go", GROUP)
def last_norm_entries_go(norms: Rule, self: Any) -> Any:
    return {name: np.arange(len(kept)) for name, kept in norms(self).items()}


@mutant(
    "removal:Removal.norms",
    "a batch norm behind a concat is forgotten",
    GROUP.on("densenet121", "features.denseblock1."),
)
def unowned_norms_forgotten(norms: Rule, self: Any) -> Any:
    owned = {layer.norm for layer in self.graph.layers.values()}
    return {name: kept for name, kept in norms(self).items() if name in owned}


@mutant(
    "removal:Removal.columns", "a linear layer keeps all of its columns", GROUP.on("mobilenet_v3_small", "features.12")
)
def linear_columns_kept(columns: Rule, self: Any) -> Any:
    return {}


@mutant("flows.layout:_permute", "permute: two axes of channels change places as if there were one", SHUFFLE)
def shuffle_ties_forgotten(permute: Rule, flow: Any, op: Any) -> Any:
    return flow.arranged(op)


@mutant(
    "shrink:columns_of",
    "grouped convolution: every group loses the first one's columns",
    GROUP.on("resnext50_32x4d", "layer1."),
)
def columns_of_the_first_group(columns_of: Rule, cut: Any, outputs: int, inputs: int) -> Any:
    columns = columns_of(cut, outputs, inputs)
    return np.repeat(columns[:1, :-1], len(columns), axis=0)
