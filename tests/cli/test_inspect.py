"""``inspect MODEL``: it fits a terminal, adds up, and says what is in the graph."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from tests.cli.conftest import CommandLine
from tests.models import graph_of, stock
from yolo_prune_check.channels.slices import slices_of
from yolo_prune_check.cli.equal import equals_of
from yolo_prune_check.cli.inspect.bundles import bundled, holdings, start_and_stop, way
from yolo_prune_check.cli.inspect.overview import overview
from yolo_prune_check.cli.inspect.parts import parts_of
from yolo_prune_check.cli.output import WIDTH

FAMILIES = ("yolov3-tiny", "yolov5n", "yolov8n", "yolov8n-ghost", "yolov9t", "yolov10n", "yolo11n", "yolo12n")


def shown(name: str) -> str:
    return overview(name, graph_of(name), parts_of(stock(name), graph_of(name)))


def part(text: str, title: str) -> list[str]:
    """Lines of one part, with single spaces."""
    (found,) = [section for section in text.split("\n\n\n") if section.startswith(title)]
    return [" ".join(line.split()) for line in found.splitlines()]


def total(text: str, title: str) -> str:
    """The last line of one part, which may go on in the next."""
    return " ".join(part(text, title)).rpartition("Total: ")[2]


def number(line: str, noun: str) -> int:
    found = re.search(rf"([\d,]+) {noun}", line)
    assert found, line
    return int(found[1].replace(",", ""))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_line_fits_and_the_totals_add_up(family: str) -> None:
    text = shown(f"{family}.yaml")
    graph = graph_of(f"{family}.yaml")
    assert max(map(len, text.splitlines())) <= WIDTH
    channels = sum(layer.out_channels for layer in graph.layers.values())
    summary = part(text, family)
    assert number(summary[2], "layers") == len(graph.layers)
    assert number(summary[3], "channels") == channels
    removable, frozen = number(summary[3], "can be removed"), number(summary[3], "cannot")
    assert removable + frozen == channels
    assert number(total(text, "GROUPS"), "channels") == channels
    assert number(total(text, "FROZEN CHANNELS"), "of") == frozen
    rows = [line.split() for line in part(text, "GROUPS") if re.match(r"\d+ \d+ ", line)]
    assert sum(int(size) for _, size, *_ in rows) == number(summary[4], "dependency groups")
    assert number(total(text, "EDGES"), "edges") == len(graph.edges)


def test_blocks_say_what_feeds_what() -> None:
    lines = part(shown("yolov8n.yaml"), "BLOCKS")
    assert "0 Conv 3 16 1 image 1" in lines
    assert "4 C2f 64 64 6 3 5, 14" in lines
    assert "22 Detect 64 + 128 + 256 – 19 15, 18, 21 output" in lines
    assert lines[-1] == "Total: 23 blocks, 64 layers (Conv2d)"


def test_layers_have_addresses_and_groups() -> None:
    lines = part(shown("yolov8n.yaml"), "LAYERS")
    assert "2.0 model.2.cv1.conv 32 32 1×1 3–4" in lines
    assert "23.10 model.23.cv3.0.0.0.conv 64 64 3×3 depthwise 43" in part(shown("yolo11n.yaml"), "LAYERS") or any(
        "3×3 depthwise" in line for line in part(shown("yolo11n.yaml"), "LAYERS")
    )


def test_edges_say_which_slice_of_which_concat() -> None:
    lines = part(shown("yolov8n.yaml"), "EDGES")
    at = lines.index("model.12.cv1.conv direct [0:256] model.9.cv2.conv[0:256] model.11:cat in0[0:256]")
    assert lines[at + 1] == "[256:384] model.6.cv2.conv[0:128] model.11:cat in1[0:128]"
    assert "model.2.m.0.cv1.conv direct [0:16] model.2.cv1.conv[16:32] model.2:split out1[0:16]" in lines


def test_heads_that_lie_evenly_apart_share_a_row() -> None:
    slices = [item for item in slices_of(graph_of("yolo12s.yaml")) if item.consumer == "model.6.m.0.0.attn.proj.conv"]
    (bundle,) = bundled(slices)
    assert start_and_stop(bundle) == "[0:128]"
    assert holdings(bundle) == (
        "model.6.m.0.0.attn.qkv.conv[64:96], [160:192], … [352:384] + model.6.m.0.0.attn.pe.conv[0:128]"
    )
    assert way(bundle) == "model.6.m.0.0.attn:add"


def test_of_a_long_sum_some_terms_are_named() -> None:
    text = " ".join(part(shown("yolo12n.yaml"), "EDGES")).replace(" .", ".")
    assert re.search(r"model\.6\.cv1\.conv\[0:64\] \+ (\S+ )?\S+\[0:64\] \+ … \d+ more … \+", text)


def test_every_slice_is_in_one_bundle() -> None:
    slices = slices_of(graph_of("yolo12n.yaml"))
    bundles = bundled(slices)
    assert [item for bundle in bundles for item in bundle] == list(slices)
    assert len(bundles) < len(slices)
    for bundle in bundles:
        for parts in zip(*(item.producers for item in bundle), strict=True):
            starts = [part.start for part in parts]
            assert len({b - a for a, b in pairwise(starts)}) <= 1
            assert len({part.layer for part in parts}) == 1


def test_what_an_operator_does_twice_is_not_mixed_up() -> None:
    lines = part(shown("yolov8n.yaml"), "EDGES")
    assert "model.22:view head in0[0:64] model.22.cv2.0.2[0:64]" in lines
    assert len([line for line in lines if line.startswith("model.9.m:pool")]) == 3


def test_groups_say_what_ties_them() -> None:
    lines = part(shown("yolov8n.yaml"), "GROUPS")
    assert "4 16 model.2.cv1.conv[16:32], model.2.m.0.cv2.conv[0:16] model.2.m.0:add yes, equally" in lines
    text = " ".join(part(shown("yolo11n.yaml"), "GROUPS"))
    assert "model.16.cv2.conv[0:64], model.23.cv3.0.0.0.conv yes model.23.cv3.0.0.0.conv[0:64]" in text.replace(
        " (depthwise)", ""
    )


def test_what_must_stay_equal_has_a_row_for_each_constraint_and_one_for_all_heads() -> None:
    lines = part(shown("yolov8n.yaml"), "MUST STAY EQUAL")
    assert "model.2.cv1.conv[0:16] = [16:32] chunk in model.2" in lines
    assert lines[-1] == "Total: 8 rows"
    example = "whoever removes 3 channels of model.2.cv1.conv[0:16] has to remove 3 of model.2.cv1.conv[16:32]"
    assert example in " ".join(lines)
    heads = part(shown("yolo12n.yaml"), "MUST STAY EQUAL")
    last = "model.8.m.1.1.attn"
    assert f"{last}.qkv.conv[0:96] = [96:192] = … = [288:384] view in {last} a head, nothing less" in heads
    assert "yes, whole heads" in " ".join(part(shown("yolo12n.yaml"), "GROUPS"))


def test_a_model_without_halves_or_heads_says_nothing_of_equal_numbers() -> None:
    assert not equals_of(graph_of("yolov5n.yaml"))
    text = shown("yolov5n.yaml")
    assert "MUST STAY EQUAL" not in text
    assert "equally" not in text


def test_frozen_channels_say_why() -> None:
    lines = part(shown("yolov8n.yaml"), "FROZEN CHANNELS")
    assert any(
        line.endswith("model.22.cv2.0.2[0:64] flows into view in model.22 (the head decodes it)") for line in lines
    )


def test_the_command_prints_it(command_line: CommandLine) -> None:
    ran = command_line("inspect", "yolov8n.yaml", "--imgsz", "96")
    assert ran.code == 0
    assert ran.out.startswith("yolov8n.yaml, traced at 96 px\n\n23 blocks, 64 layers (Conv2d), 3,157,200 parameters\n")
    assert max(map(len, ran.out.splitlines())) <= WIDTH
