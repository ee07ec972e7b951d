"""The shape of a spec, and the scenario that comes out of it.

`ScenarioFields` is what may be written (in `defaults`, and with `id` and `matrix` in a scenario); `Scenario` is what
the rest of the package gets: one expanded scenario with every default filled in.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from yolo_prune_check.spec import fields as f
from yolo_prune_check.spec.part import Part, read_part


class Strict(BaseModel):
    """No unknown keys, no silent conversion of types, no later change."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


HALF: Final = 0.5
"""What a ranking removes unless told otherwise."""


class Select(Strict):
    """How the channels to keep are chosen."""

    criterion: f.Criterion = "taylor"
    """taylor, separability, mean-activation, apoz (need data); l1, l2, gamma, fpgm (weights); random."""
    ratio: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Fraction of the channels that is removed, between 0 and 1. Without it half; separability chooses by Kneedle."""
    scope: f.Scope = "layer"
    """layer: each by itself; group: with all that is tied to its channels; global: one ranking of all layers named."""
    floor: f.Share = 0.1
    """Fraction of each layer's channels that stays at least; scope global only."""
    seed: f.Seed = 0
    """Seed of everything random in the choice; the scenario's seed unless given."""
    max_images: Annotated[int, Field(ge=1)] = 200
    """How many training images are looked at, at most; criteria that need data only."""
    place: f.ReadAt = "centre"
    """Where a layer is read for an object: at its box's centre, or the mean over the box; separability only."""
    objects: f.WhichObjects = "matched"
    """Objects that count: matched, those the model finds, or all that are labelled; separability only."""
    memory_mb: Annotated[float, Field(gt=0)] = 1000.0
    """Megabytes (10^6 bytes) that activations may take; beyond that fewer images are read; separability only."""
    distance: f.Distance = "jeffries-matusita"
    """How far apart a channel keeps two classes: jeffries-matusita, fisher or wasserstein; separability only."""
    embedding: f.Embedding = "tsne"
    """How channels become points that are clustered: tsne, pca or none; separability only."""
    perplexity: Annotated[float, Field(gt=0)] = 10.0
    """Perplexity of the t-SNE embedding; separability only."""
    survivor: f.Survivor = "medoid"
    """Which channel of a cluster stays: its medoid, or that of largest weight (L2) or gamma; separability only."""

    @property
    def clusters(self) -> bool:
        """Whether one channel of each cluster stays; else the best of a ranking do."""
        return self.criterion == "separability" and self.scope != "global"

    @property
    def share(self) -> float | None:
        """The fraction that is removed; None where the data decide."""
        return HALF if self.ratio is None and not self.clusters else self.ratio


class FineTune(Strict):
    """Training after each step, or after the last."""

    epochs: Annotated[int, Field(ge=1, le=1000)]
    """Number of epochs."""
    after: f.TrainAfter = "each"
    """each step, or once after the last."""
    fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Fraction of the training images that is used."""
    batch: Annotated[int, Field(ge=1)] = 32
    """Images per batch."""
    lr: Annotated[float, Field(gt=0, le=1)] = 0.001
    """Learning rate, which stays as it is after a short warm-up."""
    enforce_masks: bool = True
    """Re-apply masks after every optimizer step and in the EMA. Without it masked filters grow back."""
    amp: bool = False
    """Train in mixed precision (AMP); only on a GPU, see device."""
    workers: Annotated[int, Field(ge=0, le=64)] | None = None
    """Processes that read images; null for none on the CPU, and on a GPU one for each core, 8 at most."""


class Fuzz(Strict):
    """Random plans, each predicted, carried out and compared, instead of a plan."""

    examples: Annotated[int, Field(ge=1, le=100_000)] = 200
    """How many plans are tried; fewer if a prediction is refuted."""
    seed: f.Seed = 0
    """Which plans are drawn; the scenario's seed unless given."""
    blocks: f.Blocks | None = None
    """Blocks by index whose layers are pruned; all that have any by default."""
    max_steps: Annotated[int, Field(ge=1, le=100)] = 5
    """Most steps of a plan."""
    executions: f.Executions | None = None
    """mask (with both kinds of mask), local, group, adapter; by default all."""


class Limits(Strict):
    """What a scenario may take before it is stopped, with the verdict stopped."""

    seconds: Annotated[float, Field(gt=0)] | None = None
    """Wall-clock time in seconds, from the start of the scenario."""
    memory_mb: Annotated[float, Field(gt=0)] | None = None
    """Memory of the scenario's process and of those it starts, in megabytes (10^6 bytes); PyTorch alone takes 500."""


class Expect(Strict):
    """What must come out for the scenario to pass."""

    verdict: f.Verdict = "safe"
    """safe, unsafe, partial (some steps were skipped) or stopped (by one of its limits)."""
    max_map_drop: f.Share | None = None
    """Largest accepted loss of mAP50-95, as a difference of two values between 0 and 1."""
    max_accuracy_drop: f.Share | None = None
    """Largest accepted loss of a classifier's top-1 accuracy, as a difference of two values between 0 and 1."""
    min_params_cut: f.Share | None = None
    """Smallest accepted share of parameters saved."""
    min_macs_cut: f.Share | None = None
    """Smallest accepted share of multiply-accumulates saved."""
    max_latency_ratio: Annotated[float, Field(gt=0)] | None = None
    """Largest accepted latency, relative to the untouched model."""
    hazards: f.Hazards = ()
    """Codes of hazards that must be found; others may be found too."""
    failure_module: f.Text | None = None
    """Qualified name of the module in which the plan must break."""
    error: f.Text | None = None
    """The scenario must be refused with a message that contains this text. Excludes all other expectations."""


class StepSpec(Strict):
    """One step of a plan that is written out."""

    layer: f.LayerName
    """Address such as 2.0 or qualified name such as model.2.cv1.conv."""
    keep: f.Keep
    """Output channels that stay: a list, or ranges such as 0-7,12."""


Steps = Annotated[
    tuple[StepSpec, ...],
    Field(strict=False, json_schema_extra={"minItems": 1}),
    AfterValidator(f.not_empty),
    AfterValidator(f.layers_once),
]


class ScenarioFields(Strict):
    """Every field of a scenario that can also be a default."""

    why: str = ""
    """What the scenario is to show; reports print it."""
    model: f.Text | None = None
    """Shipped name such as yolov8n-digits, checkpoint (.pt) or model YAML."""
    trust_checkpoint: bool = False
    """Load a checkpoint that asks for code beyond network classes of PyTorch and Ultralytics, which runs that code."""
    data: f.Text | None = None
    """Shipped name such as digits, an Ultralytics dataset YAML, or a folder; null: no mAP, accuracy or fine-tuning."""
    imgsz: f.ImageSize | None = None
    """Image size in pixels, a multiple of 32 from 32 to 1280; null for what the model was trained at."""
    device: f.Device = "cpu"
    """Where training, mAP, accuracy and latency are computed: cpu, the number of a GPU, or several such as [0, 1]."""
    blocks: f.Blocks | None = None
    """Blocks by index in the Ultralytics model list."""
    layers: f.Layers | None = None
    """first, all or widest:N of each block; or a list of indices within each block, addresses and names."""
    order: f.Order = "front-to-back"
    """front-to-back, back-to-front, listed or shuffled:SEED."""
    select: Select = Select()
    """How the channels to keep are chosen."""
    steps: Steps | None = None
    """The plan itself, instead of blocks, layers and select."""
    fuzz: Fuzz | None = None
    """Random plans, instead of one plan: passes if every prediction is confirmed."""
    activations: f.Activations = "hooked"
    """hooked, or sliced: an nn.Sequential of blocks, as in the field notes."""
    execution: f.Execution = "mask"
    """mask, local, group or adapter."""
    mask: f.MaskKind = "silent"
    """silent also zeroes BatchNorm; weights zeroes only the filter. Only with execution mask."""
    extend: bool = True
    """Whether channels tied to those that a step removes go as well; else the plan is unsafe. Only with group."""
    round_to: Annotated[int, Field(ge=2, le=256)] | None = None
    """Give channels back until every width is a multiple of this number, such as 8. Only with group."""
    schedule: f.Schedule = "sequential"
    """sequential, independent (select on a fresh copy) or sessions (save and reload between steps)."""
    on_mismatch: f.OnMismatch = "fail"
    """fail, or skip: leave out a step that does not fit and go on."""
    fine_tune: FineTune | None = None
    """Training after each step, or after the last; null for none."""
    val_part: f.ValPart | None = None
    """Measure on a part of the val images alone: k/n, every n-th beginning with the k-th; null for all."""
    measure: f.Measure = "each"
    """When mAP or accuracy are computed: each (before, and after each step) or last (before, and after the last)."""
    limits: Limits | None = None
    """Time and memory after which the scenario is stopped; null for none."""
    expect: Expect = Expect()
    """What must come out for the scenario to pass."""
    tags: f.Tags = ()
    """Names that become pytest marks: pytest -m NAME."""
    seed: f.Seed = 0
    """Seed of everything random in the scenario."""


class ScenarioInput(ScenarioFields):
    """A scenario as it is written."""

    id: f.Id
    """Name of the scenario, unique in the file."""
    matrix: dict[str, list[Any]] = Field(default_factory=dict)
    """Axis (a field, or a dotted one such as select.ratio) to its values; one scenario for each combination."""


class Source(Strict):
    """The lines of YAML that a scenario was written in; lines count from 1."""

    file: str
    first_line: int
    last_line: int
    text: str
    places: dict[str, str] = Field(default_factory=dict)
    """Where values stand, as `file:line:column`: by key, such as `data`, `select.criterion` and `steps[0].keep`."""


class Scenario(ScenarioFields):
    """One scenario, expanded and complete.

    Where `steps` are given, `blocks` is None, `layers` names the layers of the steps, `order` is `listed`, and `select`
    means nothing. With `fuzz`, `blocks` are those that plans are drawn from, `layers` is `all`, and nothing else that
    makes a plan means anything.
    """

    id: str
    """`base_id`, with the values of its axes in brackets if it comes from a matrix."""
    base_id: str
    """The id as it is written."""
    suite: str
    """Name of the suite: the file's name without `.prune.yaml`."""
    spec: str
    """The suite's file, as it is shown; `source.file` is another one if the scenario was included."""
    source: Source
    """Where the scenario is written."""
    axes: dict[str, str] = Field(default_factory=dict)
    """The values of the matrix axes, as they stand in the id."""
    model: f.Text
    layers: f.Layers

    @property
    def workers(self) -> int | None:
        """How many processes read images, where the scenario says it; of mAP as of training."""
        return None if self.fine_tune is None else self.fine_tune.workers

    @property
    def part(self) -> Part | None:
        """The part of the val images that is measured on; None for all."""
        return None if self.val_part is None else read_part(self.val_part)


class SpecFile(Strict):
    """A plan of channel pruning for a YOLO model, with what is expected of it: a `*.prune.yaml` file."""

    include: f.Text | list[f.Text] = Field(default_factory=list)
    """File or files to read first, relative to this one. Keys written here replace theirs; scenarios are added."""
    model: f.Text | None = None
    """Shipped name such as yolov8n-digits, checkpoint (.pt) or model YAML."""
    trust_checkpoint: bool = False
    """Load a checkpoint that asks for code beyond network classes of PyTorch and Ultralytics, which runs that code."""
    data: f.Text | None = None
    """Shipped name such as digits, an Ultralytics dataset YAML, or a folder; null: no mAP, accuracy or fine-tuning."""
    imgsz: f.ImageSize | None = None
    """Image size in pixels, a multiple of 32 from 32 to 1280; null for what the model was trained at."""
    defaults: ScenarioFields = ScenarioFields()
    """Fields that every scenario has unless it has its own."""
    scenarios: list[ScenarioInput] = Field(default_factory=list)
    """The scenarios; a file that is only included may have none."""


NESTED: dict[str, type[Strict]] = {
    "select": Select,
    "fuzz": Fuzz,
    "fine_tune": FineTune,
    "limits": Limits,
    "expect": Expect,
}
NO_AXIS = frozenset({"id", "why", "matrix", "tags", "limits", "expect", "trust_checkpoint"})
AXES: tuple[str, ...] = tuple(
    sorted(
        [
            *(name for name in ScenarioFields.model_fields if name not in NO_AXIS),
            *(f"{name}.{key}" for name in ("select", "fuzz", "fine_tune") for key in NESTED[name].model_fields),
        ]
    )
)
