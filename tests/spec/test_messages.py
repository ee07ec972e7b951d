"""The wording of every mistake, to the letter: place, what is wrong, the value, what to do."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from tests.spec.texts import HEAD, SELECTION, one, write
from yolo_prune_check.errors import UserError
from yolo_prune_check.spec import load_spec
from yolo_prune_check.spec.fields import HAZARD_CODES

RATIO = "Fraction of the channels that is removed, between 0 and 1. Without it half; separability chooses by Kneedle."
SIZE = "Image size in pixels, a multiple of 32 from 32 to 1280; null for what the model was trained at."
LAYERS = (
    "Write first, all, widest:N, or a list of indices within each block, addresses such as 2.0 and qualified names "
    "such as model.2.cv1.conv."
)
KEYS = (
    "why, model, trust_checkpoint, data, imgsz, device, blocks, layers, order, select, steps, fuzz, activations, "
    "execution, mask, extend, round_to, schedule, on_mismatch, fine_tune, val_part, measure, limits, "
    "expect, tags, seed"
)
AXES = (
    "Axes are the dotted fields of select, fuzz and fine_tune, such as select.ratio, and a scenario's own fields but "
    "for expect, id, limits, tags, trust_checkpoint, why: see docs/specs.md."
)
STEPS = "The steps already say what is pruned, and in which order: remove one of the two."
FUZZ = "Random plans are drawn and carried out as `fuzz` says"
NO_DATA = "Name a data set under `data`, such as digits."
BY_WEIGHTS = "Or name a criterion that looks at weights alone, l1, l2, gamma or fpgm: select: {criterion: l1}."
DEVICE = 'Write cpu, the number of a GPU such as 0 (or cuda:0), or several such as "0,1".'
BEGIN = "A scenario begins with `- id: NAME`."

FILES = {
    "broken": (
        "model: a: b\n",
        "1:9: not valid YAML (mapping values are not allowed here). Quote a text that contains `: `.",
    ),
    "open-bracket": (
        "model: [a,\n",
        "2:1: not valid YAML (while parsing a flow node expected the node content, but found '<stream end>'). "
        "Check indentation, brackets and quotes there.",
    ),
    "tab": (
        "a:\n\t- b\n",
        "2:1: not valid YAML (while scanning for the next token found character '\\t' that cannot start any token). "
        "Indent with spaces, not tabs.",
    ),
    "control-character": ("a: b\nc: \x07\n", "2:4: not valid YAML (the character U+0007 is not allowed). Remove it."),
    "two-documents": (
        "a: 1\n---\nb: 2\n",
        "2:1: not valid YAML (expected a single document in the stream but found another document). "
        "Check indentation, brackets and quotes there.",
    ),
    "old-yaml": (
        "%YAML 1.1\n---\nmodel: a\n",
        "1:1: specs are YAML 1.2; in older YAML `no` means false and 1e-5 is text. Remove the %YAML line.",
    ),
    "too-deep": ("[" * 1000, "1:1: not a spec: nested too deeply."),
    "self-alias": ("a: &x {b: *x}\n", "1:4: an alias must not contain itself."),
    "tag": ("a: !!python/object {}\n", "1:4: the tag !!python/object has no meaning in a spec. Remove it."),
    "bad-merge": ("<<: 3\n", "1:5: `<<` must name a mapping. Such as `<<: *base`."),
    "numeric-key": ("1: a\n", "1:1: a key must be text: got '1'. Quote it if it is meant."),
    "duplicate-key": (
        "model: a\nmodel: b\n",
        "2:1: the key `model` stands twice in one mapping. First at line 1; keep one of them.",
    ),
    "empty": ("", "1:1: the spec is empty. Give it `model` and `scenarios`."),
    "only-comments": ("# nothing\n", "1:1: the spec is empty. Give it `model` and `scenarios`."),
    "list": ("- a\n", "1:1: a spec must be a mapping of keys, not a list. Start with `model:`."),
    "scalar": ("hello\n", "1:1: a spec must be a mapping of keys, not a single value. Start with `model:`."),
    "top-key": (
        "modle: x\n" + one(head=HEAD),
        "1:1: unknown key `modle`. Did you mean `model`? "
        "Valid keys: include, model, trust_checkpoint, data, imgsz, defaults, scenarios.",
    ),
    "no-scenarios": ("model: x\n", f"1:1: no scenarios: a spec needs at least one. {BEGIN}"),
    "empty-scenarios": (
        "model: x\nscenarios: []\n",
        f"2:12: `scenarios` is empty: a spec needs at least one. {BEGIN}",
    ),
    "null-scenarios": ("model: x\nscenarios:\n", f"2:1: `scenarios` must be a list: got None. {BEGIN}"),
    "text-scenario": ("model: x\nscenarios: [a]\n", f"2:13: a scenario must be a mapping: got 'a'. {BEGIN}"),
    "defaults-no-mapping": ("defaults: 3\n" + one(), "1:11: `defaults` must be a mapping: got 3."),
    "defaults-key": (
        "defaults: {selct: 3}\n" + one(),
        f"1:12: unknown key `selct`. Did you mean `select`? Valid keys: {KEYS}.",
    ),
    "unused-wrong-default": (
        "defaults: {execution: maks}\n" + one(f"{SELECTION}, execution: mask"),
        "1:23: unknown execution: got 'maks'. Did you mean `mask`? Known: mask, local, group, adapter.",
    ),
    "top-size": ("imgsz: 100\n" + one(), f"1:8: `imgsz` must be a multiple of 32: got 100. {SIZE}"),
    "no-model": (
        one(head="data: digits\nscenarios:\n\n"),
        "4:5: no model. Name it under `model`, at the top of the file or in the scenario.",
    ),
    "no-model-file": (
        one(head="model: nope.pt\ndata: digits\nscenarios:\n"),
        "1:8: no such model file: got 'nope.pt'. Paths are relative to the spec or to the working directory; "
        "nothing is downloaded.",
    ),
    "no-data-file": (
        one(head="model: x\ndata: sub/data.yaml\nscenarios:\n"),
        "2:7: no such data file: got 'sub/data.yaml'. Paths are relative to the spec or to the working directory; "
        "nothing is downloaded.",
    ),
    "duplicate-id": (
        one() + f"  - {{id: a, {SELECTION}}}\n",
        "5:10: the id `a` is used twice. First at x.prune.yaml:4:10; rename one.",
    ),
    "include-missing": (
        "include: nope.yaml\n" + one(),
        "1:10: no such file to include: nope.yaml. The path is relative to the file that includes it.",
    ),
    "include-type": (
        "include: [3]\n" + one(),
        "1:11: `include` must be a path or a list of paths: got 3. Such as include: base.yaml.",
    ),
    "include-itself": (
        "include: x.prune.yaml\n" + one(),
        "1:10: include cycle: x.prune.yaml → x.prune.yaml. Remove one of the includes.",
    ),
}

# The `^` marks the column that must be named, and is taken out; without it the place is the scenario as a whole.
OWN_COLUMN = 5
SCENARIOS = {
    "unknown-key": (
        f"{SELECTION}, ^oder: listed",
        f"unknown key `oder`. Did you mean `order`? Valid keys: {KEYS}, id, matrix.",
    ),
    "unknown-nested-key": (
        f"{SELECTION}, select: {{criterion: l1, ^ration: 0.5}}",
        "unknown key `ration` in `select`. Did you mean `ratio`? "
        "Valid keys: criterion, ratio, scope, floor, seed, max_images, place, objects, memory_mb, "
        "distance, embedding, perplexity, survivor.",
    ),
    "not-a-list": ("blocks: ^1, layers: first", "`blocks` must be a list: got 1. Write it as a list: [1]."),
    "quoted-number": (f"{SELECTION}, seed: ^'3'", "`seed` must be a whole number: got '3'. Remove the quotes."),
    "fractional-seed": (
        f"{SELECTION}, seed: ^1.5",
        "`seed` must be a whole number: got 1.5. Seed of everything random in the scenario.",
    ),
    "negative-seed": (
        f"{SELECTION}, seed: ^-1",
        "`seed` must be at least 0: got -1. Seed of everything random in the scenario.",
    ),
    "seed-is-true": (
        f"{SELECTION}, seed: ^true",
        "`seed` must be a whole number: got True. Seed of everything random in the scenario.",
    ),
    "no-is-text": (
        f"{SELECTION}, fine_tune: {{epochs: 1, enforce_masks: ^no}}",
        "`fine_tune.enforce_masks` must be true or false: got 'no'. YAML 1.2 knows only true and false.",
    ),
    "no-epochs": (
        f"{SELECTION}, fine_tune: ^{{}}",
        "missing key `epochs` in `fine_tune`. Number of epochs.",
    ),
    "too-many-epochs": (
        f"{SELECTION}, fine_tune: {{epochs: ^1001}}",
        "`fine_tune.epochs` must be at most 1000: got 1001. Number of epochs.",
    ),
    "not-a-mapping": (
        f"{SELECTION}, select: ^l1",
        "`select` must be a mapping: got 'l1'. How the channels to keep are chosen.",
    ),
    "ratio-0": (f"{SELECTION}, select: {{ratio: ^0}}", f"`select.ratio` must be greater than 0: got 0. {RATIO}"),
    "ratio-1": (f"{SELECTION}, select: {{ratio: ^1}}", f"`select.ratio` must be less than 1: got 1. {RATIO}"),
    "ratio-2": (f"{SELECTION}, select: {{ratio: ^2}}", f"`select.ratio` must be less than 1: got 2. {RATIO}"),
    "ratio-nan": (f"{SELECTION}, select: {{ratio: ^.nan}}", f"`select.ratio` must be finite: got nan. {RATIO}"),
    "unknown-criterion": (
        f"{SELECTION}, select: {{criterion: ^gama, ratio: 0.5}}",
        "unknown criterion: got 'gama'. Did you mean `gamma`? Known: taylor, separability, l1, l2, gamma, fpgm, "
        "mean-activation, apoz, random.",
    ),
    "unknown-order": (
        f"{SELECTION}, order: ^front-to-bak",
        "unknown order: got 'front-to-bak'. Did you mean `front-to-back`? "
        "Known: front-to-back, back-to-front, listed, shuffled:SEED.",
    ),
    "shuffled-without-seed": (
        f"{SELECTION}, order: ^shuffled",
        "a shuffled order needs its seed: got 'shuffled'. Write shuffled:0.",
    ),
    "unknown-hazard": (
        f"{SELECTION}, expect: {{hazards: [^phantom]}}",
        f"unknown hazard: got 'phantom'. Did you mean `phantom-channel`? Known: {', '.join(HAZARD_CODES)}.",
    ),
    "repeated-hazard": (
        f"{SELECTION}, expect: {{hazards: ^[no-op, no-op]}}",
        "hazard no-op is named twice: got ['no-op', 'no-op']. Name each once.",
    ),
    "unknown-execution": (
        f"{SELECTION}, execution: ^masks",
        "unknown execution: got 'masks'. Did you mean `mask`? Known: mask, local, group, adapter.",
    ),
    "empty-blocks": (
        "blocks: ^[], layers: first",
        "blocks must not be empty: got []. Name at least one block, such as [1].",
    ),
    "repeated-block": ("blocks: ^[1, 1], layers: first", "block 1 is named twice: got [1, 1]. Name each once."),
    "negative-block": (
        "blocks: [^-1], layers: first",
        "`blocks[0]` must be at least 0: got -1. Blocks by index in the Ultralytics model list.",
    ),
    "no-layers": (
        "^blocks: [1]",
        "`blocks` needs `layers`: which layers of each block. Write first, all, widest:N or a list.",
    ),
    "nothing": (
        "seed: 0",
        "nothing says what to prune. Give blocks and layers (blocks: [1], layers: first), "
        "layers by address (layers: [2.0]), or steps.",
    ),
    "layers-word": ("blocks: [1], layers: ^al", f"not a choice of layers: got 'al'. {LAYERS}"),
    "layers-number": ("layers: ^2.0", f"not a choice of layers: got '2.0'. {LAYERS}"),
    "layers-widest-0": ("blocks: [1], layers: ^'widest:0'", f"not a choice of layers: got 'widest:0'. {LAYERS}"),
    "layers-empty": ("blocks: [1], layers: ^[]", f"layers must not be empty: got []. {LAYERS}"),
    "layers-negative": ("blocks: [1], layers: ^[-1]", f"not a layer: -1: got [-1]. {LAYERS}"),
    "index-without-block": (
        "layers: ^[2.0, 0]",
        "`layers` needs `blocks`, unless all layers are named by address or qualified name. Such as blocks: [1, 2].",
    ),
    "address-elsewhere": (
        "blocks: [1, 3], layers: ^[2.10]",
        "layer 2.10 is not in the blocks named (1, 3). Add its block.",
    ),
    "empty-steps": (
        "steps: ^[]",
        "steps must not be empty: got []. Write at least one, such as {layer: 2.0, keep: 0-7}.",
    ),
    "step-layer": (
        "steps: [{layer: ^2, keep: 0-7}]",
        "not a layer: got 2. A step names one by address, such as 2.0, or qualified name, such as model.2.cv1.conv.",
    ),
    "step-keep": (
        "steps: [{layer: 2.0, keep: ^8}]",
        "not a list of channels: got 8. Write a list such as [0, 1, 2] or ranges such as 0-7,12.",
    ),
    "step-keep-text": (
        "steps: [{layer: 2.0, keep: ^half}]",
        "not a list of channels: got 'half'. Write a list such as [0, 1, 2] or ranges such as 0-7,12.",
    ),
    "step-keep-negative": (
        "steps: [{layer: 2.0, keep: ^[-1]}]",
        "kept channels must be whole numbers from 0: got [-1]. Such as [0, 1, 2].",
    ),
    "step-range": ("steps: [{layer: 2.0, keep: ^7-3}]", "the range 7-3 runs backwards: got '7-3'. Write 3-7."),
    "step-twice": ("steps: [{layer: 2.0, keep: ^'1,1'}]", "channel 1 is named twice: got '1,1'. Name each once."),
    "step-layer-twice": (
        "steps: ^[{layer: 2.0, keep: []}, {layer: 1.0, keep: [0]}, {layer: 2.0, keep: 8-15}]",
        "layer 2.0 is named twice, in steps 1 and 3. Make one step of the two.",
    ),
    "step-without-keep": (
        "steps: [^{layer: 2.0}]",
        "missing key `keep` in `steps[0]`. Output channels that stay: a list, or ranges such as 0-7,12.",
    ),
    "step-unknown-key": (
        "steps: [{layer: 2.0, ^kept: [1], keep: [1]}]",
        "unknown key `kept` in `steps[0]`. Did you mean `keep`? Valid keys: layer, keep.",
    ),
    "steps-and-blocks": (
        "steps: [{layer: 2.0, keep: 0-7}], ^blocks: [2]",
        f"`blocks` cannot stand beside `steps`. {STEPS}",
    ),
    "steps-and-order": (
        "steps: [{layer: 2.0, keep: 0-7}], ^order: listed",
        f"`order` cannot stand beside `steps`. {STEPS}",
    ),
    "steps-and-schedule": (
        "steps: [{layer: 2.0, keep: 0-7}], ^schedule: sessions",
        f"`schedule` cannot stand beside `steps`. {STEPS}",
    ),
    "fuzz-and-blocks": ("fuzz: {}, ^blocks: [2]", f"`blocks` cannot stand beside `fuzz`. {FUZZ}: write `fuzz.blocks`."),
    "fuzz-and-steps": (
        "fuzz: {}, ^steps: [{layer: 2.0, keep: 0-7}]",
        f"`steps` cannot stand beside `fuzz`. {FUZZ}: remove one of the two.",
    ),
    "fuzz-and-execution": (
        "fuzz: {}, ^execution: local",
        f"`execution` cannot stand beside `fuzz`. {FUZZ}: write `fuzz.executions`.",
    ),
    "fuzz-and-fine-tune": (
        "fuzz: {}, ^fine_tune: {epochs: 1}",
        f"`fine_tune` cannot stand beside `fuzz`. {FUZZ}: remove one of the two.",
    ),
    "fuzz-and-hazards": (
        "fuzz: {}, expect: {^hazards: [no-op]}",
        "`expect.hazards` says nothing to `fuzz`. Random plans pass if every prediction is confirmed: remove it.",
    ),
    "fuzz-and-budget": (
        "fuzz: {}, expect: {^max_map_drop: 0.1}",
        "`expect.max_map_drop` says nothing to `fuzz`. Random plans pass if every prediction is confirmed: remove it.",
    ),
    "fuzz-unsafe": (
        "fuzz: {}, expect: {^verdict: unsafe}",
        "`fuzz` is safe if every prediction is confirmed, and fails if one is refuted: got 'unsafe'. Remove it.",
    ),
    "fuzz-error-and-verdict": (
        "fuzz: {}, expect: {error: x, ^verdict: safe}",
        "`expect.verdict` cannot stand beside `expect.error`. "
        "A scenario that is refused has no other outcome: remove one of them.",
    ),
    "fuzz-no-example": (
        "fuzz: {examples: ^0}",
        "`fuzz.examples` must be at least 1: got 0. How many plans are tried; fewer if a prediction is refuted.",
    ),
    "fuzz-no-step": ("fuzz: {max_steps: ^0}", "`fuzz.max_steps` must be at least 1: got 0. Most steps of a plan."),
    "fuzz-seed": (
        "fuzz: {seed: ^-1}",
        "`fuzz.seed` must be at least 0: got -1. Which plans are drawn; the scenario's seed unless given.",
    ),
    "fuzz-key": (
        "fuzz: {^exampels: 3}",
        "unknown key `exampels` in `fuzz`. Did you mean `examples`? "
        "Valid keys: examples, seed, blocks, max_steps, executions.",
    ),
    "fuzz-empty-blocks": (
        "fuzz: {blocks: ^[]}",
        "blocks must not be empty: got []. Name at least one block, such as [1].",
    ),
    "fuzz-execution": (
        "fuzz: {executions: [^lokal]}",
        "unknown execution: got 'lokal'. Did you mean `local`? Known: mask, local, group, adapter.",
    ),
    "fuzz-execution-twice": (
        "fuzz: {executions: ^[mask, mask]}",
        "execution mask is named twice: got ['mask', 'mask']. Name each once.",
    ),
    "fuzz-no-execution": (
        "fuzz: {executions: ^[]}",
        "executions must not be empty: got []. Name at least one, such as [mask, local].",
    ),
    "axis": (
        f"{SELECTION}, matrix: {{^oder: [listed]}}",
        f"`oder` is no axis of a matrix. Did you mean `order`? {AXES}",
    ),
    "axis-inside": (
        f"{SELECTION}, matrix: {{^ratios: [0.2]}}",
        f"`ratios` is no axis of a matrix. Did you mean `select.ratio`? {AXES}",
    ),
    "axis-like-several": (
        f"{SELECTION}, matrix: {{^executions: [mask]}}",
        f"`executions` is no axis of a matrix. Did you mean `execution` or `fuzz.executions`? {AXES}",
    ),
    "axis-like-none": (f"{SELECTION}, matrix: {{^zzz: [1]}}", f"`zzz` is no axis of a matrix. {AXES}"),
    "axis-not-allowed": (
        f"{SELECTION}, matrix: {{^expect: [1]}}",
        f"`expect` cannot be an axis of a matrix. Write one scenario for each. {AXES}",
    ),
    "axis-scalar": (
        f"{SELECTION}, matrix: {{order: ^listed}}",
        "the axis `order` must be a list of values: got 'listed'. Such as [a, b].",
    ),
    "axis-empty": (f"{SELECTION}, matrix: {{order: ^[]}}", "the axis `order` has no values. Give it at least one."),
    "axis-value": (
        f"{SELECTION}, matrix: {{execution: [mask, ^lokal]}}",
        "unknown execution: got 'lokal'. Did you mean `local`? Known: mask, local, group, adapter.",
    ),
    "axes-overlap": (
        f"{SELECTION}, matrix: {{select: [{{ratio: 0.5}}], ^select.ratio: [0.2]}}",
        "the axes `select` and `select.ratio` set the same field. Keep one.",
    ),
    "matrix-type": (
        f"{SELECTION}, matrix: ^3",
        "`matrix` must be a mapping of axes to lists: got 3. Such as matrix: {execution: [mask, local]}.",
    ),
    "matrix-empty": (f"{SELECTION}, matrix: ^{{}}", "`matrix` has no axes. Remove it, or give it one."),
    "matrix-duplicate": (
        f"{SELECTION}, matrix: {{execution: [mask, local, ^mask]}}",
        "the matrix gives the id `a[mask]` twice. Make the values of each axis different.",
    ),
    "mask-elsewhere": (
        f"{SELECTION}, execution: local, ^mask: silent",
        "`mask` says nothing to execution local. Remove it, or use execution: mask.",
    ),
    "extend-elsewhere": (
        f"{SELECTION}, execution: adapter, ^extend: false",
        "`extend` says nothing to execution adapter. Remove it, or use execution: group.",
    ),
    "rounding-elsewhere": (
        f"{SELECTION}, ^round_to: 8",
        "`round_to` says nothing to execution mask. Remove it, or use execution: group.",
    ),
    "rounding-to-one": (
        f"{SELECTION}, execution: group, round_to: ^1",
        "`round_to` must be at least 2: got 1. Give channels back until every width is a multiple of this number, "
        "such as 8. Only with group.",
    ),
    "sliced-elsewhere": (
        f"{SELECTION}, activations: ^sliced, select: {{criterion: l1, ratio: 0.5}}",
        "`activations: sliced` says nothing to criterion l1 by layer. Only separability by layer looks at activations "
        "so: remove it.",
    ),
    "max-images-elsewhere": (
        f"{SELECTION}, select: {{criterion: l1, ratio: 0.5, ^max_images: 5}}",
        "`select.max_images` says nothing to criterion l1 by layer. Only taylor, separability, mean-activation, apoz "
        "look at images: remove it.",
    ),
    "perplexity-elsewhere": (
        f"{SELECTION}, select: {{criterion: l1, ratio: 0.5, ^perplexity: 5}}",
        "`select.perplexity` says nothing to criterion l1 by layer. Only separability by layer or by group "
        "clusters channels: remove it.",
    ),
    "floor-elsewhere": (
        f"{SELECTION}, select: {{criterion: l1, ^floor: 0.2}}",
        "`select.floor` says nothing to criterion l1 by layer. Only scope global leaves a floor: remove it.",
    ),
    "survivor-of-a-ranking": (
        f"{SELECTION}, select: {{criterion: separability, scope: global, ^survivor: gamma}}",
        "`select.survivor` says nothing to criterion separability by global. Only separability by layer or by group "
        "clusters channels: remove it.",
    ),
    "place-elsewhere": (
        f"{SELECTION}, select: {{criterion: taylor, ^place: box}}",
        "`select.place` says nothing to criterion taylor by layer. Only separability reads layers at objects: "
        "remove it.",
    ),
    "perplexity-of-pca": (
        f"{SELECTION}, select: {{criterion: separability, embedding: pca, ^perplexity: 5}}",
        "`select.perplexity` says nothing to criterion separability by layer. Only embedding tsne has a perplexity: "
        "remove it.",
    ),
    "data-without-data": (
        f"{SELECTION}, data: null",
        f"the default criterion, taylor, needs data. {NO_DATA} {BY_WEIGHTS}",
    ),
    "ratio-without-data": (
        f"{SELECTION}, data: null, ^select: {{ratio: 0.5}}",
        f"the default criterion, taylor, needs data. {NO_DATA} {BY_WEIGHTS}",
    ),
    "criterion-without-data": (
        f"{SELECTION}, data: null, select: {{criterion: ^apoz}}",
        f"select.criterion apoz needs data. {NO_DATA} {BY_WEIGHTS}",
    ),
    "budget-without-data": (
        f"{SELECTION}, data: null, select: {{criterion: l1, ratio: 0.5}}, expect: {{^max_map_drop: 0.1}}",
        f"a budget for mAP needs data. {NO_DATA}",
    ),
    "fine-tune-without-data": (
        f"{SELECTION}, data: null, select: {{criterion: l1, ratio: 0.5}}, ^fine_tune: {{epochs: 1}}",
        f"fine-tuning needs data. {NO_DATA}",
    ),
    "error-and-verdict": (
        f"{SELECTION}, expect: {{error: x, ^verdict: unsafe}}",
        "`expect.verdict` cannot stand beside `expect.error`. "
        "A scenario that is refused has no other outcome: remove one of them.",
    ),
    "safe-but-fails": (
        f"{SELECTION}, expect: {{^failure_module: model.2}}",
        "a safe plan breaks in no module. Expect verdict: unsafe (or partial, where steps are skipped).",
    ),
    "budget-range": (
        f"{SELECTION}, expect: {{max_map_drop: ^10}}",
        "`expect.max_map_drop` must be at most 1: got 10. "
        "Largest accepted loss of mAP50-95, as a difference of two values between 0 and 1.",
    ),
    "image-size": (f"{SELECTION}, imgsz: ^2048", f"`imgsz` must be at most 1280: got 2048. {SIZE}"),
    "device-word": (f"{SELECTION}, device: ^gpu", f"not a device: got 'gpu'. {DEVICE}"),
    "device-idle": (f"{SELECTION}, device: ^-1", f"not a device: got -1. {DEVICE}"),
    "device-none": (f"{SELECTION}, device: ^[]", f"not a device: got []. {DEVICE}"),
    "device-null": (f"{SELECTION}, device: ^null", f"not a device: got None. {DEVICE}"),
    "device-true": (f"{SELECTION}, device: ^true", f"not a device: got True. {DEVICE}"),
    "device-float": (f"{SELECTION}, device: ^0.5", f"not a device: got 0.5. {DEVICE}"),
    "device-mapping": (f"{SELECTION}, device: ^{{gpu: 0}}", f"not a device: got {{'gpu': 0}}. {DEVICE}"),
    "device-with-cpu": (f"{SELECTION}, device: ^[cpu, 0]", f"not a device: got ['cpu', 0]. {DEVICE}"),
    "device-with-true": (f"{SELECTION}, device: ^[0, true]", f"not a device: got [0, True]. {DEVICE}"),
    "device-twice": (f"{SELECTION}, device: ^[0, 0]", "GPU 0 is named twice: got [0, 0]. Name each once."),
    "device-twice-as-text": (
        f"{SELECTION}, device: ^'0,cuda:00'",
        "GPU 0 is named twice: got '0,cuda:00'. Name each once.",
    ),
    "device-of-apple": (
        f"{SELECTION}, device: ^mps",
        f"Apple's GPUs are not supported: got 'mps'. {DEVICE}",
    ),
    "device-axis": (
        f"{SELECTION}, matrix: {{device: [cpu, ^gpu]}}",
        f"not a device: got 'gpu'. {DEVICE}",
    ),
    "fuzz-and-device": (
        "fuzz: {}, ^device: 0",
        f"`device` cannot stand beside `fuzz`. {FUZZ}: remove one of the two.",
    ),
    "pytest-tag": (
        f"{SELECTION}, tags: [^skip]",
        "this tag has a meaning of its own in pytest: got 'skip'. Choose another word.",
    ),
    "bad-tag": (
        f"{SELECTION}, tags: [^1st]",
        "not a tag: got '1st'. Tags become pytest marks: letters, digits, - and _, not beginning with a digit.",
    ),
    "tag-twice": (
        f"{SELECTION}, tags: ^[a-b, a_b]",
        "tag a_b is named twice: got ['a-b', 'a_b']. Name each once.",
    ),
    "empty-model": (
        f"{SELECTION}, model: ^''",
        "`model` must not be empty. Shipped name such as yolov8n-digits, checkpoint (.pt) or model YAML.",
    ),
}

IDS = {
    "id-missing": ("{blocks: [1], layers: first}", "5: missing key `id`. Name of the scenario, unique in the file."),
    "id-number": ("{id: 3, blocks: [1], layers: first}", '10: `id` must be text: got 3. Quote it: "3".'),
    "id-spaces": (
        "{id: a b, blocks: [1], layers: first}",
        "10: not an id: got 'a b'. Use letters, digits, `_`, `.` and `-`, beginning with a letter or digit.",
    ),
}


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(UserError) as caught:
        load_spec(write(folder, text))
    return str(caught.value)


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("case", FILES)
def test_a_mistake_in_the_file(tmp_path: Path, case: str) -> None:
    text, message = FILES[case]
    assert refusal(tmp_path, text) == f"x.prune.yaml:{message}"


@pytest.mark.parametrize("case", SCENARIOS)
def test_a_mistake_in_a_scenario(tmp_path: Path, case: str) -> None:
    fields, message = SCENARIOS[case]
    marked = one(fields).splitlines()[-1]
    column = marked.find("^") + 1 or OWN_COLUMN
    assert refusal(tmp_path, one(fields.replace("^", ""))) == f"x.prune.yaml:4:{column}: {message}"


@pytest.mark.parametrize("case", IDS)
def test_a_mistake_in_an_id(tmp_path: Path, case: str) -> None:
    scenario, message = IDS[case]
    assert refusal(tmp_path, f"{HEAD}  - {scenario}\n") == f"x.prune.yaml:4:{message}"


def test_a_missing_file() -> None:
    with pytest.raises(UserError, match=r"^gone\.prune\.yaml: no such file\. Check the path\.$"):
        load_spec("gone.prune.yaml")


def test_a_directory(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    with pytest.raises(UserError, match=r"^specs: a directory, not a spec file\. Name a file in it\.$"):
        load_spec("specs")


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "x.prune.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"^x\.prune\.yaml: not a text file in UTF-8\. Save it as UTF-8\.$"):
        load_spec("x.prune.yaml")


def test_a_file_elsewhere_is_shown_with_its_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert refusal(tmp_path, "").startswith(f"{tmp_path.resolve()}/x.prune.yaml:1:1: the spec is empty")


def test_a_mistake_in_an_included_file_is_located_there(tmp_path: Path) -> None:
    write(tmp_path, "imgsz: 100\n", "sub/base.yaml")
    assert refusal(tmp_path, "include: sub/base.yaml\n" + one()) == (
        f"sub/base.yaml:1:8: `imgsz` must be a multiple of 32: got 100. {SIZE}"
    )


def test_a_longer_include_cycle_names_its_chain(tmp_path: Path) -> None:
    write(tmp_path, "include: b.yaml\n", "a.yaml")
    write(tmp_path, "include: a.yaml\n", "b.yaml")
    assert refusal(tmp_path, "include: a.yaml\n" + one()) == (
        "b.yaml:1:10: include cycle: a.yaml → b.yaml → a.yaml. Remove one of the includes."
    )


def test_all_mistakes_are_named_in_order_and_once(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load_spec(
            write(
                tmp_path,
                """\
                model: yolov8n.yaml
                data: digits
                scenarios:
                  - id: a
                    blocks: 1
                    layers: first
                    matrix: {execution: [mask, local], oder: [listed]}
                  - id: b
                    blocks: [1]
                    layers: al
                """,
            )
        )
    error = caught.value
    assert str(error).splitlines() == [
        "x.prune.yaml:5:13: `blocks` must be a list: got 1. Write it as a list: [1].",
        f"x.prune.yaml:7:40: `oder` is no axis of a matrix. Did you mean `order`? {AXES}",
        f"x.prune.yaml:10:13: not a choice of layers: got 'al'. {LAYERS}",
    ]
    assert error.where == "x.prune.yaml:5:13"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_matrix_that_explodes_is_refused_at_once(tmp_path: Path) -> None:
    seeds = ", ".join(map(str, range(101)))
    text = one(f"{SELECTION}, matrix: {{seed: [{seeds}], select.seed: [{seeds}]}}")
    assert refusal(tmp_path, text) == (
        "x.prune.yaml:4:41: the matrix expands to 10201 scenarios, more than 10000. Leave out axes or values."
    )
