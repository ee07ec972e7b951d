"""Hunts: a fixed number of random plans on a small model, until the prediction of one of them is refuted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from torch import nn

from benchmarks.zoo import build, randomise_norms
from tests.channels.architectures import double_of
from tests.models import graph_of
from tests.mutants.shuffle import NAME, shuffle_of
from tests.mutants.trials import removal_trial, verdict_trial
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.fuzz.ground import Ground, Way
from yolo_prune_check.fuzz.shrink import shrink
from yolo_prune_check.fuzz.trial import Trial, trial_of, try_random_plans


@lru_cache
def single_of(name: str) -> nn.Module:
    """A stock model, or one of torchvision's, with random batch norms; built once, and never changed."""
    model = build(name)
    randomise_norms(model, seed=0)
    return model


def execution_trial(model: nn.Module, graph: ChannelGraph) -> Trial:
    """What ``yolo-prune-check fuzz`` does: predict, carry out, compare."""
    return trial_of(model, graph, execute=True)


@dataclass(frozen=True)
class Caught:
    """How a mutant was found out.

    Attributes:
        tried: Random plans up to the one that was refuted; 0 if the model could not even be traced.
        plan: That plan.
        difference: What gave it away.
    """

    tried: int
    plan: Plan | None
    difference: str


@dataclass(frozen=True)
class Hunt:
    """Random plans on one model.

    Attributes:
        name: The hunt in words.
        trial: Tries a plan.
        load: Loads the model by its name; each is loaded once.
        model: That name.
        ways: How the plans are carried out.
        within: Qualified names of the layers to prune start with one of these.
        examples: Plans, at most.
        max_steps: Steps of a plan, at most.
    """

    name: str
    trial: Callable[[nn.Module, ChannelGraph], Trial]
    load: Callable[[str], nn.Module]
    model: str
    ways: tuple[Way, ...]
    within: tuple[str, ...] = ("",)
    examples: int = 20
    max_steps: int = 3
    seed: int = 0

    def __str__(self) -> str:
        return ", ".join([self.name, self.model.removesuffix(".yaml"), *filter(None, self.within)])

    def on(self, model: str = "yolov8n.yaml", *within: str) -> Hunt:
        """The same hunt on another model, or on some of its layers."""
        return replace(self, model=model, within=within or ("",))

    def run(self, *, shrunk: bool = False) -> Caught | None:
        """Trace the model and try plans until one is refuted.

        Args:
            shrunk: Make the refuted plan as small as it gets.
        """
        model = self.load(self.model)
        try:
            graph = ChannelGraph.trace(model, imgsz=64)
            ground = Ground.of(graph, [name for name in graph.layers if name.startswith(self.within)])
            trial = self.trial(model, graph)
        except Exception as error:  # noqa: BLE001  # whatever a mistake brings about gives it away
            return Caught(0, None, f"tracing raised {type(error).__name__}: {error}")
        drawn = try_random_plans(
            trial, ground, self.ways, examples=self.examples, max_steps=self.max_steps, seed=self.seed
        )
        for number, each in enumerate(drawn, start=1):
            if each.agrees is False:
                plan = shrink(each.plan, lambda plan: trial(plan).agrees is False) if shrunk else each.plan
                return Caught(number, plan, trial(plan).differences[0])
        return None


@dataclass(frozen=True)
class Pinned:
    """What no execution shows is pinned by an ordinary test, which is run on a graph of its own.

    Attributes:
        test: The test.
        arguments: For a test with parameters.
    """

    test: Callable[..., None]
    arguments: tuple[object, ...]

    def __init__(self, test: Callable[..., None], *arguments: object) -> None:
        object.__setattr__(self, "test", test)
        object.__setattr__(self, "arguments", arguments)

    @property
    def name(self) -> str:
        """The hunt in words."""
        return self.test.__name__

    def __str__(self) -> str:
        return self.name

    def run(self, *, shrunk: bool = False) -> Caught | None:
        """Run the test; nothing is ever shrunk."""
        graph_of.cache_clear()
        try:
            self.test(*self.arguments)
        except AssertionError:
            return Caught(0, None, f"{self.test.__name__} fails")
        finally:
            graph_of.cache_clear()
        return None


LOCAL = Hunt("local, carried out", execution_trial, single_of, "yolov8n.yaml", (Way("local"),))
MASK = Hunt("mask, carried out", execution_trial, single_of, "yolov8n.yaml", (Way("mask"), Way("mask", "weights")))
SILENT = replace(MASK, name="mask: silent, carried out", ways=(Way("mask"),))
WEIGHTS = replace(MASK, name="mask: weights, carried out", ways=(Way("mask", "weights"),))
GROUP = Hunt("group, carried out", removal_trial, double_of, "yolov8n.yaml", (Way("group"),))
SHUFFLE = replace(GROUP, load=shuffle_of, model=NAME, within=("stem",), max_steps=1)
VERDICT = Hunt(
    "one prediction against the other",
    verdict_trial,
    single_of,
    "yolov8n.yaml",
    (Way("local"), Way("mask"), Way("mask", "weights"), Way("group"), Way("adapter")),
    examples=200,
    max_steps=5,
)
