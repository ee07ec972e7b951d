"""``inspect --json``: its structure is documented, and its parts agree with each other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.cli.conftest import CommandLine

DOCS = (Path(__file__).parents[2] / "docs/inspect.md").read_text(encoding="utf-8")


def test_its_parts_agree(command_line: CommandLine) -> None:
    facts = command_line("inspect", "yolov8n.yaml", "--json").json
    assert [len(block["layers"]) for block in facts["blocks"][1:6]] == [1, 4, 1, 6, 1]
    assert facts["blocks"][11]["in_channels"] == [256, 128]
    assert facts["blocks"][4]["feeds"] == [5, 14]
    channels = sum(layer["out_channels"] for layer in facts["layers"])
    assert sum(group["size"] * len(group["members"]) for group in facts["groups"]) == channels
    totals = facts["totals"]
    assert totals["channels"] == totals["removable"] + totals["frozen"] == channels
    assert totals["edges"] == len(facts["edges"])
    assert totals["groups"] == sum(group["size"] for group in facts["groups"])
    for layer in facts["layers"]:
        for number in layer["groups"]:
            members = facts["groups"][number - 1]["members"]
            assert layer["name"] in [member["layer"] for member in members]


def test_slices_hold_exactly_the_edges(command_line: CommandLine) -> None:
    facts = command_line("inspect", "yolov8n.yaml", "--json").json
    carried = sum(edge["producer"]["stop"] - edge["producer"]["start"] for edge in facts["edges"])
    sliced = sum((item["stop"] - item["start"]) * len(item["producers"]) for item in facts["slices"])
    assert sliced == carried
    (one,) = [item for item in facts["slices"] if item["consumer"] == "model.12.cv1.conv" and item["start"] == 256]
    assert one["producers"] == [{"layer": "model.6.cv2.conv", "start": 0, "stop": 128}]
    assert one["through"] == {"operator": "model.11:cat", "port": "in1", "start": 0, "stop": 128}


def test_every_key_is_documented_and_every_documented_key_is_there(command_line: CommandLine) -> None:
    whole = keys(command_line("inspect", "yolov8n.yaml", "--json").json)
    whole |= keys(command_line("inspect", "yolo11n.yaml", "--json").json)  # heads
    layer = keys(command_line("inspect", "yolov8n.yaml", "--layer", "4.0", "--json").json)
    layer |= keys(command_line("inspect", "yolov8n.yaml", "--layer", "22.2", "--json").json)  # a hazard
    layer |= keys(command_line("inspect", "yolo11n.yaml", "--layer", "model.10.m.0.attn.qkv", "--json").json)
    layer -= {key for key in layer if key.startswith("mask.hazards[].")}  # documented with those of local
    for title, found in (("The whole model", whole), ("One layer", layer)):
        section = DOCS.split(f"### {title}")[1].split("###")[0]
        documented = {key for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for key in code(row)}
        assert found == documented, title


def code(row: str) -> list[str]:
    return re.findall(r"`([^`]+)`", row)


def keys(value: Any, place: str = "") -> set[str]:
    """Every key as a path, ``groups[].size``; what stands under the name of a layer is ``active.*.in``."""
    if isinstance(value, list):
        return set().union(*(keys(item, f"{place}[]") for item in value))
    if not isinstance(value, dict):
        return set()
    found: set[str] = set()
    for key, item in value.items():
        inner = "*" if place.endswith("active") else key
        path = f"{place}.{inner}" if place else inner
        found |= {path} | keys(item, path)
    return found
