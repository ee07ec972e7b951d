"""What a good spec becomes."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from tests.spec.texts import HEAD, SELECTION, one, write
from yolo_prune_check.spec import Scenario, load_spec
from yolo_prune_check.spec.schema import Expect, FineTune, Select, StepSpec


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(folder: Path, text: str) -> tuple[Scenario, ...]:
    return load_spec(write(folder, text)).scenarios


def only(folder: Path, fields: str) -> Scenario:
    (scenario,) = load(folder, one(fields))
    return scenario


def test_every_default_is_filled_in(tmp_path: Path) -> None:
    suite = load_spec(write(tmp_path, one()))
    assert (suite.path, suite.name) == (tmp_path / "x.prune.yaml", "x")
    (scenario,) = suite.scenarios
    source = scenario.source
    assert (source.file, source.first_line, source.last_line) == ("x.prune.yaml", 4, 4)
    assert scenario.model_dump(exclude={"source"}) == {
        "id": "a",
        "base_id": "a",
        "suite": "x",
        "spec": "x.prune.yaml",
        "why": "",
        "model": "yolov8n.yaml",
        "trust_checkpoint": False,
        "data": "digits",
        "imgsz": None,
        "device": "cpu",
        "blocks": (1,),
        "layers": "first",
        "order": "front-to-back",
        "select": {
            "criterion": "taylor",
            "ratio": None,
            "scope": "layer",
            "floor": 0.1,
            "seed": 0,
            "max_images": 200,
            "place": "centre",
            "objects": "matched",
            "memory_mb": 1000.0,
            "distance": "jeffries-matusita",
            "embedding": "tsne",
            "perplexity": 10.0,
            "survivor": "medoid",
        },
        "steps": None,
        "fuzz": None,
        "activations": "hooked",
        "execution": "mask",
        "mask": "silent",
        "extend": True,
        "round_to": None,
        "schedule": "sequential",
        "on_mismatch": "fail",
        "fine_tune": None,
        "val_part": None,
        "measure": "each",
        "limits": None,
        "expect": {
            "verdict": "safe",
            "max_map_drop": None,
            "max_accuracy_drop": None,
            "min_params_cut": None,
            "min_macs_cut": None,
            "max_latency_ratio": None,
            "hazards": (),
            "failure_module": None,
            "error": None,
        },
        "tags": (),
        "seed": 0,
        "axes": {},
    }


def test_every_field_can_be_set(tmp_path: Path) -> None:
    (scenario,) = load(
        tmp_path,
        """\
        model: yolov8n.yaml
        scenarios:
          - id: all.of_it-1
            why: |
              Two
              lines.
            model: yolov8s.yaml
            trust_checkpoint: true
            data: digits
            imgsz: 64
            device: [1, 0]
            blocks: [2, 4]
            layers: [0, 2.1, model.4.cv1.conv]
            order: shuffled:7
            select: {criterion: separability, ratio: 0.25, seed: 3, max_images: 10, perplexity: 5}
            activations: sliced
            execution: mask
            mask: weights
            schedule: sessions
            on_mismatch: skip
            fine_tune: {epochs: 2, fraction: 0.5, batch: 8, lr: 1e-5, enforce_masks: false}
            expect:
              verdict: partial
              max_map_drop: 0.1
              min_params_cut: 0
              min_macs_cut: 0.0
              max_latency_ratio: 1.5
              hazards: [phantom-channel, regrowth]
              failure_module: model.4
            tags: [field-notes, slow_one]
            seed: 5
        """,
    )
    assert scenario.why == "Two\nlines.\n"
    assert (scenario.model, scenario.data, scenario.imgsz) == ("yolov8s.yaml", "digits", 64)
    assert scenario.trust_checkpoint
    assert scenario.device == "1,0"
    assert (scenario.blocks, scenario.layers) == ((2, 4), (0, "2.1", "model.4.cv1.conv"))
    assert scenario.order == "shuffled:7"
    assert scenario.select == Select(criterion="separability", ratio=0.25, seed=3, max_images=10, perplexity=5)
    assert (scenario.activations, scenario.execution, scenario.mask) == ("sliced", "mask", "weights")
    assert (scenario.schedule, scenario.on_mismatch) == ("sessions", "skip")
    assert scenario.fine_tune == FineTune(epochs=2, fraction=0.5, batch=8, lr=0.00001, enforce_masks=False)
    assert scenario.expect == Expect(
        verdict="partial",
        max_map_drop=0.1,
        min_params_cut=0,
        min_macs_cut=0,
        max_latency_ratio=1.5,
        hazards=("phantom-channel", "regrowth"),
        failure_module="model.4",
    )
    assert scenario.tags == ("field_notes", "slow_one")
    assert scenario.seed == 5


@pytest.mark.parametrize(
    ("written", "device"),
    [
        ("cpu", "cpu"),
        ("0", "0"),
        ("'1'", "1"),
        ("cuda", "0"),
        ("cuda:1", "1"),
        ("[2]", "2"),
        ("[0, 1]", "0,1"),
        ("'0,1'", "0,1"),
        ("'cuda:1, 0'", "1,0"),
    ],
)
def test_a_device_is_named_as_ultralytics_does(tmp_path: Path, written: str, device: str) -> None:
    from ultralytics.utils.torch_utils import parse_device

    plain = f"steps: [{{layer: 2.0, keep: 0-7}}], device: {written}"
    assert only(tmp_path, plain).device == device == parse_device(device)
    (scenario,) = load(tmp_path, f"defaults: {{device: {written}}}\n{one()}")
    assert scenario.device == device


def test_a_device_can_be_an_axis(tmp_path: Path) -> None:
    found = load(tmp_path, one(f"{SELECTION}, matrix: {{device: [cpu, 0, [0, 1]]}}"))
    assert {scenario.id: scenario.device for scenario in found} == {"a[cpu]": "cpu", "a[0]": "0", "a[0+1]": "0,1"}


def test_a_file_trusts_the_checkpoints_of_its_scenarios_and_a_scenario_need_not(tmp_path: Path) -> None:
    trusted, strict = load(
        tmp_path,
        """\
        model: yolov8n.yaml
        trust_checkpoint: true
        scenarios:
          - {id: trusted, steps: [{layer: 2.0, keep: 0-7}]}
          - {id: strict, steps: [{layer: 2.0, keep: 0-7}], trust_checkpoint: false}
        """,
    )
    assert (trusted.trust_checkpoint, strict.trust_checkpoint) == (True, False)


@pytest.mark.parametrize(
    ("written", "layers"),
    [
        ("[2.0]", ("2.0",)),
        ("[2.1, 2.10]", ("2.1", "2.10")),
        ("['2.10']", ("2.10",)),
        ("[12.100, model.2.cv1.conv]", ("12.100", "model.2.cv1.conv")),
    ],
)
def test_an_address_is_its_text_not_a_number(tmp_path: Path, written: str, layers: tuple[str, ...]) -> None:
    scenario = only(tmp_path, f"layers: {written}")
    assert (scenario.blocks, scenario.layers) == (None, layers)


def test_a_decimal_elsewhere_stays_a_number(tmp_path: Path) -> None:
    scenario = only(tmp_path, "layers: [2.0], select: {criterion: l1, ratio: 0.50}, expect: {max_latency_ratio: 2.10}")
    assert (scenario.select.ratio, scenario.expect.max_latency_ratio) == (0.5, 2.1)
    assert type(scenario.select.ratio) is float


@pytest.mark.parametrize(
    ("written", "keep"),
    [
        ("0-7", tuple(range(8))),
        ("'0-2, 12,5-6'", (0, 1, 2, 5, 6, 12)),
        ("[3, 1, 0]", (0, 1, 3)),
        ("[]", ()),
        ("'4'", (4,)),
    ],
)
def test_steps_say_what_is_kept(tmp_path: Path, written: str, keep: tuple[int, ...]) -> None:
    scenario = only(tmp_path, f"steps: [{{layer: 2.10, keep: {written}}}, {{layer: model.1.conv, keep: [0]}}]")
    assert scenario.steps == (StepSpec(layer="2.10", keep=keep), StepSpec(layer="model.1.conv", keep=(0,)))
    assert (scenario.blocks, scenario.layers, scenario.order) == (None, ("2.10", "model.1.conv"), "listed")


def test_steps_need_no_data(tmp_path: Path) -> None:
    (scenario,) = load(tmp_path, one("steps: [{layer: 2.0, keep: 0-7}]", head="model: x.yaml\nscenarios:\n\n"))
    assert scenario.data is None


def test_the_scenarios_seed_is_the_selections(tmp_path: Path) -> None:
    assert only(tmp_path, f"{SELECTION}, seed: 4").select.seed == 4
    assert only(tmp_path, f"{SELECTION}, seed: 4, select: {{seed: 2}}").select.seed == 2


def test_yaml_1_2_keeps_words_and_reads_numbers(tmp_path: Path) -> None:
    scenario = only(tmp_path, f"{SELECTION}, why: no, tags: [off, y], fine_tune: {{epochs: 1_0, lr: 1e-5}}")
    assert (scenario.why, scenario.tags) == ("no", ("off", "y"))
    assert scenario.fine_tune == FineTune(epochs=10, lr=0.00001)


def test_a_scenario_replaces_a_default_as_a_whole(tmp_path: Path) -> None:
    plain, own = load(
        tmp_path,
        """\
        model: yolov8n.yaml
        data: digits
        imgsz: 64
        defaults: {blocks: [1], layers: first, select: {criterion: l1, ratio: 0.5}, tags: [all], seed: 3}
        scenarios:
          - {id: plain}
          - {id: own, select: {criterion: separability}, blocks: [2], imgsz: 96, steps: null, tags: []}
        """,
    )
    assert (plain.select.criterion, plain.select.ratio, plain.select.seed) == ("l1", 0.5, 3)
    assert (plain.blocks, plain.imgsz, plain.tags, plain.seed) == ((1,), 64, ("all",), 3)
    assert (own.select.criterion, own.select.ratio) == ("separability", None)
    assert (own.blocks, own.layers, own.imgsz, own.tags) == ((2,), "first", 96, ())


def test_null_takes_a_default_back(tmp_path: Path) -> None:
    (scenario,) = load(
        tmp_path,
        """\
        model: yolov8n.yaml
        data: digits
        defaults: {blocks: [1], layers: first, fine_tune: {epochs: 1}, select: {criterion: l1, ratio: 0.5}}
        scenarios:
          - {id: a, data: null, fine_tune: null, blocks: null, layers: [2.0]}
        """,
    )
    assert (scenario.data, scenario.fine_tune, scenario.blocks, scenario.layers) == (None, None, None, ("2.0",))


def test_defaults_that_say_nothing_to_a_scenario_are_left_out(tmp_path: Path) -> None:
    local, steps, both_ways, masked = load(
        tmp_path,
        """\
        model: yolov8n.yaml
        data: digits
        defaults: {blocks: [1], layers: all, order: back-to-front, schedule: sessions, mask: weights}
        scenarios:
          - {id: local, execution: local}
          - {id: steps, steps: [{layer: 2.0, keep: 0-7}]}
          - {id: both, matrix: {execution: [group, mask]}}
        """,
    )
    assert (local.mask, local.order) == ("silent", "back-to-front")
    assert (steps.blocks, steps.schedule, steps.mask) == (None, "sequential", "weights")
    assert (both_ways.id, both_ways.mask, masked.id, masked.mask) == ("both[group]", "silent", "both[mask]", "weights")


def test_anchors_and_merge_keys(tmp_path: Path) -> None:
    first, second = load(
        tmp_path,
        """\
        model: yolov8n.yaml
        data: digits
        scenarios:
          - &first
            id: first
            blocks: &blocks [1]
            layers: first
          - {<<: *first, id: second, layers: all}
        """,
    )
    assert (first.blocks, first.layers) == ((1,), "first")
    assert (second.id, second.blocks, second.layers) == ("second", (1,), "all")


def test_included_files_come_first_and_give_defaults(tmp_path: Path) -> None:
    write(tmp_path, "model: yolov8s.yaml\ndefaults: {layers: first, seed: 1}\n", "common/root.yaml")
    write(
        tmp_path,
        """\
        include: root.yaml
        data: digits
        imgsz: 64
        defaults: {seed: 2}
        scenarios:
          - {id: theirs, blocks: [1]}
        """,
        "common/base.yaml",
    )
    theirs, ours = load(
        tmp_path,
        """\
        include: [common/base.yaml, common/root.yaml]
        imgsz: 96
        defaults: {execution: local}
        scenarios:
          - {id: ours, blocks: [2], seed: 3}
        """,
    )
    assert [theirs.id, ours.id] == ["theirs", "ours"]
    for scenario in (theirs, ours):
        assert (scenario.model, scenario.data, scenario.imgsz) == ("yolov8s.yaml", "digits", 96)
        assert (scenario.layers, scenario.execution) == ("first", "local")
        assert (scenario.suite, scenario.spec) == ("x", "x.prune.yaml")
    assert (theirs.seed, ours.seed) == (2, 3)
    assert (theirs.source.file, ours.source.file) == ("common/base.yaml", "x.prune.yaml")


def test_a_file_may_only_include(tmp_path: Path) -> None:
    write(tmp_path, one(), "base.yaml")
    (scenario,) = load(tmp_path, "include: base.yaml\nmodel: yolov8s.yaml\n")
    assert (scenario.id, scenario.model) == ("a", "yolov8s.yaml")


def test_paths_are_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    for name in ("sub/m.pt", "sub/own.yaml", "data.yaml"):
        write(tmp_path, "", name)
    write(tmp_path, "model: m.pt\ndata: ../data.yaml\n", "sub/base.yaml")
    spec = one(f"{SELECTION}", head="include: sub/base.yaml\n\nscenarios:\n")
    (scenario,) = load(tmp_path, spec)
    assert (scenario.model, scenario.data) == ("sub/m.pt", "data.yaml")
    moved = load_spec(write(tmp_path, one(f"{SELECTION}, model: own.yaml"), "sub/y.prune.yaml")).scenarios[0]
    assert moved.model == "sub/own.yaml"


@pytest.mark.parametrize("model", ["yolov8n-digits", "yolov8n.yaml", "here.pt"])
def test_names_and_files_of_the_working_directory_pass_through(tmp_path: Path, model: str) -> None:
    write(tmp_path, "", "here.pt")
    text = one(head=f"model: {model}\ndata: digits\nscenarios:\n")
    assert load_spec(write(tmp_path, text, "specs/x.prune.yaml")).scenarios[0].model == model


def test_a_scenario_that_expects_refusal_may_name_a_missing_file(tmp_path: Path) -> None:
    assert only(tmp_path, f"{SELECTION}, model: gone.pt, expect: {{error: no such file}}").model == "gone.pt"


def test_the_source_is_the_scenarios_own_lines(tmp_path: Path) -> None:
    text = f"""\
{HEAD}
  # about a
  - id: a
    blocks: [1]
    layers: first   # a remark

  # about b
  - id: b
    layers:
      - 2.0
    blocks:
    why: >
      Folded
      text.


  - {{id: c, {SELECTION},
     seed: 3}}
# end
"""
    a, b, c = (scenario.source for scenario in load(tmp_path, text))
    assert (a.first_line, a.last_line) == (6, 8)
    assert a.text == "- id: a\n  blocks: [1]\n  layers: first   # a remark"
    assert (b.first_line, b.last_line) == (11, 17)
    assert b.text.endswith("why: >\n    Folded\n    text.")
    assert (c.first_line, c.last_line) == (20, 21)
    assert c.text == f"- {{id: c, {SELECTION},\n   seed: 3}}"


def test_a_scenario_survives_pickle_and_json(tmp_path: Path) -> None:
    fields = "matrix: {layers: [[2.10], [0]], fine_tune: [null, {epochs: 1}]}, blocks: [2], execution: local"
    texts = [fields, "steps: [{layer: 2.0, keep: 0-7}]", f"{SELECTION}, tags: [a-b], expect: {{error: no}}"]
    for text in texts:
        for scenario in load(tmp_path, one(text)):
            again = Scenario.model_validate_json(scenario.model_dump_json())
            assert again == scenario
            assert again.model_dump_json() == scenario.model_dump_json()
            assert pickle.loads(pickle.dumps(scenario)) == scenario


def test_a_scenario_cannot_be_changed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        only(tmp_path, SELECTION).seed = 1  # type: ignore[misc]  # that it is refused is the test


def test_windows_line_ends_and_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "x.prune.yaml").write_bytes(b"\xef\xbb\xbf" + one().replace("\n", "\r\n").encode())
    (scenario,) = load_spec(tmp_path / "x.prune.yaml").scenarios
    assert scenario.source.text == f"- {{id: a, {SELECTION}}}"
