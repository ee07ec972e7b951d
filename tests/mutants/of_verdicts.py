"""Mistakes in the quick paths to a verdict, in hazards, repairs and explanations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tests.channels.test_graph import test_head_layers_are_frozen as head_layers
from tests.channels.test_predict import test_a_masked_channel_is_kept_alive_by_its_residual_partner as kept_alive
from tests.channels.test_repair import test_the_partner_in_the_other_half_goes_as_well as partners_go_as_well
from tests.channels.test_verdicts import add_halves
from tests.channels.test_verdicts import test_every_width_of_a_layer_before_a_chunk as every_width
from tests.channels.test_verdicts import test_every_width_of_a_layer_whose_channels_are_halved as halved
from tests.channels.test_verdicts import test_the_path_to_a_break as path_to_a_break
from tests.mutants.hunt import LOCAL, VERDICT, Pinned
from tests.mutants.mutant import mutant

Rule = Callable[..., Any]


@mutant(
    "verdicts:Verdicts._together",
    "local: steps that meet in an operator are judged as if each were alone",
    LOCAL.on("googlenet", "inception3a."),
)
def steps_judged_apart(together: Rule, self: Any, plan: Any, cut: Mapping[str, int]) -> Any:
    name = min(cut, key=lambda name: self.outline(name, cut[name]).stop)
    outline = self.outline(name, cut[name])
    return ("unsafe" if outline.breaks else "safe"), lambda: self.failure(name, cut[name])


@mutant(
    "verdicts:Verdicts._generalised", "local: what one width does is taken for what all widths do", Pinned(every_width)
)
def one_width_stands_for_all(generalised: Rule, self: Any, layer: Any) -> Any:
    return replace(generalised(self, layer), widths=range(1, layer.out_channels))


@mutant(
    "verdicts:_compares_with_fixed",
    "local: an add of both halves of a chunk breaks for every width, as it does for odd ones",
    Pinned(halved, add_halves, 14),
)
def both_halves_compared(compares: Rule, op: Any, result: Any) -> bool:
    return True


@mutant(
    "emptied:_Balance.level", "group: the halves of a chunk may become uneven", VERDICT.on("yolov8n.yaml", "model.2")
)
def halves_left_uneven(level: Rule, self: Any, stays: Any) -> None:
    return None


@mutant("emptied:_least", "group: a convolution may lose all that it reads", VERDICT.on("yolov8n.yaml", "model.1."))
def only_the_last_line_counts(least: Rule, lines: Any) -> Any:
    return least(lines)[-1:]


@mutant("verdicts:Verdicts._alone", "local: a layer breaks as one that is a channel narrower", LOCAL)
def effect_of_another_width(alone: Rule, self: Any, layer: Any, width: int) -> Any:
    return alone(self, layer, max(1, width - 1))


@mutant(
    "verdicts:_wrong",
    "local: a broadcast does not count for the quick verdict",
    VERDICT.on("yolov8n.yaml", "model.2.m", "model.4.m"),
)
def broadcast_does_not_count(wrong: Rule, graph: Any, result: Any) -> bool:
    return False


@mutant("verdicts:Verdicts._mask", "mask: a plan that empties a layer is safe", VERDICT)
def mask_may_empty_a_layer(mask: Rule, self: Any, plan: Any) -> Any:
    return "safe" if not all(plan.widths().values()) else mask(self, plan)


@mutant(
    "verdicts:Verdicts._still_emits",
    "mask: a phantom channel is overlooked where not all are phantoms",
    VERDICT.on("resnet18"),
)
def phantoms_overlooked(still_emits: Rule, self: Any, step: Any, silence: Any) -> bool:
    return False


@mutant("many:_Outlines.__init__", "predict_many: every step does what the step before it does", VERDICT)
def many_off_by_one_step(init: Rule, self: Any, *arguments: Any) -> None:
    init(self, *arguments)
    for name in ("stop", "breaks", "touched"):
        setattr(self, name, np.roll(getattr(self, name), 1, axis=0))


@mutant(
    "many:_Outlines.__init__",
    "predict_many: what a step touches ends one operator too early",
    VERDICT.on("resnet18", "layer2.0."),
)
def many_reach_off_by_one(init: Rule, self: Any, *arguments: Any) -> None:
    init(self, *arguments)
    self.up_to = np.concatenate([np.zeros_like(self.up_to[:1]), self.up_to[:-1]])


@mutant("packed:Steps.least", "predict_many: the last break counts, not the first", VERDICT)
def many_takes_the_last_break(least: Rule, self: Any, numbers: Any, default: int) -> Any:
    found = least(self, -np.where(numbers == default, 0, numbers), 0)
    return np.where(found == 0, default, -found)


@mutant("hazards:_empty_layers", "hazards: a layer without channels is none", VERDICT)
def empty_layers_allowed(empty: Rule, plan: Any) -> Iterator[Any]:
    return iter(())


@mutant("hazards:_alive", "hazards: no residual keeps a masked channel alive", Pinned(kept_alive))
def residuals_keep_nothing_alive(alive: Rule, *arguments: Any) -> dict[str, int]:
    return {}


@mutant("heads:find_head_layers", "the head's own layers are taken for any others", Pinned(head_layers))
def head_layers_forgotten(find: Rule, *arguments: Any) -> dict[str, str]:
    return {}


@mutant("repair:_fewest_drops", "repair: the plan itself", VERDICT)
def repair_changes_nothing(drops: Rule, graph: Any, plan: Any) -> Any:
    return plan, ()


@mutant(
    "explain:explain",
    "the path to a break leaves out its second operator",
    Pinned(path_to_a_break, "model.4.cv1.conv", 32, ("model.4.cv1.conv", "chunk[1]", "model.4.m.0.cv1.conv")),
)
def path_leaves_one_out(explain: Rule, *arguments: Any) -> tuple[str, ...]:
    path: tuple[str, ...] = explain(*arguments)
    return (*path[:1], *path[2:])


@mutant(
    "completion:complete",
    "repair: partner channels are never added",
    Pinned(partners_go_as_well, "group", ""),
)
def partners_forgotten(complete: Rule, graph: Any, plan: Any) -> None:
    return None
