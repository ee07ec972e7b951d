"""The public names: loaded late, without torch, and functions whatever was imported before them."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterable

import pytest

import yolo_prune_check as ypc

ROOMS = ("prune", "confirm", "run")


def python(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-W", "error::ImportWarning", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def works_as_function_and_as_room(name: str) -> str:
    return f"""
import importlib, inspect, yolo_prune_check as ypc
from yolo_prune_check import {name} as named
from yolo_prune_check.{name} import {name} as function
import yolo_prune_check.{name} as room
assert callable(ypc.{name}) and named is room is ypc.{name} is sys.modules['yolo_prune_check.{name}']
assert inspect.isfunction(function) and inspect.signature(named) == inspect.signature(function)
try:
    ypc.{name}(no_such_argument=1)
except TypeError as error:
    assert str(error).startswith('{name}() '), error
else:
    raise AssertionError('called something else')
"""


@pytest.mark.parametrize(
    "statement",
    [
        "import yolo_prune_check",
        "import yolo_prune_check.pytest_plugin",
        "import yolo_prune_check.run.record",
        "import yolo_prune_check.report",
        "from yolo_prune_check import load_spec, Plan, Step",
        "import yolo_prune_check.progress",
        "import yolo_prune_check.cli",
    ],
)
def test_light_imports_leave_torch_alone(statement: str) -> None:
    heavy = ("torch", "ultralytics", "sklearn", "matplotlib")
    assert python(f"import sys; {statement}; print([name for name in {heavy!r} if name in sys.modules])") == "[]"


@pytest.mark.parametrize(
    ("name", "before"),
    [
        ("prune", "pass"),
        ("confirm", "import yolo_prune_check.confirm"),
        ("run", "import yolo_prune_check as y; y.run; import yolo_prune_check.run"),
        ("prune", "from yolo_prune_check.prune import prune"),
        ("run", "from yolo_prune_check.run.record import Record"),
        ("confirm", "import importlib; importlib.import_module('yolo_prune_check.confirm.compare')"),
    ],
)
def test_a_room_with_its_functions_name_can_be_called(name: str, before: str) -> None:
    python(f"import sys; {before}\n{works_as_function_and_as_room(name)}")


def test_rooms_can_be_called_in_every_order_of_first_use() -> None:
    def uses(order: Iterable[str]) -> str:
        return "".join(works_as_function_and_as_room(name) for name in order)

    orders = list(itertools.permutations(ROOMS))
    python(f"import sys\n{uses(orders[0])}{uses(orders[-1])}")
    python(f"import sys\n{uses(orders[-1])}")


def test_the_rooms_stay_importable() -> None:
    code = "import sys; import yolo_prune_check.run.record as a; from yolo_prune_check.run import record as b"
    assert python(f"{code}; print(a is b is sys.modules['yolo_prune_check.run.record'])") == "True"


def test_every_public_name_is_there() -> None:
    for name in ypc.__all__:
        value = getattr(ypc, name)
        assert name in dir(ypc)
        assert callable(value) or name == "__version__"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'prunes'"):
        ypc.prunes  # noqa: B018 - reading the attribute is the test


def test_other_attributes_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ypc, "prune", len)
    assert ypc.prune is len
