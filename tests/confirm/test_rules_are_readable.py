"""Whatever a rule predicts can be read from the words alone, and gives the same kind and numbers."""

from __future__ import annotations

import ast
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from yolo_prune_check.channels import rules
from yolo_prune_check.channels.rules import RULES
from yolo_prune_check.channels.rules.indexing import index
from yolo_prune_check.channels.tensors import Breaks, Tensor
from yolo_prune_check.confirm.errors import read_error

MAP = Tensor((1, 5, 4, 4))
PLACE = Tensor((1,), np.array([7.0]))


def shape(*sizes: int) -> Tensor:
    return Tensor(sizes)


def run(target: str, *args: Any, **kwargs: Any) -> Callable[[], Any]:
    return lambda: RULES[target](*args, **kwargs)


def conv(x: Tensor, weight: Tensor, bias: Tensor | None = None, groups: int = 1, **how: Any) -> Callable[[], Any]:
    return run("convolution", x, weight, bias, (1,), (0,), (1,), how.get("transposed", False), (0,), groups)


CASES: list[Callable[[], Any]] = [
    conv(shape(1, 4, 4, 4), shape(4, 1, 1, 1), groups=8),
    conv(shape(1, 8, 4, 4), shape(12, 1, 1, 1), groups=8),
    conv(MAP, shape(2, 8, 1, 1)),
    conv(MAP, shape(8, 2, 1, 1), transposed=True),
    conv(MAP, shape(2, 5, 1, 1), shape(3)),
    conv(MAP, shape(5, 2, 1, 1), shape(3), transposed=True),
    conv(MAP, shape(2, 5, 7, 5)),
    run("native_batch_norm", MAP, shape(5), shape(5), shape(8), shape(8), False, 0.1, 1e-3),
    run("native_layer_norm", MAP, (4, 8), None, None, 1e-5),
    run("native_layer_norm", MAP, (4, 4), shape(8, 4), None, 1e-5),
    run("native_group_norm", MAP, None, None, 1, 5, 16, 2, 1e-5),
    run("native_group_norm", MAP, shape(8), None, 1, 5, 16, 5, 1e-5),
    run("max_pool2d_with_indices", shape(1, 0, 4, 4), (2, 2)),
    run("max_pool2d_with_indices", MAP, (5, 5)),
    run("upsample_nearest2d", shape(1, 0, 4, 4), None, (2.0, 2.0)),
    run("multi_head_attention", *[shape(5, 1, 4)] * 3, 8, 2),
    run("narrow", MAP, 1, 6, 1),
    run("narrow", MAP, 1, 3, 3),
    run("select", MAP, 1, 7),
    lambda: index(MAP, (None, PLACE)),
    run("index_select", MAP, 1, PLACE),
    run("index_select", MAP, 2, PLACE),
    run("gather", MAP, 1, Tensor((1, 1, 1, 1), np.full((1, 1, 1, 1), 7.0))),
    run("gather", MAP, 1, shape(1, 1, 5, 4)),
    run("topk", MAP, 8, 1),
    run("grid_sampler_2d", MAP, shape(2, 4, 4, 2)),
    run("grid_sampler_2d", MAP, shape(1, 4, 4, 3)),
    run("view", shape(1, 0), (0, -1)),
    run("view", MAP, (1, 7, -1)),
    run("unflatten", MAP, 1, (2, 4)),
    run("unflatten", MAP, 1, (2, -1)),
    run("pixel_shuffle", MAP, 2),
    run("pixel_unshuffle", MAP, 3),
    run("channel_shuffle", MAP, 2),
    run("prelu", MAP, shape(8)),
    run("add", MAP, shape(1, 8, 4, 4)),
    run("add", MAP, shape(1, 5, 8, 4)),
    run("add", shape(1, 1, 4, 4), MAP, in_place=True),
    run("cat", (MAP, shape(1, 5, 4)), 1),
    run("cat", (MAP, shape(1, 5, 8, 4)), 1),
    run("stack", (MAP, shape(1, 8, 4, 4)), 1),
    run("split_with_sizes", MAP, (4, 4), 1),
    run("tensor_split", MAP, 2, 1, name="hsplit"),
    run("mm", shape(2, 5), shape(8, 3)),
    run("addmm", shape(3), shape(2, 5), shape(8, 3)),
    run("bmm", shape(2, 3, 5), shape(2, 8, 3)),
    run("matmul", shape(5), shape(8)),
    run("matmul", shape(2, 5), shape(8)),
    run("linear", shape(2, 5), shape(3, 8), shape(3)),
    run("einsum", "bc,kc->bk", (shape(1, 5), shape(3, 8))),
    run("cdist", shape(1, 4, 5), shape(1, 4, 8)),
    run("tensordot", MAP, shape(1, 8, 4, 4), ((1,), (1,))),
    run("expand", MAP, (1, 5)),
    run("expand", MAP, (1, 8, 4, 4)),
    run("repeat", MAP, (1, 2)),
]

Place = tuple[str, int]


def raised(case: Callable[[], Any]) -> tuple[Breaks, Place]:
    with pytest.raises(Breaks) as info:
        case()
    last = traceback.extract_tb(info.value.__traceback__)[-1]
    return info.value, (Path(last.filename).name, last.lineno or 0)


@pytest.mark.parametrize("case", CASES)
def test_the_words_of_a_rule_are_read_as_it_means_them(case: Callable[[], Any]) -> None:
    broken, _ = raised(case)
    read = read_error(RuntimeError(broken.message), "somewhere")
    assert (read.kind, read.expected, read.got) == (broken.kind, broken.expected, broken.got)


def test_there_is_a_case_for_every_place_at_which_a_rule_breaks() -> None:
    """But for assertions of a model's own code, which have any words."""
    places = {
        (file.name, node.lineno)
        for file in Path(rules.__file__).parent.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and getattr(node.exc.func, "id", "") == "Breaks"
        if file.name != "assertion.py"
    }
    assert places == {raised(case)[1] for case in CASES}
