"""Making one file: who may, what is kept meanwhile, and what is left."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.train.tiny import Recorder
from yolo_prune_check.errors import UserError
from yolo_prune_check.progress import progress
from yolo_prune_check.run.output import making

QUIET = progress(quiet=True)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "small.pt"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / ".yolo-prune-check/compact/small.pt"


def test_what_is_kept_is_there_again_under_the_same_key_only(out: Path) -> None:
    with making(out, "one", QUIET) as kept:
        (kept.path / "trained").touch()
    with making(out, "one", QUIET) as kept:
        assert (kept.path / "trained").exists()
    with making(out, "another", QUIET) as kept:
        assert kept.is_empty()


def test_nothing_but_the_lock_is_left_where_nothing_was_kept(out: Path, place: Path) -> None:
    with pytest.raises(UserError, match="no such data"), making(out, "key", QUIET):
        raise UserError("no such data")
    assert [path.name for path in place.iterdir()] == [".lock"]


def test_what_killed_processes_were_writing_is_removed(out: Path, place: Path) -> None:
    training = place / "unfinished/fine-tune-abc/weights"
    with making(out, "key", QUIET) as kept:
        (kept.path / "fine-tune.state").touch()
        training.mkdir(parents=True)
    ours = [out.parent / ".small.pt.a1b2c3d4.tmp", out.parent / ".small.json.a_b2c3d4.tmp"]
    theirs = [out.parent / ".small.pt.x.a1b2c3d4.tmp", out.parent / ".other.pt.a1b2c3d4.tmp", out.parent / "x.tmp"]
    for path in (*ours, *theirs, place / "unfinished/.small.pt.abc.tmp"):
        path.write_bytes(b"half")
    with making(out, "key", QUIET) as kept:
        assert {path.name for path in kept.path.iterdir()} == {"key", "fine-tune.state"}
    assert not any(path.exists() for path in ours)
    assert all(path.exists() for path in theirs)


def test_another_process_that_makes_the_same_file_is_waited_for(out: Path) -> None:
    holds = f"""
        import sys
        from pathlib import Path
        from yolo_prune_check.progress import progress
        from yolo_prune_check.run.output import making
        with making(Path({str(out)!r}), "key", progress(quiet=True)) as kept:
            (kept.path / "trained").touch()
            print("held", flush=True)
            sys.stdin.readline()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(holds)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"

        class LetGo(Recorder):
            def line(self, text: str) -> None:
                super().line(text)
                other.kill()  # its lock goes with it

        shown = LetGo()
        with making(out, "key", shown) as kept:
            assert (kept.path / "trained").exists()
    (line,) = shown.lines
    assert line.startswith(f"    waiting for another process that runs `compact` for {out} (it holds ")
