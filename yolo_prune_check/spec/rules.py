"""Checks that look at several fields of one scenario."""

from __future__ import annotations

from collections.abc import Iterator

from yolo_prune_check.errors import UNSET
from yolo_prune_check.spec.expand import OF_A_PLAN
from yolo_prune_check.spec.fields import ADDRESS, NEED_DATA
from yolo_prune_check.spec.located import Mapping, place_of
from yolo_prune_check.spec.problems import Problem
from yolo_prune_check.spec.schema import Limits, ScenarioInput, Select

NO_DATA = "Name a data set under `data`, such as digits."


def broken_rules(scenario: ScenarioInput, written: Mapping) -> list[Problem]:
    """What does not go together in a scenario.

    Args:
        scenario: Its fields, each valid by itself.
        written: The same as located values; a key that is absent was not written.
    """

    def problem(path: str, what: str, value: object = UNSET, hint: str | None = None) -> Problem:
        return Problem(place_of(written, tuple(path.split(".")), key=True), what, value, hint)

    def rules() -> Iterator[Problem]:
        if scenario.model is None:
            yield Problem(
                written.place, "no model", hint="Name it under `model`, at the top of the file or in the scenario."
            )
        if scenario.fuzz is not None:
            yield from _beside_fuzz(scenario, written)
        elif scenario.steps is not None:
            yield from _beside_steps(scenario, written)
        else:
            yield from _selection(scenario, written)
        if scenario.fuzz is None and "mask" in written and scenario.execution != "mask":
            what = f"`mask` says nothing to execution {scenario.execution}"
            yield problem("mask", what, hint="Remove it, or use execution: mask.")
        for key in ("extend", "round_to"):
            if scenario.fuzz is None and key in written and scenario.execution != "group":
                what = f"`{key}` says nothing to execution {scenario.execution}"
                yield problem(key, what, hint="Remove it, or use execution: group.")
        if scenario.fuzz is None and scenario.data is None:
            if scenario.fine_tune is not None:
                yield problem("fine_tune", "fine-tuning needs data", hint=NO_DATA)
            for key in ("val_part", "measure"):
                if key in written:
                    yield problem(key, f"`{key}` says nothing without data", hint=f"Remove it. {NO_DATA}")
            for key, measure in (("max_map_drop", "mAP"), ("max_accuracy_drop", "accuracy")):
                if getattr(scenario.expect, key) is not None:
                    yield problem(f"expect.{key}", f"a budget for {measure} needs data", hint=NO_DATA)
        others = sorted(scenario.expect.model_fields_set - {"error"})
        if scenario.expect.error is not None and others:
            hint = "A scenario that is refused has no other outcome: remove one of them."
            yield problem(f"expect.{others[0]}", f"`expect.{others[0]}` cannot stand beside `expect.error`", hint=hint)
        breaks = scenario.fuzz is None and scenario.expect.failure_module is not None
        if breaks and scenario.expect.verdict == "safe":
            hint = "Expect verdict: unsafe (or partial, where steps are skipped)."
            yield problem("expect.failure_module", "a safe plan breaks in no module", hint=hint)

        if scenario.limits == Limits():
            yield problem("limits", "`limits` names none", hint="Give seconds, memory_mb or both, or remove it.")
        if scenario.expect.verdict == "stopped":
            yield from _stopped(scenario, written)

    return list(rules())


def _stopped(scenario: ScenarioInput, written: Mapping) -> Iterator[Problem]:
    """Where a scenario is to be stopped, only its limits count."""
    if scenario.limits is None:
        place = place_of(written, ("expect", "verdict"), key=True)
        hint = "Give limits, such as limits: {seconds: 60}."
        yield Problem(place, "nothing stops a scenario without `limits`", hint=hint)
    for key in sorted(scenario.expect.model_fields_set - {"error", "verdict"}):
        place = place_of(written, ("expect", key), key=True)
        what = f"`expect.{key}` says nothing to a scenario that is stopped"
        yield Problem(place, what, hint="Remove it, or expect another verdict.")


def _beside_fuzz(scenario: ScenarioInput, written: Mapping) -> Iterator[Problem]:
    """`fuzz` draws whole plans, however they are carried out: nothing may say what else is pruned, or how."""
    inside = {"blocks": "blocks", "execution": "executions", "mask": "executions"}
    for key in OF_A_PLAN:
        if key == "expect" or written.get(key) is None:
            continue
        rather = f"write `fuzz.{inside[key]}`" if key in inside else "remove one of the two"
        hint = f"Random plans are drawn and carried out as `fuzz` says: {rather}."
        yield Problem(written.entries[key].key_place, f"`{key}` cannot stand beside `fuzz`", hint=hint)
    expect = scenario.expect
    if expect.error is not None:
        return
    for key in sorted(expect.model_fields_set - {"error", "verdict"}):
        yield Problem(
            place_of(written, ("expect", key), key=True),
            f"`expect.{key}` says nothing to `fuzz`",
            hint="Random plans pass if every prediction is confirmed: remove it.",
        )
    if expect.verdict not in ("safe", "stopped"):
        yield Problem(
            place_of(written, ("expect", "verdict"), key=True),
            "`fuzz` is safe if every prediction is confirmed, and fails if one is refuted",
            expect.verdict,
            "Remove it.",
        )


def _beside_steps(scenario: ScenarioInput, written: Mapping) -> Iterator[Problem]:
    """`steps` says which channels of which layers go, in which order: nothing else may."""
    neutral = {"schedule": "sequential", "activations": "hooked", "blocks": None, "layers": None}
    for key in ("blocks", "layers", "select", "order", "schedule", "activations"):
        if key not in written or (key in neutral and getattr(scenario, key) == neutral[key]):
            continue
        place = written.entries[key].key_place
        hint = "The steps already say what is pruned, and in which order: remove one of the two."
        yield Problem(place, f"`{key}` cannot stand beside `steps`", hint=hint)


def _selection(scenario: ScenarioInput, written: Mapping) -> Iterator[Problem]:
    yield from _where_to_prune(scenario, written)
    select = scenario.select
    if select.criterion in NEED_DATA and scenario.data is None:
        yield _no_data(select, written)
    for key in sorted(select.model_fields_set):
        wanted = _says_nothing(key, select)
        if wanted is not None:
            place = place_of(written, ("select", key), key=True)
            what = f"`select.{key}` says nothing to criterion {select.criterion} by {select.scope}"
            yield Problem(place, what, hint=f"Only {wanted}: remove it.")
    if scenario.activations == "sliced" and (select.criterion, select.scope) != ("separability", "layer"):
        place = place_of(written, ("activations",))
        what = f"`activations: sliced` says nothing to criterion {select.criterion} by {select.scope}"
        yield Problem(place, what, hint="Only separability by layer looks at activations so: remove it.")


def _no_data(select: Select, written: Mapping) -> Problem:
    hint = (
        f"{NO_DATA} Or name a criterion that looks at weights alone, l1, l2, gamma or fpgm: select: {{criterion: l1}}."
    )
    if "criterion" in select.model_fields_set:
        place = place_of(written, ("select", "criterion"))
        return Problem(place, f"select.criterion {select.criterion} needs data", hint=hint)
    place = place_of(written, ("select",), key=True)
    return Problem(place, f"the default criterion, {select.criterion}, needs data", hint=hint)


def _says_nothing(key: str, select: Select) -> str | None:
    """Where a setting of the choice would count, in words; None where it counts."""
    reads = {"place", "objects", "memory_mb"}
    if key == "floor" and select.scope != "global":
        return "scope global leaves a floor"
    if key == "max_images" and select.criterion not in NEED_DATA:
        return f"{', '.join(NEED_DATA)} look at images"
    if key in reads and select.criterion != "separability":
        return "separability reads layers at objects"
    if key in {"distance", "embedding", "survivor", "perplexity"} and not select.clusters:
        return "separability by layer or by group clusters channels"
    if key == "perplexity" and select.embedding != "tsne":
        return "embedding tsne has a perplexity"
    return None


def _where_to_prune(scenario: ScenarioInput, written: Mapping) -> Iterator[Problem]:
    if scenario.layers is None:
        if scenario.blocks is None:
            hint = "Give blocks and layers (blocks: [1], layers: first), layers by address (layers: [2.0]), or steps."
            yield Problem(written.place, "nothing says what to prune", hint=hint)
        else:
            place = written.entries["blocks"].key_place
            hint = "Write first, all, widest:N or a list."
            yield Problem(place, "`blocks` needs `layers`: which layers of each block", hint=hint)
        return
    place = written.entries["layers"].place
    named = () if isinstance(scenario.layers, str) else scenario.layers
    if scenario.blocks is None:
        if isinstance(scenario.layers, str) or any(isinstance(item, int) for item in named):
            what = "`layers` needs `blocks`, unless all layers are named by address or qualified name"
            yield Problem(place, what, hint="Such as blocks: [1, 2].")
        return
    for item in named:
        if isinstance(item, str) and ADDRESS.fullmatch(item) and int(item.partition(".")[0]) not in scenario.blocks:
            blocks = ", ".join(map(str, scenario.blocks))
            yield Problem(place, f"layer {item} is not in the blocks named ({blocks})", hint="Add its block.")
