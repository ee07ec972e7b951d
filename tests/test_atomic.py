"""Files are whole or not there, and what keeps them from being written is told in one message."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from yolo_prune_check.atomic import written_whole
from yolo_prune_check.errors import UserError


@contextmanager
def small_files(most: int) -> Iterator[None]:
    """No file of this process can grow beyond so many bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_told_and_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"old")
    with small_files(100), pytest.raises(UserError) as caught, written_whole(path) as file:
        file.write(b"x" * 100_000)
    assert str(caught.value).startswith(f"{path}: the file cannot be written (File too large). Make room")
    assert [(left.name, left.read_bytes()) for left in tmp_path.iterdir()] == [("x.bin", b"old")]


def test_a_place_that_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    told = r"file/y/x\.bin: the file cannot be written \(Not a directory\)"
    with pytest.raises(UserError, match=told), written_whole(tmp_path / "file/y/x.bin"):
        raise AssertionError("there is nothing to write to")
