"""Mistakes in how the graph is read off a trace, and in how operators are run on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.channels.test_heads import (
    test_the_head_is_the_last_block_although_its_activations_are_those_of_the_first as the_head,
)
from tests.mutants.hunt import GROUP, LOCAL, MASK, SILENT, Pinned
from tests.mutants.mutant import mutant
from tests.mutants.of_rules import BOTTLENECKS
from yolo_prune_check.channels.tensors import Tensor

Rule = Callable[..., Any]


@mutant("layers:find_layers", "batch norm: its owner is the layer before the right one", LOCAL)
def norm_belongs_to_the_neighbour(find: Rule, *trace: Any) -> Any:
    layers = find(*trace)
    norms = [layer.norm for layer in layers.values()]
    turned = zip(layers.items(), [*norms[1:], norms[0]], strict=True)
    return {name: replace(layer, norm=norm) for (name, layer), norm in turned}


@mutant("layers:find_layers", "batch norm: layers of equal width swap theirs", MASK)
def norms_swapped_between_equals(find: Rule, *trace: Any) -> Any:
    layers = find(*trace)
    by_width: dict[int, list[str]] = {}
    for name, layer in layers.items():
        if layer.norm is not None:
            by_width.setdefault(layer.out_channels, []).append(name)
    owners = {name: names[index - 1] for names in by_width.values() for index, name in enumerate(names)}
    return {name: replace(layer, norm=layers[owners.get(name, name)].norm) for name, layer in layers.items()}


@mutant(
    "naming:RunningNames.of",
    "a module that many share (an activation) is always named after the first of them",
    Pinned(the_head, "yolo11n-seg", "model.23"),
)
def lent_module_named_after_the_first(of: Rule, names: Any, module: Any, running: str) -> Any:
    return of(names, module, "no such module")


@mutant("layers:_chain", "a layer emits what its convolution computes, before norm and activation", MASK)
def emission_before_the_norm(chain: Rule, value: int, *trace: Any) -> Any:
    norm, _ = chain(value, *trace)
    return norm, value


@mutant(
    "sizes:as_size",
    "trace: sizes read from a tensor's shape are taken for constants",
    LOCAL.on("shufflenet_v2_x1_0", "stage2."),
)
def sizes_taken_for_constants(as_size: Rule, number: int) -> int:
    return int.__index__(number)


@mutant(
    "modes:_chunk",
    "trace: a chunk always cuts at half of the width that it had in the trace",
    LOCAL.on("yolov8n.yaml", "model.2."),
)
def chunk_taken_for_a_split(chunk: Rule, *args: Any, **kwargs: Any) -> None:
    return None


@mutant(
    "edges:operator_name",
    "junctions: the second call of an operator in a module has the first one's name",
    SILENT.on("yolo11n.yaml", "model.10."),
)
def junctions_share_a_name(operator_name: Rule, module: str, name: str, seen: Any) -> str:
    return f"{module}:{name}"


@mutant("interpret:_same", "running again: a tensor of equal shape counts as unchanged", MASK)
def only_shapes_are_run_again(same: Rule, a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape


@mutant("interpretation:spread_over", "a channel that is broadcast over others is not noticed", BOTTLENECKS)
def broadcast_not_noticed(spread_over: Rule, *where: Any) -> int:
    return 0


@mutant("parameters:masked", "mask: the batch norm is left as it is", MASK)
def mask_leaves_the_norm(masked: Rule, parameters: Any, layer: Any, keep: Any, kind: str) -> Any:
    return masked(parameters, layer, keep, "weights")


@mutant("parameters:masked", "mask: the channels to keep are those that go", MASK)
def mask_keeps_the_others(masked: Rule, parameters: Any, layer: Any, keep: tuple[int, ...], kind: str) -> Any:
    others = tuple(sorted(set(range(layer.out_channels)) - set(keep)))
    return masked(parameters, layer, others, kind)


@mutant("parameters:_vectors", "shrinking a layer forgets its batch norm", LOCAL)
def shrinking_forgets_the_norm(vectors: Rule, layer: Any) -> Any:
    return [f"{layer.name}.bias"] if layer.bias else []


@mutant("costs:Costs.params", "parameters: biases and batch norms are not counted", GROUP)
def params_forget_vectors(params: Rule, self: Any, changed: Any = None) -> Any:
    return params(self, {name: tensor for name, tensor in (changed or {}).items() if len(tensor.shape) > 1})


@mutant(
    "costs:Costs.macs",
    "multiply-accumulates: the stride is forgotten, pixels of a quarter of the map are counted",
    MASK,
)
def macs_count_other_pixels(macs: Rule, self: Any, changed: Any = None, tensors: Any = None) -> Any:
    return macs(self, changed, tensors) // 4


@mutant("costs:Costs.macs", "multiply-accumulates: fewer input channels save nothing", GROUP)
def macs_of_full_inputs(macs: Rule, self: Any, changed: Any = None, tensors: Any = None) -> Any:
    def widened(name: str, tensor: Tensor) -> Tensor:
        if len(tensor.shape) != 4:
            return tensor
        return Tensor(
            (tensor.shape[0], self.sizes[name] // max(1, self.sizes[name] // tensor.shape[1]), *tensor.shape[2:])
        )

    return macs(self, {name: widened(name, tensor) for name, tensor in (changed or {}).items()}, tensors)
