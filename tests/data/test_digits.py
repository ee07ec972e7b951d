"""The `digits` set: what is in it, that it stays the same, and that making it is safe."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from yolo_prune_check.data import SHIPPED_DATA, digits, shipped_data
from yolo_prune_check.errors import UserError

# The first 24 training and 8 validation pictures; every picture has its own random stream, so they stand for all.
SUBSET = {"train": 24, "val": 8}
SUBSET_HASH = "5191f0b575e03455101fa951b5ed13c81321eeaf1ce4671d8dece187b936e9b8"


@pytest.fixture(scope="session")
def subset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("digits-subset")
    digits.build(root, SUBSET)
    return root


def test_content_is_pinned(subset: Path) -> None:
    assert digits.content_hash(subset) == SUBSET_HASH


def test_hash_sees_pixels_and_labels_only(tmp_path: Path) -> None:
    digits.build(tmp_path, {"train": 2})
    before = digits.content_hash(tmp_path)
    (tmp_path / "labels" / "train.cache").write_bytes(b"what Ultralytics leaves behind")
    assert digits.content_hash(tmp_path) == before
    label = tmp_path / "labels" / "train" / "00001.txt"
    label.write_text("0 0.5 0.5 0.1 0.1\n")
    assert digits.content_hash(tmp_path) != before


def test_seed_changes_the_pictures() -> None:
    first, other = (next(iter(digits.scenes("val", 1, seed))) for seed in (1, 2))
    assert not np.array_equal(first.image, other.image)


def test_halves_use_disjoint_digits() -> None:
    labels = np.asarray(load_digits().target, dtype=np.int64)
    split = digits.split_digits(labels)
    assert not set(split["train"]) & set(split["val"])
    assert sorted([*split["train"], *split["val"]]) == list(range(len(labels)))
    for half in ("train", "val"):
        assert set(labels[split[half]]) == set(range(10))
        used = np.concatenate([scene.sources for scene in digits.scenes(half, 60)])
        assert set(used) <= set(split[half])


def test_halves_use_disjoint_parts_of_the_photographs() -> None:
    photo = np.arange(200, dtype=np.uint8)[None, :, None].repeat(3, axis=2)
    left, right = digits._photo_part(photo, "val"), digits._photo_part(photo, "train")
    assert left.shape[1] + right.shape[1] == 200
    assert left.max() < right.min()


@pytest.mark.parametrize("half", ["train", "val"])
def test_every_scene_is_well_formed(half: str) -> None:
    counts = set()
    for scene in digits.scenes(half, 150):
        counts.add(len(scene.boxes))
        assert scene.image.shape == (128, 128, 3)
        assert scene.image.dtype == np.uint8
        assert ((scene.classes >= 0) & (scene.classes < 10)).all()
        assert (scene.boxes >= 0).all()
        assert (scene.boxes <= 128).all()
        longest = (scene.boxes[:, 2:] - scene.boxes[:, :2]).max(axis=1)
        assert ((longest >= 20) & (longest <= 56)).all()
        for i, a in enumerate(scene.boxes):
            for b in scene.boxes[:i]:
                shared = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
                assert shared.min() <= 2
    assert counts == {2, 3, 4, 5}


def test_boxes_are_tight() -> None:
    glyphs = load_digits().images
    for row in range(0, len(glyphs), 37):
        for size in (22, 33, 44):
            ink = digits._stroke(glyphs[row], size) >= 128
            assert ink[0].any()
            assert ink[-1].any()
            assert ink[:, 0].any()
            assert ink[:, -1].any()


def test_label_files_match_their_scenes(subset: Path) -> None:
    for half, count in SUBSET.items():
        files = sorted((subset / "labels" / half).glob("*.txt"))
        assert [file.stem for file in files] == [f"{number:05d}" for number in range(count)]
        for file, scene in zip(files, digits.scenes(half, count), strict=True):
            rows = np.array([[float(n) for n in line.split()] for line in file.read_text().splitlines()])
            assert rows[:, 0].tolist() == scene.classes.tolist()
            corners = np.concatenate([rows[:, 1:3] - rows[:, 3:] / 2, rows[:, 1:3] + rows[:, 3:] / 2], axis=1)
            np.testing.assert_allclose(corners * 128, scene.boxes, atol=1e-3)


def test_unknown_half_is_refused() -> None:
    with pytest.raises(KeyError):
        next(iter(digits.scenes("test", 1)))


def test_fresh_pictures_are_in_no_published_half(tmp_path: Path) -> None:
    file = digits.build_fresh(tmp_path, count=5)
    assert "images/train" not in file.read_text()
    made = sorted(path.stem for path in tmp_path.glob("images/val/*.png"))
    assert made == [f"{number:05d}" for number in range(200, 205)]
    published = {scene.image.tobytes() for scene in digits.scenes("val")}
    assert not published & {scene.image.tobytes() for scene in digits.scenes("val", 5, start=200)}


@pytest.fixture
def small_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a set small enough to be made in no time."""
    monkeypatch.setenv(digits.CACHE_ENV, str(tmp_path))
    monkeypatch.setattr(digits, "IMAGES", {"train": 3, "val": 2})
    return tmp_path


def test_cache_folder_can_be_chosen(small_cache: Path) -> None:
    file = digits.digits_yaml()
    assert file == small_cache / digits.VERSION / "digits.yaml"
    assert len(list(file.parent.glob("images/train/*.png"))) == 3
    assert [path.name for path in small_cache.iterdir()] == [digits.VERSION]  # nothing else is left behind


def test_cache_folder_defaults_to_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(digits.CACHE_ENV, raising=False)
    assert "yolo-prune-check" in digits.cache_root().parts


def test_yaml_is_what_ultralytics_reads(small_cache: Path) -> None:
    yaml = pytest.importorskip("ruamel.yaml").YAML(typ="safe")
    content = yaml.load(digits.digits_yaml())
    assert content == {
        "path": str(small_cache / digits.VERSION),
        "train": "images/train",
        "val": "images/val",
        "nc": 10,
        "names": {label: str(label) for label in range(10)},
    }


def test_second_call_builds_nothing(small_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = digits.digits_yaml()
    stamp = first.stat().st_mtime_ns
    monkeypatch.setattr(digits, "build", lambda *_: pytest.fail("built twice"))
    assert digits.digits_yaml() == first
    assert first.stat().st_mtime_ns == stamp


def test_moved_cache_is_mended(
    small_cache: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = digits.digits_yaml().parent
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    old.rename(elsewhere / digits.VERSION)
    monkeypatch.setenv(digits.CACHE_ENV, str(elsewhere))
    assert str(elsewhere) in digits.digits_yaml().read_text()


def test_broken_build_leaves_no_set(small_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = digits.build

    def fails_half_way(root: Path) -> None:
        real(root, {"train": 2})
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(digits, "build", fails_half_way)
        with pytest.raises(KeyboardInterrupt):
            digits.digits_yaml()
    assert list(small_cache.iterdir()) == []
    assert len(list(digits.digits_yaml().parent.glob("images/*/*.png"))) == 5


def test_killed_build_is_ignored_and_swept_later(small_cache: Path) -> None:
    for name, age in (("old", 7200), ("fresh", 0)):
        leftover = small_cache / f".{digits.VERSION}-{name}"
        (leftover / "images").mkdir(parents=True)
        stamp = leftover.stat().st_mtime - age
        os.utime(leftover, (stamp, stamp))
    assert len(list(digits.digits_yaml().parent.glob("images/*/*.png"))) == 5
    left = sorted(path.name for path in small_cache.iterdir())
    assert left == [f".{digits.VERSION}-fresh", digits.VERSION]  # a fresh one may be another process at work


def test_racing_processes_both_succeed(tmp_path: Path) -> None:
    script = (
        "from yolo_prune_check.data import digits\n"
        "digits.IMAGES = {'train': 20, 'val': 10}\n"
        "print(digits.content_hash(digits.digits_yaml().parent))\n"
    )
    env = {**os.environ, digits.CACHE_ENV: str(tmp_path)}
    racers = [
        subprocess.Popen([sys.executable, "-c", script], env=env, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    answers = [racer.communicate(timeout=120)[0].strip() for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0, 0]
    assert len(set(answers)) == 1
    assert [path.name for path in tmp_path.iterdir()] == [digits.VERSION]


def test_loser_of_a_race_keeps_the_winners_set(small_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = digits.build

    def meanwhile_another_finishes(root: Path) -> None:
        real(root)
        real(small_cache / digits.VERSION)

    monkeypatch.setattr(digits, "build", meanwhile_another_finishes)
    assert digits.digits_yaml().is_file()
    assert [path.name for path in small_cache.iterdir()] == [digits.VERSION]


def test_unwritable_cache_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocker = tmp_path / "a-file"
    blocker.write_text("")
    monkeypatch.setenv(digits.CACHE_ENV, str(blocker))
    with pytest.raises(UserError, match=digits.CACHE_ENV):
        digits.digits_yaml()


def test_shipped_data(small_cache: Path) -> None:
    assert SHIPPED_DATA == ("digits",)
    assert shipped_data("digits") == digits.digits_yaml()


def test_unknown_shipped_data_names_the_known() -> None:
    with pytest.raises(UserError, match=r"'coco'.*digits"):
        shipped_data("coco")


def test_import_is_cheap() -> None:
    script = (
        "import sys, yolo_prune_check.data as data\n"
        "data.shipped_model('yolov8n-digits')\n"
        "print([m for m in ('torch', 'sklearn', 'ultralytics', 'numpy') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_contact_sheet(tmp_path: Path) -> None:
    from PIL import Image

    target = tmp_path / "sheet.png"
    digits.contact_sheet(target, columns=2, rows=1)
    with Image.open(target) as sheet:
        assert sheet.size == (268, 136)
