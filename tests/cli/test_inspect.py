from __future__ import annotations

from tests.cli.conftest import CommandLine


def test_blocks_edges_and_groups_fit_a_terminal(command_line: CommandLine) -> None:
    ran = command_line("inspect", "yolov8n.yaml")
    assert ran.code == 0
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert "4 C2f 64 64 6 3 5, 14" in lines
    assert "22 Detect 64 + 128 + 256 – 19 15, 18, 21 output" in lines
    assert "2.0 model.2.cv1.conv 32 32 1×1" in lines
    assert "model.6.cv2.conv[0:128] model.11:cat concat in1[0:128]" in lines
    assert "16 model.2.cv1.conv[16:32], model.2.m.0.cv2.conv[0:16] yes" in lines
    assert max(map(len, ran.out.splitlines())) <= 120


def test_json_holds_the_same(command_line: CommandLine) -> None:
    ran = command_line("inspect", "yolov8n.yaml", "--json")
    facts = ran.json
    assert [len(block["layers"]) for block in facts["blocks"][1:6]] == [1, 4, 1, 6, 1]
    assert facts["blocks"][11]["in_channels"] == [256, 128]
    assert facts["blocks"][4]["feeds"] == [5, 14]
    assert sum(group["size"] * len(group["members"]) for group in facts["groups"]) == sum(
        layer["out_channels"] for block in facts["blocks"] for layer in block["layers"]
    ), "every channel is in exactly one group"
    assert facts["unsupported"] == []
