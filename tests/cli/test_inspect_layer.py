"""``inspect --layer``: what depends on one layer, by which path, and what pruning it alone does."""

from __future__ import annotations

import pytest
from torch import nn

from tests.cli.conftest import CommandLine
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.cli.inspect.layer import examine
from yolo_prune_check.cli.inspect.parts import parts_of
from yolo_prune_check.cli.output import WIDTH
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.addresses import find_layer
from yolo_prune_check.model.load import load_model


@pytest.mark.parametrize("name", ["4.0", "model.4.cv1.conv", "model.4.cv1"])
def test_a_layer_is_named_by_address_or_name(name: str, command_line: CommandLine) -> None:
    ran = command_line("inspect", "yolov8n.yaml", "--layer", name)
    assert ran.code == 0
    assert ran.out.startswith("yolov8n.yaml, layer 4.0 = model.4.cv1.conv of block 4 (C2f), traced at 64 px\n")
    assert max(map(len, ran.out.splitlines())) <= WIDTH


def test_paths_lead_through_chunk_add_and_concat(command_line: CommandLine) -> None:
    lines = [
        " ".join(line.split()) for line in command_line("inspect", "yolov8n.yaml", "--layer", "4.0").out.split("\n")
    ]
    assert "[32:64] model.4.cv1.conv → chunk[1] → model.4.m.0.cv1.conv" in lines
    assert "[0:32] model.4.cv1.conv → chunk[0] → model.4 concat[0] → model.4.cv2.conv" in lines
    add = "model.4.cv1.conv → chunk[1] → model.4.m.0 add → model.4.m.1 add → model.4 concat[3] → model.4.cv2.conv"
    assert f"[32:64] {add}" in lines


def test_it_says_what_goes_with_it_and_what_breaks(command_line: CommandLine) -> None:
    out = command_line("inspect", "yolov8n.yaml", "--layer", "4.3").out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert (
        "9 [0:32] model.4.cv1.conv[32:64], model.4.m.1.cv2.conv[0:32] model.4.m.0:add, model.4.m.1:add yes, equally"
        in lines
    )
    assert "breaks in model.4.m.0 (residual): expected 32, got 16" in lines
    assert "how it gets there: model.4.m.0.cv2.conv → model.4.m.0 add" in lines
    assert "out of model.4.m.0.cv2.conv 32 16" in lines


def together(out: str, title: str) -> list[str]:
    """The lines of one part, with single spaces."""
    (found,) = [part for part in out.split("\n\n\n") if part.startswith(title)]
    return [" ".join(line.split()) for line in found.splitlines()]


@pytest.mark.parametrize(("layer", "channels"), [("2.0", "[0:32]"), ("2.3", "[0:16]")])
def test_it_names_the_partners_of_which_equally_many_must_stay(
    layer: str, channels: str, command_line: CommandLine
) -> None:
    out = command_line("inspect", "yolov8n.yaml", "--layer", layer).out
    assert together(out, "MUST STAY EQUAL")[-1] == f"{channels} model.2.cv1.conv[0:16] = [16:32] chunk in model.2"
    assert "MUST STAY EQUAL" not in command_line("inspect", "yolov8n.yaml", "--layer", "2.2").out


def test_queries_and_keys_have_paths_and_go_with_each_other(command_line: CommandLine) -> None:
    out = command_line("inspect", "yolo11m.yaml", "--layer", "model.10.m.0.attn.qkv").out
    assert max(map(len, out.splitlines())) <= WIDTH
    qkv, attention = "model.10.m.0.attn.qkv.conv", "model.10.m.0.attn"
    paths = together(out, "PATHS")
    assert f"[0:32] {qkv} → split[0] → {attention} mul → {attention} matmul" in paths
    assert f"[416:448] {qkv} → split[1] → {attention} matmul" in paths
    groups = together(out, "WHAT THEY CAN ONLY BE REMOVED WITH")
    assert f"38 [0:32], [32:64] each other, channel by channel {attention}:matmul yes, equally" in groups
    assert "its channels end in 2 layers and in the product of an attention, which sums over them" in out


def test_json_holds_the_heads_of_an_attention(command_line: CommandLine) -> None:
    qkv = "model.10.m.0.attn.qkv"
    facts = command_line("inspect", "yolo11m.yaml", "--layer", qkv, "--json").json
    cut, queries, values, stream = facts["equals"]
    assert (cut["channels"], cut["operators"]) == ([], ["split_with_sizes in model.10"])
    assert [len(item["blocks"]) for item in (queries, values, stream)] == [4, 4, 2]
    assert queries["unit"] == "head"
    assert queries["units"][3]["channels"] == [{"layer": f"{qkv}.conv", "start": 384, "stop": 512}]
    assert queries["channels"][0] == [0, 64]
    assert (stream["unit"], stream["units"]) == (None, [])


def test_json_holds_ranges_paths_and_predictions(command_line: CommandLine) -> None:
    facts = command_line("inspect", "yolov8n.yaml", "--layer", "6.1", "--json").json
    assert facts["blocks"] == [7, 11, 12]
    (far,) = [item for item in facts["reached"] if item["consumer"] == "model.12.cv1.conv"]
    assert (far["channels"], far["position"], far["ends"]) == ([0, 128], 256, True)
    assert far["path"] == ["model.6.cv2.conv", "model.11 concat[1]", "model.12.cv1.conv"]
    assert facts["local"]["failure"]["module"] == "model.7.conv"
    assert facts["mask"]["active"]["model.12.cv1.conv"]["in"] == 384 - 64


def test_a_single_channel_cannot_be_halved(command_line: CommandLine) -> None:
    out = command_line("inspect", "yolov8n.yaml", "--layer", "22.18").out
    assert "It has a single channel, so there is nothing to remove." in out


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("model.4.cv7", "Did you mean 'model.4.cv2'?"),
        ("4.9", "block 4 has 6 Conv2d (4.0, 4.1, 4.2, 4.3, 4.4, 4.5)"),
        ("99.0", "the model has blocks 0-22"),
    ],
)
def test_a_wrong_layer_is_told_with_exit_code_2(name: str, told: str, command_line: CommandLine) -> None:
    ran = command_line("inspect", "yolov8n.yaml", "--layer", name)
    assert ran.code == 2
    assert told in ran.err


def test_a_layer_that_does_not_run_is_refused() -> None:
    model = load_model("yolov8n.yaml")
    model.get_submodule("model.0").spare = nn.Conv2d(3, 8, 1)  # as the heads that some models only train with
    graph = ChannelGraph.trace(model, imgsz=64)
    with pytest.raises(UserError, match="does not run when the model predicts"):
        examine(graph, parts_of(model, graph), find_layer(model, "model.0.spare"))
