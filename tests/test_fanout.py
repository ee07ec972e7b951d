"""Work on many items at once, in processes of this machine and on clusters of two workers."""

from __future__ import annotations

import os
import pickle
import re
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
import torch

from tests import fanned
from tests.clusters import cluster, free_port
from tests.train.tiny import Recorder
from yolo_prune_check.errors import UserError
from yolo_prune_check.fanout import BACKENDS, Backend, LostError, fan_out
from yolo_prune_check.fanout.apart import carry_out_apart
from yolo_prune_check.fanout.token import wait_until_left, waiting
from yolo_prune_check.fanout.work import Raised, Surroundings, Unfit, carry_out, surroundings_sent, work_of


@pytest.fixture(scope="module", params=BACKENDS)
def place(request: pytest.FixtureRequest) -> Iterator[tuple[Backend, str | None]]:
    if request.param == "local":
        yield "local", None
        return
    with cluster(request.param) as address:
        yield request.param, address


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    monkeypatch.chdir(tmp_path)
    return Recorder()


def starts() -> Counter[str]:
    return Counter(path.name.split("-")[1] for path in Path().glob("start-*"))


def test_workers_do_what_a_loop_does_and_a_killed_one_costs_one_more_start(
    place: tuple[Backend, str | None], shown: Recorder, capfd: pytest.CaptureFixture[str]
) -> None:
    backend, address = place
    if backend != "local":
        Path("of-a-cluster").touch()
    begun: list[int] = []
    before = torch.get_num_threads()
    torch.set_num_threads(3)  # neither the default here nor what a cluster's worker has
    try:
        outcomes = fan_out(
            fanned.dies_once,
            range(5),
            jobs=2,
            backend=backend,
            address=address,
            shown=shown,
            on_start=begun.append,
        )
        found = dict(outcomes)
        assert found == {item: fanned.seen(item) for item in range(5)}
    finally:
        torch.set_num_threads(before)
    assert sorted(begun) == [0, 1, 2, 3, 4]
    assert starts() == {"0": 1, "1": 2, "2": 1, "3": 1 if backend == "local" else 2, "4": 1}
    workers = {path.name.split("-")[2] for path in Path().glob("start-*")}
    assert len(workers) >= 2
    assert str(os.getpid()) not in workers
    died = {"local": [1], "dask": [1], "ray": [1, 3]}  # dask starts again what its workers ran without a word
    assert [re.sub(r"\(.*\)", "()", line) for line in shown.lines] == [
        f"{item}: the process that worked on it died (); it is started again" for item in died[backend]
    ]
    assert capfd.readouterr().out == ""  # of what workers or the cluster say
    assert {path.name.partition("-")[0] for path in Path().iterdir()} <= {"start", "of"}


@pytest.mark.parametrize("backend", ["local", pytest.param("dask", marks=pytest.mark.stress)])
def test_an_item_whose_workers_die_is_named_and_the_others_go_on(backend: Backend, shown: Recorder) -> None:
    if backend == "local":
        found = dict(fan_out(fanned.dies_always, range(3), jobs=2, shown=shown, name="item {}".format))
    else:
        Path("of-a-cluster").touch()
        with cluster("dask") as address:
            outcomes = fan_out(
                fanned.dies_always,
                range(3),
                jobs=2,
                backend="dask",
                address=address,
                shown=shown,
                name="item {}".format,
            )
            found = dict(outcomes)
    lost = found.pop(1)
    assert found == {0: 0, 2: 20}
    assert isinstance(lost, LostError)
    assert str(lost).startswith("item 1: given up, as each process that worked on it died (")
    assert starts()["1"] == (2 if backend == "local" else 4)


def test_what_the_function_raises_comes_out_as_it_is(shown: Recorder) -> None:
    with (
        pytest.raises(UserError) as caught,
        closing(fan_out(fanned.refuses, [1], jobs=2, shown=shown)) as outcomes,
    ):
        list(outcomes)
    error = caught.value
    assert (error.what, error.where, error.value, error.hint) == ("is odd", "here", 1, "Try 2.")
    assert "in refuses" in str(error.__cause__)
    assert shown.lines == []  # it is not tried again


def test_one_job_is_a_loop_in_this_process(shown: Recorder) -> None:
    found = fan_out(fanned.who, [5, 4], jobs=1, shown=shown)
    assert list(found) == [(0, (5, os.getpid())), (1, (4, os.getpid()))]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C interrupts, also where these tests run in the background, which shells let ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_who_stops_early_leaves_no_process_behind(shown: Recorder) -> None:
    def interrupt() -> None:
        while len(starts()) < 2:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    with closing(fan_out(fanned.takes_long, range(4), jobs=2, shown=shown)) as outcomes:
        threading.Thread(target=interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            next(outcomes)
    assert starts() == {"0": 1, "1": 1}
    working = {int(path.name.split("-")[2]) for path in Path().glob("start-*")}
    assert not [pid for pid in working if psutil.pid_exists(pid)]
    assert shown.lines == []


def test_a_worker_of_a_cluster_gives_up_what_nobody_waits_for(shown: Recorder) -> None:
    token = Path("token").absolute()
    token.touch()
    work = work_of(fanned.takes_long, 0, surroundings_sent(token))

    def leave() -> None:
        while not starts():
            time.sleep(0.05)
        token.unlink()

    threading.Thread(target=leave).start()
    begin = time.monotonic()
    assert carry_out_apart(work) == b""
    assert time.monotonic() - begin < 20
    (start,) = Path().glob("start-0-*")
    while psutil.pid_exists(int(start.name.split("-")[2])):
        assert time.monotonic() - begin < 20, "it goes on"
        time.sleep(0.05)


def test_who_was_killed_waits_no_more_and_who_lives_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with waiting(beat_s=0.2) as token:
        left = threading.Thread(target=wait_until_left, args=(token,), kwargs={"silent_s": 2.5})
        left.start()
        left.join(4)
        assert left.is_alive()
    left.join(3)
    assert not left.is_alive()
    token.touch()  # as one that was killed leaves it
    begin = time.monotonic()
    wait_until_left(token, silent_s=0.5)
    assert time.monotonic() - begin < 5
    assert list(tmp_path.iterdir()) == []


def test_a_worker_says_why_it_cannot_work_as_this_process_does(shown: Recorder) -> None:
    here = str(Path.cwd())
    Path("token").touch()
    for surroundings, message in (
        (Surroundings("/no/such/folder", "token"), "does not see the working directory: got '/no/such/folder'. Start"),
        (Surroundings(here, "another"), "does not see the working directory"),
        (
            Surroundings(here, "token", versions={"torch": "1.0"}),
            f"has other versions than the process that asks it (torch {torch.__version__.partition('+')[0]}",
        ),
    ):
        said = pickle.loads(carry_out_apart(work_of(fanned.who, 0, surroundings)))
        assert isinstance(said, Unfit)
        assert message in str(said.error)
    work = work_of(fanned.who, 0, Surroundings(here)).replace(b"tests.fanned", b"tests.nobody")
    assert "cannot import what it is to run (No module named 'tests.nobody')" in str(
        pickle.loads(carry_out(work)).error
    )


@pytest.mark.stress
@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_workers_without_this_package_are_told_of(backend: Backend, shown: Recorder) -> None:
    Path("other/yolo_prune_check").mkdir(parents=True)
    Path("other/yolo_prune_check/__init__.py").touch()
    with cluster(backend, Path("other").absolute()) as address, pytest.raises(UserError, match="cannot load what they"):
        next(fan_out(fanned.who, [1, 2], jobs=2, backend=backend, address=address, shown=shown))


def test_an_exception_that_cannot_be_sent_is_told_in_words() -> None:
    said = pickle.loads(carry_out(work_of(fanned.breaks_awkwardly, 7, Surroundings(str(Path.cwd())))))
    assert isinstance(said, Raised)
    assert "AwkwardError: 7 and 7" in str(said.error)


@pytest.mark.parametrize("backend", ["dask", "ray"])
@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:PORT", "answers there"),
        (None, "needs the address of"),
        ("nonsense", "address"),
    ],
)
def test_no_cluster_is_said_at_once(
    backend: Backend, address: str | None, message: str, shown: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RAY_ADDRESS", "DASK_SCHEDULER_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    if address is not None:
        address = address.replace("PORT", str(free_port()))
    begin = time.monotonic()
    with pytest.raises(UserError, match=message):
        next(fan_out(fanned.who, [1], jobs=2, backend=backend, address=address, shown=shown))
    assert time.monotonic() - begin < 10
    assert not list(Path().iterdir())


@pytest.mark.parametrize(("backend", "module"), [("dask", "distributed"), ("ray", "ray")])
def test_an_extra_that_is_missing_is_named(
    backend: Backend, module: str, shown: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=rf"pip install yolo-prune-check\[{backend}\]"):
        next(fan_out(fanned.who, [1], jobs=2, backend=backend, address="127.0.0.1:1", shown=shown))


def test_only_clusters_have_an_address(shown: Recorder) -> None:
    with pytest.raises(UserError, match="only dask and ray have an address"):
        next(fan_out(fanned.who, [1], jobs=2, address="127.0.0.1:1", shown=shown))
