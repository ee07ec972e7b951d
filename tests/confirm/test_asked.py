"""What goes is what the plan asks for: a wrong choice of channels is refused although the rest of the proof holds."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from itertools import islice

import pytest
import torch
from torch import nn

from benchmarks.equality_plans import FEW, group_plans
from tests.models import graph_of, stock
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.judge import judge
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.prunable import free_channels
from yolo_prune_check.confirm.asked import asked_for
from yolo_prune_check.confirm.check import Check
from yolo_prune_check.confirm.proof import prove
from yolo_prune_check.prune.apply import cuts_of
from yolo_prune_check.prune.copied import copied
from yolo_prune_check.prune.cuts import Cuts
from yolo_prune_check.prune.group import remove
from yolo_prune_check.prune.silenced import reference_of

V8 = "yolov8n.yaml"


def group(*steps: tuple[str, range | list[int]]) -> Plan:
    return Plan([Step(layer, keep) for layer, keep in steps], "group")


def looked_at(plan: Plan, carried_out: Plan, name: str = V8) -> Check:
    """What is said of a plan where another one was carried out in its place."""
    model, graph = stock(name), graph_of(name)
    return asked_for(model, plan, cuts_of(model, carried_out, graph), imgsz=64)


def gone(graph: ChannelGraph, cuts: Cuts, layer: str) -> set[int]:
    width = graph.layers[layer].out_channels
    return {*range(width)} - {*cuts.layers[layer].outputs.tolist()} if layer in cuts.layers else set()


HALF = group(("model.1.conv", range(0, 32, 2)))
WRONG = {
    "the opposite": (group(("model.1.conv", range(1, 32, 2))), "model.1.conv loses 0,2,4,6,8,10,12"),
    "one channel too many": (group(("model.1.conv", range(0, 30, 2))), "model.1.conv loses 30"),
    "another layer as well": (
        group(("model.1.conv", range(0, 32, 2)), ("model.5.conv", range(8, 128))),
        "model.5.conv loses 0-7",
    ),
    "the layer before as well": (
        group(("model.1.conv", range(0, 32, 2)), ("model.0.conv", range(1, 16))),
        "model.0.conv loses 0",
    ),
    "a residual group as well": (
        group(("model.1.conv", range(0, 32, 2)), ("model.4.cv1.conv", [*range(1, 32), *range(33, 64)])),
        "model.4.cv1.conv loses 0,32, model.4.m.0.cv2.conv loses 0, model.4.m.1.cv2.conv loses 0",
    ),
}


@pytest.mark.parametrize(("carried_out", "told"), WRONG.values(), ids=WRONG)
def test_what_nothing_asks_for_is_told_although_all_else_holds(carried_out: Plan, told: str) -> None:
    check = looked_at(HALF, carried_out)
    assert check.passed is False
    assert check.detail.startswith(f"nothing asks for it: {told}")


def test_a_plan_of_which_nothing_goes_is_told() -> None:
    check = looked_at(HALF, group(("model.4.cv1.conv", range(1, 64))))
    assert (check.passed, check.detail) == (False, "none of the 16 channels that it names goes")


def test_the_rest_of_the_proof_cannot_see_it() -> None:
    model, graph = stock(), graph_of()
    cuts = cuts_of(model, WRONG["the opposite"][0], graph)
    small = copied(model)
    remove(small, cuts)
    assert all(row.passed for row in prove(reference_of(model, cuts), small, (64,)))


RIGHT = {
    "alone": (V8, HALF, "16 of the 16 that it names"),
    "a residual group": (
        V8,
        group(("model.4.cv1.conv", [*range(1, 32), *range(33, 64)])),
        "2 of the 2 that it names; 2 that are tied to these go as well",
    ),
    "one of two halves": (
        V8,
        group(("model.4.cv1.conv", range(1, 64)), ("model.1.conv", range(16))),
        "16 of the 17 that it names; 1 stay after all, most in model.4.cv1.conv",
    ),
    "queries with their keys, and pieces of values": (
        "yolo11n.yaml",
        group(("model.10.m.0.attn.qkv.conv", sorted({*range(256)} - {*range(16), *range(128, 144)}))),
        "32 of the 32 that it names; 32 that are tied to these go as well",
    ),
    "depthwise": (
        "yolo11n.yaml",
        group(("model.23.cv3.0.0.1.conv", range(8, 80))),
        "8 of the 8 that it names; 8 that are tied to these go as well",
    ),
}


@pytest.mark.parametrize(("name", "plan", "told"), RIGHT.values(), ids=RIGHT)
def test_what_is_tied_to_it_may_go(name: str, plan: Plan, told: str) -> None:
    assert looked_at(plan, plan, name) == Check("what goes is what the plan asks for", True, None, told)


@pytest.mark.parametrize(("name", "plans"), [(V8, 12), ("yolo12n.yaml", 5)])
def test_one_more_channel_is_always_told(name: str, plans: int) -> None:
    """Of random small plans all may go that goes, and nothing that only another plan takes as well."""
    model, graph = stock(name), graph_of(name)
    draw, free, looked = random.Random(0), free_channels(graph), 0
    layers = [layer for layer in graph.layers if free[graph.provenance.channels.span(layer)].all()]
    for plan in islice(group_plans(graph, "asked"), plans):
        if len(plan.steps) > FEW or judge(graph, plan).verdict != "safe":
            continue
        cuts = cuts_of(model, plan, graph)
        assert asked_for(model, plan, cuts, imgsz=64).passed
        layer = draw.choice([layer for layer in layers if layer not in plan.kept()])
        wider = Plan([*plan.steps, Step(layer, range(1, graph.layers[layer].out_channels))], "group")
        more = cuts_of(model, wider, graph)
        if 0 not in gone(graph, more, layer) or 0 in gone(graph, cuts, layer):
            continue  # it stays for symmetry, or went with the others
        looked += 1
        check = asked_for(model, plan, more, imgsz=64)
        assert check.passed is False
        assert f"{layer} loses 0" in check.detail
    assert looked >= 2


class Shared(nn.Module):
    """One convolution that reads what it made itself, and a grouped one."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.again = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1)
        self.grouped, self.last = nn.Conv2d(8, 12, 1, groups=4), nn.Conv2d(12, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.last(self.grouped(self.again(self.again(self.first(x)))).relu())
        return result


def test_a_weight_that_reads_what_it_made_and_a_group_that_goes_as_a_whole() -> None:
    torch.manual_seed(0)
    model = Shared().eval()
    graph = ChannelGraph.trace(model, imgsz=64)
    plan = group(("first", range(2, 8)), ("grouped", range(3, 12)))
    cuts = cuts_of(model, plan, graph)
    assert len(cuts.layers["again"].outputs) == 6
    told = "5 of the 5 that it names; 2 that are tied to these go as well"
    assert asked_for(model, plan, cuts, imgsz=64).detail == told
    check = asked_for(model, group(("grouped", range(3, 12))), cuts, imgsz=64)
    assert check.detail == "nothing asks for it: again loses 0-1, first loses 0-1"


class Odd(nn.Module):
    """A residual sum in a forward that does what it does to a batch."""

    def __init__(self, odd: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 4, 1)
        self.odd = odd

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        return self.odd(self.last(x + self.second(x)))  # type: ignore[no-any-return]


def of_one_image(x: torch.Tensor) -> torch.Tensor:
    assert len(x) == 1, "one image at a time"
    return x


def followed(odd: Callable[[torch.Tensor], torch.Tensor], imgsz: int = 64) -> Check:
    model = Odd(odd).eval()
    graph = ChannelGraph.trace(model, imgsz=64)
    plan = group(("first", range(2, 8)))
    cuts = cuts_of(model, plan, graph)
    assert set(cuts.layers) == {"first", "second", "last"}
    return asked_for(model, plan, cuts, imgsz=imgsz)


def test_a_model_that_takes_no_batch_is_not_judged() -> None:
    check = followed(of_one_image)
    assert check.passed is None
    assert check.detail == "where channels go cannot be followed in this model: one image at a time"


def test_a_model_that_takes_no_small_image_is_followed_in_larger_ones() -> None:
    model = stock().train(False)
    odd = copy.deepcopy(model)
    odd.model[9] = nn.Sequential(odd.model[9], nn.InstanceNorm2d(256))  # type: ignore[index]  # of one pixel raises
    for name in ("i", "f", "type", "np"):
        setattr(odd.model[9], name, getattr(model.model[9], name))  # type: ignore[index]
    graph = ChannelGraph.trace(odd, imgsz=64)
    plan = group(("model.4.cv1.conv", [*range(1, 32), *range(33, 64)]))
    assert asked_for(odd, plan, cuts_of(odd, plan, graph), imgsz=64) == Check(
        "what goes is what the plan asks for",
        True,
        None,
        "2 of the 2 that it names; 2 that are tied to these go as well",
    )


class Patches(Odd):
    """Goes on with pieces of images, which come before the images in the batch."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        x = x + self.second(x)
        pieces = x.view(len(x), x.shape[1], 2, -1, x.shape[-1]).permute(2, 0, 1, 3, 4)
        return self.last(pieces.flatten(0, 1))  # type: ignore[no-any-return]


def test_where_images_are_not_told_apart_nothing_is_judged() -> None:
    torch.manual_seed(0)
    model = Patches(nn.Identity()).eval()
    graph = ChannelGraph.trace(model, imgsz=64)
    plan = group(("first", range(2, 8)))
    wrong = cuts_of(model, group(("first", range(3, 8))), graph)
    assert set(wrong.layers) == {"first", "second", "last"}
    check = asked_for(model, plan, wrong, imgsz=64)
    assert check.passed is None
    assert "NaN arrives at " in check.detail


def test_a_model_that_makes_nan_of_its_own_is_not_judged() -> None:
    model, graph = copy.deepcopy(stock()), graph_of()
    model.get_buffer("model.1.bn.running_var")[3] = torch.nan
    plan = group(("model.4.cv1.conv", [*range(1, 32), *range(33, 64)]))
    check = asked_for(model, plan, cuts_of(model, plan, graph), imgsz=64)
    assert (check.passed, check.detail) == (
        None,
        "where channels go cannot be followed in this model: NaN arrives at model.2.cv1.conv in images that have none",
    )
