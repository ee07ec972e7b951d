"""What a scenario's `data:` names: a shipped set, a dataset YAML or a folder of classes, checked before it is read.

Ultralytics meets a missing folder by downloading, by running the YAML's `download:` script, or with a stack trace; here
it is a `UserError` that says what is missing where. A `download:` entry is never looked at.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from yolo_prune_check.data import SHIPPED_DATA, shipped_data
from yolo_prune_check.data.stock import datasets_dir, stock_yaml
from yolo_prune_check.errors import UserError

# The formats that Ultralytics reads.
IMAGE_SUFFIXES = frozenset(
    {".avif", ".bmp", ".dng", ".heic", ".heif", ".jp2", ".jpeg", ".jpg", ".mpo", ".png", ".tif", ".tiff", ".webp"}
)
_SPLITS = ("train", "val")
_YAML = (".yaml", ".yml")
_SETTING = "(datasets_dir of Ultralytics' settings)"
_HINT = (
    "Give a dataset YAML in Ultralytics' format, for a classifier a folder with train/CLASS/ and val/CLASS/, or a "
    f"shipped set: {', '.join(SHIPPED_DATA)}."
)


@dataclass(frozen=True)
class DataSet:
    """Labelled images on disk.

    Attributes:
        yaml: The file that describes it; the set's folder where the folders of its images are its classes.
        root: The folder its paths are relative to.
        places: For `train` and `val`: folders of images, or text files that list images.
        names: Class names by index, counting from 0 without gaps.
        channels: Channels of an image, 3 unless the YAML says otherwise.
        kpt_shape: How many keypoints an object has, and how many numbers each, 2 or 3; None if it has none.
        kpt_oks_sigmas: How exact each keypoint is labelled, for their similarity (OKS); None for Ultralytics' own.
    """

    yaml: Path
    root: Path
    places: Mapping[str, tuple[Path, ...]]
    names: Mapping[int, str]
    channels: int = 3
    kpt_shape: tuple[int, int] | None = None
    kpt_oks_sigmas: tuple[float, ...] | None = None

    @property
    def by_folder(self) -> bool:
        """Whether each image is of the class that its folder is named after, as classifiers are trained."""
        return self.yaml == self.root

    def images(self, split: str) -> tuple[Path, ...]:
        """The images of `train` or `val`, sorted, each once.

        Raises:
            UserError: There are none, or a list names a file that does not exist.
        """
        found: set[Path] = set()
        for place in self.places[split]:
            found.update(_listed(place) if place.is_file() else _below(place))
        if not found:
            places = ", ".join(str(place) for place in self.places[split])
            raise UserError(f"the data set has no images for {split!r}", where=str(self.yaml), value=places)
        return tuple(sorted(found))


def label_file(image: Path) -> Path:
    """The label file of an image, by Ultralytics' rule: the last folder `images` becomes `labels`, the suffix `.txt`.

    >>> label_file(Path("/set/images/train/7.png")).as_posix()
    '/set/labels/train/7.txt'
    """
    parts = list(image.parts)
    for position in range(len(parts) - 2, -1, -1):
        if parts[position] == "images":
            parts[position] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def array_file(image: Path) -> Path:
    """Where Ultralytics looks for an image as it was decoded once (`cache=disk`), and reads that in its place.

    >>> array_file(Path("/set/images/train/7.png")).as_posix()
    '/set/images/train/7.npy'
    """
    return image.with_suffix(".npy")


def resolve_data(name: str) -> Path:
    """The dataset YAML that `name` stands for, after checking it as `read_data` does.

    Raises:
        UserError: See `read_data`.
    """
    return read_data(name).yaml


def read_data(name: str) -> DataSet:
    """Find and check a data set; the images themselves are not read, and nothing is downloaded.

    A name is that of a shipped set, else of a file or folder here, else of a YAML that Ultralytics ships, or of a
    folder of classes in its `datasets_dir`. A relative `path:` in a YAML is the first folder that holds the images: in
    the current one or in `datasets_dir`, as Ultralytics has it, so that both measure on the same; else beside the YAML.

    Args:
        name: A shipped set, such as `"digits"`, the path of an Ultralytics dataset YAML or the name of one that it
            ships, such as `"coco8.yaml"`, or a folder that holds `train/CLASS/` and `val/CLASS/`.

    Raises:
        UserError: There is no such file, it is no YAML mapping, an entry is missing or of the wrong kind, or a folder
            does not exist.
    """
    file = _find(name).resolve()
    if file.is_dir():
        return _of_folders(file, name)
    entries = _entries(file)
    root = _root(file, entries)
    places = {split: _places(file, root, entries, split) for split in _SPLITS}
    keypoints = _kpt_shape(file, entries)
    sigmas = _kpt_oks_sigmas(file, entries, keypoints)
    return DataSet(file, root, places, _names(file, entries), _channels(file, entries), keypoints, sigmas)


def _find(name: str) -> Path:
    """The YAML, or the folder of classes."""
    if name in SHIPPED_DATA:
        return shipped_data(name)
    if not name:
        raise UserError("the data set has no name", hint=_HINT)
    given = Path(name).expanduser()
    if given.is_file() or given.is_dir():
        return given
    if given.suffix in _YAML:
        stock = stock_yaml(name)
        if stock is not None:
            return stock
        hint = "It is no file here, and none that Ultralytics ships; nothing is downloaded."
        like = None
    else:
        folder = datasets_dir() / name
        if folder.is_dir():
            return folder
        hint = f"It is no file or folder here, and {folder} {_SETTING} is no folder; nothing is downloaded."
        like = next((f"{name}{suffix}" for suffix in _YAML if stock_yaml(f"{name}{suffix}")), None)
    # Of so few names one is always the nearest: only what is nearly it is meant.
    close = [like] if like else get_close_matches(given.stem.lower(), SHIPPED_DATA, cutoff=0.75)
    did_you_mean = f"Did you mean {close[0]!r}? " if close else ""
    raise UserError("no such data set", value=name, hint=f"{did_you_mean}{hint} {_HINT}")


def _of_folders(root: Path, name: str) -> DataSet:
    """A set whose folders are its classes, which are numbered in the order of their names, as Ultralytics does."""
    train = root / "train"
    if any((train / part).is_dir() for part in ("images", "labels")):
        yaml = next((str(file) for suffix in _YAML for file in sorted(root.glob(f"*{suffix}"))), "its YAML")
        what = "this folder is a detector's data set, in which no folder is a class"
        raise UserError(what, value=name, hint=f"Name its YAML: {yaml}.")
    classes = sorted(folder.name for folder in train.iterdir() if folder.is_dir()) if train.is_dir() else []
    if not classes:
        raise UserError("the data set is a folder without train/CLASS/, and no YAML file", value=name, hint=_HINT)
    val = next((root / other for other in ("val", "validation", "valid", "test") if (root / other).is_dir()), None)
    if val is None:
        raise UserError("the data set has no folder 'val'", where=str(root), hint="Add val/CLASS/.")
    return DataSet(root, root, {"train": (train,), "val": (val,)}, dict(enumerate(classes)))


def _entries(file: Path) -> Mapping[Any, Any]:
    try:
        entries = YAML(typ="safe").load(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UserError(f"the data set cannot be read ({error.strerror})", where=str(file)) from error
    except (YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else str(file)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise UserError(f"the data set is no valid YAML ({problem})", where=where, hint=_HINT) from error
    if not isinstance(entries, Mapping):
        kind = "nothing" if entries is None else type(entries).__name__
        raise UserError("the data set's YAML must be a mapping with train, val and names", where=str(file), value=kind)
    return entries


def _root(file: Path, entries: Mapping[Any, Any]) -> Path:
    path = entries.get("path")
    if path is None:
        return file.parent
    if not isinstance(path, str):
        raise UserError("the data set's 'path' must be a folder's name", where=str(file), value=path)
    given = Path(path).expanduser()
    if given.is_absolute():
        tried = [given]
    else:
        tried = list(dict.fromkeys([given.absolute(), datasets_dir().absolute() / given, file.parent / given]))
    there = [folder for folder in tried if folder.is_dir()]
    if there:
        return next((folder for folder in there if _holds(folder, entries.get("train"))), there[0]).resolve()
    *others, last = (str(folder) for folder in tried)
    looked = f"{', '.join(others)} and {last}" if others else last
    hint = f"Looked for {looked}; nothing is downloaded."
    raise UserError("the data set's 'path' does not exist", where=str(file), value=path, hint=hint)


def _holds(root: Path, train: object) -> bool:
    """Whether images that are named are below a folder: others of that name, such as `..` or `data`, may be there."""
    items = train if isinstance(train, list) else [train]
    return all(isinstance(item, str) and any(place.exists() for place in _tried(root, item)) for item in items)


def _tried(root: Path, item: str) -> list[Path]:
    return [root / item, *([root / item[3:]] if item.startswith("../") else [])]


def _places(file: Path, root: Path, entries: Mapping[Any, Any], split: str) -> tuple[Path, ...]:
    key = "validation" if split == "val" and "val" not in entries and "validation" in entries else split
    value = entries.get(key)
    if value is None:
        raise UserError(f"the data set has no entry {split!r}", where=str(file), hint="Name a folder of images.")
    items = value if isinstance(value, list) else [value]
    places = []
    for item in items:
        if not isinstance(item, str):
            raise UserError(
                f"the data set's {key!r} must be a folder or a list of folders", where=str(file), value=item
            )
        # Some published sets write "../train/images" and mean "train/images"; Ultralytics forgives them, too.
        tried = _tried(root, item)
        place = next((candidate for candidate in tried if candidate.exists()), None)
        if place is None:
            looked = " and ".join(str(candidate) for candidate in tried)
            hint = f"Looked for {looked}; nothing is downloaded."
            raise UserError(f"the images of {key!r} do not exist", where=str(file), value=item, hint=hint)
        places.append(place.resolve())
    if not places:
        raise UserError(f"the data set's {key!r} is empty", where=str(file), hint="Name a folder of images.")
    return tuple(places)


def _names(file: Path, entries: Mapping[Any, Any]) -> dict[int, str]:
    names, count = entries.get("names"), entries.get("nc")
    if names is None:
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise UserError("the data set names no classes", where=str(file), hint="Add 'names', or their number 'nc'.")
        return {index: f"class_{index}" for index in range(count)}
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, Mapping) or not names or set(names) != set(range(len(names))):
        raise UserError(
            "the data set's 'names' must be a list, or a mapping whose keys count from 0", where=str(file), value=names
        )
    if count is not None and count != len(names):
        raise UserError(f"the data set says nc: {count}, but names {len(names)} classes", where=str(file))
    return {index: str(names[index]) for index in range(len(names))}


def _channels(file: Path, entries: Mapping[Any, Any]) -> int:
    channels = entries.get("channels", 3)
    if not isinstance(channels, int) or isinstance(channels, bool) or channels < 1:
        raise UserError("the data set's 'channels' must be a positive integer", where=str(file), value=channels)
    return channels


def _kpt_shape(file: Path, entries: Mapping[Any, Any]) -> tuple[int, int] | None:
    shape = entries.get("kpt_shape")
    if shape is None:
        return None
    if isinstance(shape, list) and len(shape) == 2 and all(type(number) is int for number in shape):
        count, numbers = shape
        if count > 0 and numbers in (2, 3):
            return count, numbers
    hint = "Write how many keypoints an object has, and how many numbers each: 2 (x, y) or 3 (x, y, visible)."
    raise UserError("the data set's 'kpt_shape' must be two numbers", where=str(file), value=shape, hint=hint)


def _kpt_oks_sigmas(
    file: Path, entries: Mapping[Any, Any], keypoints: tuple[int, int] | None
) -> tuple[float, ...] | None:
    sigmas = entries.get("kpt_oks_sigmas")
    if sigmas is None or keypoints is None:
        return None
    if (
        isinstance(sigmas, list)
        and len(sigmas) == keypoints[0]
        and all(type(sigma) in (int, float) and sigma > 0 for sigma in sigmas)
    ):
        return tuple(float(sigma) for sigma in sigmas)
    what = f"the data set's 'kpt_oks_sigmas' must be {keypoints[0]} positive numbers"
    raise UserError(what, where=str(file), value=sigmas)


def _below(folder: Path) -> list[Path]:
    return [
        Path(here) / name
        for here, _folders, names in os.walk(folder, followlinks=True)
        for name in names
        if Path(name).suffix.lower() in IMAGE_SUFFIXES
    ]


def _listed(file: Path) -> list[Path]:
    """Images listed in a text file, one a line; a relative one is relative to the list's folder."""
    found = []
    for number, line in enumerate(file.read_text(encoding="utf-8-sig").splitlines(), start=1):
        if not line.strip() or Path(line.strip()).suffix.lower() not in IMAGE_SUFFIXES:
            continue
        image = file.parent / line.strip()
        if not image.is_file():
            raise UserError("a listed image does not exist", where=f"{file}:{number}", value=line.strip())
        found.append(Path(os.path.normpath(image)))
    return found
