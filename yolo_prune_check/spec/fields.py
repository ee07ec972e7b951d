"""What one field of a spec may hold. Checks that look at several fields are in `rules`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from yolo_prune_check.errors import UserError, clip, shown
from yolo_prune_check.spec.device import read_device
from yolo_prune_check.spec.part import read_part
from yolo_prune_check.spec.problems import suggestion

T = TypeVar("T")

Criterion = Literal["taylor", "separability", "l1", "l2", "gamma", "fpgm", "mean-activation", "apoz", "random"]
NEED_DATA: tuple[Criterion, ...] = ("taylor", "separability", "mean-activation", "apoz")
"""Criteria that look at training images."""
Scope = Literal["layer", "group", "global"]
ReadAt = Literal["centre", "box"]
"""Where a layer is read for an object: the cell that holds its box's centre, or the mean over the box's cells."""
WhichObjects = Literal["matched", "all"]
"""Which objects count: those that the model finds, or all that are labelled."""
Distance = Literal["jeffries-matusita", "fisher", "wasserstein"]
Embedding = Literal["tsne", "pca", "none"]
Survivor = Literal["medoid", "weight", "gamma"]
Activations = Literal["hooked", "sliced"]
Execution = Literal["mask", "local", "group", "adapter"]
MaskKind = Literal["silent", "weights"]
Schedule = Literal["sequential", "independent", "sessions"]
TrainAfter = Literal["each", "last"]
Measure = Literal["each", "last"]
OnMismatch = Literal["fail", "skip"]
Verdict = Literal["safe", "unsafe", "partial", "stopped"]
# The codes of `channels.prediction.HAZARDS`, which this room must not import; a test keeps them equal.
HazardCode = Literal[
    "phantom-channel",
    "regrowth",
    "broadcast-add",
    "uneven-split",
    "head-output-changed",
    "empty-layer",
    "kept-alive-by-residual",
    "revived-by-norm",
    "rebuilt-by-trainer",
    "no-op",
    "kept-for-symmetry",
    "partial-group",
    "stale-attribute",
    "unaligned-width",
    "frozen-channel",
]

MOST_CHANNELS = 65_536
"""More than any layer has: a slip such as 0-99999999999 must not be written out."""
SMALLEST_IMAGE, LARGEST_IMAGE, STRIDE = 32, 1280, 32
ORDERS = ("front-to-back", "back-to-front", "listed", "shuffled:SEED")
ADDRESS = re.compile(r"\d{1,9}\.\d{1,9}", re.ASCII)
NAME = re.compile(r"[A-Za-z_]\w*(\.\w+)*", re.ASCII)
RANGES = re.compile(r"\d+(-\d+)?(\s*,\s*\d+(-\d+)?)*", re.ASCII)
LAYERS_HINT = (
    "Write first, all, widest:N, or a list of indices within each block, addresses such as 2.0 and qualified names "
    "such as model.2.cv1.conv."
)
# Marks with a meaning of their own in pytest and its plugins, and the words of `-m` expressions.
RESERVED_TAGS = (
    *("skip", "skipif", "xfail", "parametrize", "usefixtures", "filterwarnings", "timeout", "tryfirst", "trylast"),
    *("and", "or", "not", "True", "False", "None"),
)


def bad(message: str, hint: str = "", *, told: bool = False) -> PydanticCustomError:
    """A validation error in our words; `problems` shows the hint after the value.

    Args:
        message: What is wrong.
        hint: What to do.
        told: The message tells all of the value that matters: it is not shown.
    """
    return PydanticCustomError("spec", "{what}", {"what": message, "hint": hint, "told": told})


def layers_once(steps: tuple[Any, ...]) -> tuple[Any, ...]:
    """Refuse steps of which two name the same layer in the same words."""
    first: dict[str, int] = {}
    for number, step in enumerate(steps, start=1):
        if step.layer in first:
            what = f"layer {clip(step.layer)} is named twice, in steps {first[step.layer]} and {number}"
            raise bad(what, "Make one step of the two.", told=True)
        first[step.layer] = number
    return steps


def _unique(items: Iterable[Any], what: str) -> None:
    seen: set[Any] = set()
    for item in items:
        if item in seen:
            raise bad(f"{what} {clip(str(item))} is named twice", "Name each once.")
        seen.add(item)


def _blocks(blocks: tuple[int, ...]) -> tuple[int, ...]:
    if not blocks:
        raise bad("blocks must not be empty", "Name at least one block, such as [1].")
    _unique(blocks, "block")
    return blocks


def not_empty(steps: tuple[T, ...]) -> tuple[T, ...]:
    """Refuse an empty list of steps, in our words."""
    if not steps:
        raise bad("steps must not be empty", "Write at least one, such as {layer: 2.0, keep: 0-7}.")
    return steps


def _executions(executions: tuple[Execution, ...]) -> tuple[Execution, ...]:
    if not executions:
        raise bad("executions must not be empty", "Name at least one, such as [mask, local].")
    _unique(executions, "execution")
    return executions


def _layers(layers: Any) -> Any:
    if isinstance(layers, str):
        if layers in {"first", "all"} or re.fullmatch(r"widest:[1-9]\d{0,8}", layers, re.ASCII):
            return layers
        raise bad("not a choice of layers", LAYERS_HINT)
    if not isinstance(layers, list | tuple):
        raise bad("not a choice of layers", LAYERS_HINT)
    if not layers:
        raise bad("layers must not be empty", LAYERS_HINT)
    for item in layers:
        is_index = isinstance(item, int) and not isinstance(item, bool) and item >= 0
        if not is_index and not (isinstance(item, str) and is_layer(item)):
            raise bad(f"not a layer: {shown(item)}", LAYERS_HINT)
    _unique(tuple(layers), "layer")
    return tuple(layers)


def is_layer(text: str) -> bool:
    """Whether a text is an address (`2.0`) or a qualified name (`model.2.cv1.conv`)."""
    return bool(ADDRESS.fullmatch(text) or NAME.fullmatch(text))


def _layer(layer: Any) -> Any:
    if isinstance(layer, str) and is_layer(layer):
        return layer
    raise bad("not a layer", "A step names one by address, such as 2.0, or qualified name, such as model.2.cv1.conv.")


def _keep(keep: Any) -> Any:
    if isinstance(keep, str):
        if not RANGES.fullmatch(keep.strip()):
            raise bad("not a list of channels", "Write a list such as [0, 1, 2] or ranges such as 0-7,12.")
        channels: list[int] = []
        for part in keep.split(","):
            first, _, last = part.strip().partition("-")
            _possible(first, last)
            if last and int(last) < int(first):
                raise bad(f"the range {part.strip()} runs backwards", f"Write {last}-{first}.")
            channels += range(int(first), int(last or first) + 1)
            if len(channels) > MOST_CHANNELS:
                break  # some are named twice, which is told below
    elif isinstance(keep, list | tuple):
        if not all(isinstance(index, int) and not isinstance(index, bool) and index >= 0 for index in keep):
            raise bad("kept channels must be whole numbers from 0", "Such as [0, 1, 2].")
        _possible(*map(str, keep))
        channels = list(keep)
    else:
        raise bad("not a list of channels", "Write a list such as [0, 1, 2] or ranges such as 0-7,12.")
    _unique(tuple(channels), "channel")
    return tuple(sorted(channels))


def _possible(*indices: str) -> None:
    for index in indices:
        # by length first: Python refuses to read a very long number
        if len(index.lstrip("0")) > len(str(MOST_CHANNELS)) or int(index.lstrip("0") or 0) >= MOST_CHANNELS:
            raise bad(
                f"no layer has a channel {clip(index, 40)}", f"Channels are counted from 0 to {MOST_CHANNELS - 1}."
            )


def _order(order: str) -> str:
    if order in ORDERS[:3] or re.fullmatch(r"shuffled:\d{1,18}", order, re.ASCII):
        return order
    if order == "shuffled":
        raise bad("a shuffled order needs its seed", "Write shuffled:0.")
    raise bad("unknown order", suggestion(order, ORDERS, title="Known"))


def _device(device: Any) -> str:
    try:
        return read_device(device)
    except UserError as error:
        raise bad(error.what, error.hint or "") from error


def _part(part: Any) -> str:
    try:
        return str(read_part(part))
    except UserError as error:
        raise bad(error.what, error.hint or "") from error


def _tag(tag: str) -> str:
    name = tag.replace("-", "_")
    if not name.isidentifier():
        raise bad("not a tag", "Tags become pytest marks: letters, digits, - and _, not beginning with a digit.")
    if name in RESERVED_TAGS:
        raise bad("this tag has a meaning of its own in pytest", "Choose another word.")
    return name


def _tags(tags: tuple[str, ...]) -> tuple[str, ...]:
    _unique(tags, "tag")
    return tags


def _hazards(codes: tuple[HazardCode, ...]) -> tuple[HazardCode, ...]:
    _unique(codes, "hazard")
    return codes


def _id(text: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", text):
        return text
    raise bad("not an id", "Use letters, digits, `_`, `.` and `-`, beginning with a letter or digit.")


# Lists of YAML become tuples; the items stay strictly typed.
_AsTuple = Field(strict=False)
_INDEX = {"type": "integer", "minimum": 0}
_LAYER_NAME = {"type": "string", "pattern": r"^(\d+\.\d+|[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*)$"}

Text = Annotated[str, Field(min_length=1)]
Id = Annotated[str, AfterValidator(_id), WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]*$"})]
ImageSize = Annotated[int, Field(ge=SMALLEST_IMAGE, le=LARGEST_IMAGE, multiple_of=STRIDE)]
Blocks = Annotated[
    tuple[Annotated[int, Field(ge=0)], ...],
    Field(strict=False, json_schema_extra={"minItems": 1, "uniqueItems": True}),
    AfterValidator(_blocks),
]
Executions = Annotated[
    tuple[Execution, ...],
    Field(strict=False, json_schema_extra={"minItems": 1, "uniqueItems": True}),
    AfterValidator(_executions),
]
Layers = Annotated[
    str | tuple[int | str, ...],
    BeforeValidator(_layers),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^(first|all|widest:[1-9]\d*)$"},
                # An unquoted address such as 2.0 is a number to JSON; its text is what counts.
                {
                    "type": "array",
                    "minItems": 1,
                    "items": {"anyOf": [_INDEX, {"type": "number", "minimum": 0}, _LAYER_NAME]},
                },
            ]
        }
    ),
]
LayerName = Annotated[
    str, BeforeValidator(_layer), WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, _LAYER_NAME]})
]
Keep = Annotated[
    tuple[int, ...],
    BeforeValidator(_keep),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": _INDEX, "uniqueItems": True},
                {"type": "string", "pattern": r"^\s*\d+(-\d+)?(\s*,\s*\d+(-\d+)?)*\s*$"},
            ]
        }
    ),
]
Device = Annotated[
    str,
    BeforeValidator(_device),
    WithJsonSchema(
        {
            "anyOf": [
                _INDEX,
                {"type": "string", "pattern": r"^(cpu|cuda|(cuda:)?\d+( *, *(cuda:)?\d+)*)$"},
                {"type": "array", "minItems": 1, "uniqueItems": True, "items": _INDEX},
            ]
        }
    ),
]
ValPart = Annotated[str, BeforeValidator(_part), WithJsonSchema({"type": "string", "pattern": r"^\d{1,4}/\d{1,4}$"})]
Order = Annotated[
    str,
    AfterValidator(_order),
    WithJsonSchema({"type": "string", "pattern": r"^(front-to-back|back-to-front|listed|shuffled:\d+)$"}),
]
Tag = Annotated[str, AfterValidator(_tag)]
Tags = Annotated[tuple[Tag, ...], _AsTuple, AfterValidator(_tags)]
Hazards = Annotated[tuple[HazardCode, ...], _AsTuple, AfterValidator(_hazards)]
Share = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0)]

HAZARD_CODES: tuple[HazardCode, ...] = get_args(HazardCode)
