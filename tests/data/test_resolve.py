"""Finding a data set, and saying what is wrong with one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from yolo_prune_check.data import shipped_data
from yolo_prune_check.data.resolve import IMAGE_SUFFIXES, label_file, read_data, resolve_data
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.quiet import prepare_ultralytics

FOLDERS = "train: images/train\nval: images/val\n"
GOOD = FOLDERS + "names: {0: cat, 1: dog}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("images/train/b.PNG", "images/train/a.jpg", "images/train/deep/c.webp", "images/val/d.png"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
    (tmp_path / "images/train/notes.txt").write_text("no image")
    return tmp_path


@pytest.fixture
def datasets_dir(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the user's own settings that Ultralytics looks in."""
    prepare_ultralytics()  # imported before there are other settings: it keeps those of its first import
    config, folder = tmp_path_factory.mktemp("config"), tmp_path_factory.mktemp("datasets")
    (config / "Ultralytics").mkdir()
    (config / "Ultralytics/settings.json").write_text(json.dumps({"datasets_dir": str(folder)}))
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(config))
    return folder


def write(root: Path, text: str) -> str:
    (root / "data.yaml").write_text(text, encoding="utf-8")
    return str(root / "data.yaml")


def test_the_shipped_set_resolves() -> None:
    data = read_data("digits")
    assert resolve_data("digits") == data.yaml == shipped_data("digits").resolve()
    assert data.names == {n: str(n) for n in range(10)}
    assert (len(data.images("train")), len(data.images("val"))) == (1600, 200)
    assert all(label_file(image).is_file() for image in data.images("val"))


def test_images_are_found_sorted_below_the_yaml(root: Path) -> None:
    data = read_data(write(root, GOOD))
    assert [image.relative_to(root).as_posix() for image in data.images("train")] == [
        "images/train/a.jpg",
        "images/train/b.PNG",
        "images/train/deep/c.webp",
    ]
    assert [image.name for image in data.images("val")] == ["d.png"]
    assert data.names == {0: "cat", 1: "dog"}
    assert data.channels == 3


def test_several_folders_and_lists_of_images(root: Path) -> None:
    (root / "some.txt").write_text("./images/train/b.PNG\n\nimages/val/d.png\n")
    text = "train: [images/val, some.txt]\nvalidation: ../images/val\nnames: [cat, dog]\nchannels: 1\n"
    data = read_data(write(root, text))
    assert [image.name for image in data.images("train")] == ["b.PNG", "d.png"]
    assert [image.name for image in data.images("val")] == ["d.png"]
    assert data.channels == 1


@pytest.mark.parametrize("form", ["absolute", "beside-the-yaml", "current-folder"])
def test_path_may_be_absolute_or_relative(root: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = root / "yamls"
    folder.mkdir()
    monkeypatch.chdir(root)
    path = {"absolute": str(root), "beside-the-yaml": "..", "current-folder": "images/.."}[form]
    assert read_data(write(folder, f"path: {path}\n{GOOD}")).root == root.resolve()


def test_a_relative_path_is_here_else_where_ultralytics_looks_else_beside_the_yaml(
    root: Path, datasets_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "yamls").mkdir()
    (root / "here").mkdir()
    monkeypatch.chdir(root / "here")
    places = [root / "here/rectset", datasets_dir / "rectset", root / "yamls/rectset"]
    for place in places:
        shutil.copytree(root / "images", place / "images")
    yaml = write(root / "yamls", f"path: rectset\n{GOOD}")
    for place in places:
        data = read_data(yaml)
        assert data.root == place.resolve()
        assert all(image.is_relative_to(place) for split in ("train", "val") for image in data.images(split))
        shutil.rmtree(place)
    with pytest.raises(UserError) as caught:
        read_data(yaml)
    here, below, beside = places
    assert str(caught.value) == (
        f"{yaml}: the data set's 'path' does not exist: got 'rectset'. Looked for {here}, {below} and {beside}; "
        "nothing is downloaded."
    )


def test_a_folder_of_that_name_without_the_images_is_passed_over(
    root: Path, datasets_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in (root / "here/data", datasets_dir / "data"):
        place.mkdir(parents=True)
    monkeypatch.chdir(root / "here")
    shutil.copytree(root / "images", root / "yamls/data/images")
    yaml = write(root / "yamls", f"path: data\n{GOOD}")
    assert read_data(yaml).root == (root / "yamls/data").resolve()
    shutil.rmtree(root / "yamls/data")
    with pytest.raises(UserError, match=r"here/data/images/train; nothing is downloaded\.$"):
        read_data(yaml)


def test_the_folder_of_a_detectors_set_is_no_set_of_classes(root: Path) -> None:
    (root / "train/images").mkdir(parents=True)
    write(root, "train: train/images\nval: images/val\nnames: [a]\n")
    with pytest.raises(UserError, match=r"a detector's data set, in which no folder is a class: .* Name its YAML: "):
        read_data(str(root))
    with pytest.raises(UserError, match="the data set has no name"):
        read_data("")


def test_an_absolute_path_is_looked_for_there_alone(root: Path, datasets_dir: Path) -> None:
    yaml = write(root, f"path: {root}/gone\n{GOOD}")
    with pytest.raises(UserError) as caught:
        read_data(yaml)
    assert str(caught.value).endswith(f"Looked for {root}/gone; nothing is downloaded.")


@pytest.mark.parametrize("name", ["coco8.yaml", "GlobalWheat2020.yaml"])
def test_a_yaml_that_ultralytics_ships_is_found_with_its_images(
    name: str, datasets_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ultralytics.data.utils as stock

    monkeypatch.chdir(tmp_path)
    folder = datasets_dir / name.removesuffix(".yaml")
    with pytest.raises(UserError) as caught:
        read_data(name)
    assert str(folder) in str(caught.value)
    assert str(tmp_path / folder.name) in str(caught.value)
    assert str(caught.value).endswith("; nothing is downloaded.")
    assert not list(datasets_dir.iterdir())
    for split in ("train", "val", "arvalis_1", "rres_1"):
        (folder / "images" / split).mkdir(parents=True)
    if name == "coco8.yaml":
        (folder / "images/val").rmdir()
        with pytest.raises(UserError, match=r"the images of 'val' do not exist: .* nothing is downloaded\.") as caught:
            read_data(name)
        assert f"Looked for {folder}/images/val;" in str(caught.value)
        (folder / "images/val").mkdir()
    else:
        for other in ("arvalis_2", "arvalis_3", "ethz_1", "inrae_1", "usask_1"):
            (folder / "images" / other).mkdir()
    monkeypatch.setattr(stock, "DATASETS_DIR", datasets_dir)
    monkeypatch.setattr(stock, "check_font", lambda *_: None)  # it would go online
    theirs: dict[str, Any] = stock.check_det_dataset(name, autodownload=False)
    ours = read_data(name)
    assert (ours.root, ours.names, ours.yaml) == (theirs["path"], theirs["names"], Path(theirs["yaml_file"]))
    for split, places in ours.places.items():
        paths = theirs[split]
        assert [str(place) for place in places] == (paths if isinstance(paths, list) else [paths])


def test_a_file_here_comes_before_the_one_that_ultralytics_ships(
    root: Path, datasets_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for split in ("train", "val"):
        (datasets_dir / "coco8/images" / split).mkdir(parents=True)
    monkeypatch.chdir(root)
    assert len(read_data("coco8.yaml").names) == 80
    Path(write(root, GOOD)).rename(root / "coco8.yaml")
    assert len(read_data("coco8.yaml").names) == 2


def test_a_folder_of_classes_may_lie_where_ultralytics_looks(
    datasets_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for place in (datasets_dir, tmp_path):
        for folder in ("train/cat", "train/dog", "val/cat"):
            (place / "pets" / folder).mkdir(parents=True)
    assert read_data("pets").root == (tmp_path / "pets").resolve()
    shutil.rmtree(tmp_path / "pets")
    assert read_data("pets").root == (datasets_dir / "pets").resolve()
    shutil.rmtree(datasets_dir / "pets")
    with pytest.raises(UserError) as caught:
        read_data("pets")
    assert str(caught.value) == (
        f"no such data set: got 'pets'. It is no file or folder here, and {datasets_dir}/pets (datasets_dir of "
        "Ultralytics' settings) is no folder; nothing is downloaded. Give a dataset YAML in Ultralytics' format, for a "
        "classifier a folder with train/CLASS/ and val/CLASS/, or a shipped set: digits."
    )


def test_classes_may_be_only_counted(root: Path) -> None:
    text = "train: images/train\nval: images/val\nnc: 2\n"
    assert read_data(write(root, text)).names == {0: "class_0", 1: "class_1"}


def test_the_label_rule_is_that_of_ultralytics() -> None:
    from ultralytics.data.utils import IMG_FORMATS, img2label_paths

    for image in ("/a/images/b.jpg", "/images/x/images/y/z.w.png", "/a/b/c.jpg", "/a/images.jpg"):
        assert str(label_file(Path(image))) == img2label_paths([image])[0]
    assert {suffix.removeprefix(".") for suffix in IMAGE_SUFFIXES} == set(IMG_FORMATS)


BROKEN = {
    "": "the data set's YAML must be a mapping with train, val and names: got 'nothing'.",
    "- a\n- b\n": "the data set's YAML must be a mapping with train, val and names: got 'list'.",
    "val: images/val\nnames: [a]\n": "the data set has no entry 'train'. Name a folder of images.",
    "train: images/train\nnames: [a]\n": "the data set has no entry 'val'. Name a folder of images.",
    "train: images/no\nval: images/val\nnames: [a]\n": "the images of 'train' do not exist: got 'images/no'.",
    "train: 7\nval: images/val\nnames: [a]\n": "the data set's 'train' must be a folder or a list of folders: got 7.",
    "train: []\nval: images/val\nnames: [a]\n": "the data set's 'train' is empty.",
    FOLDERS: "the data set names no classes. Add 'names', or their number 'nc'.",
    FOLDERS
    + "names: {1: a}\n": "the data set's 'names' must be a list, or a mapping whose keys count from 0: got {1: ",
    FOLDERS + "names: []\n": "the data set's 'names' must be a list, or a mapping whose keys count from 0: got {}",
    FOLDERS + "names: [a]\nnc: 2\n": "the data set says nc: 2, but names 1 classes.",
    f"path: nowhere\n{GOOD}": "the data set's 'path' does not exist: got 'nowhere'. Looked for ",
    f"path: [a]\n{GOOD}": "the data set's 'path' must be a folder's name: got ['a'].",
    f"channels: rgb\n{GOOD}": "the data set's 'channels' must be a positive integer: got 'rgb'.",
    f"kpt_shape: 17\n{GOOD}": "the data set's 'kpt_shape' must be two numbers: got 17. Write how many keypoints",
    f"kpt_shape: [17, 4]\n{GOOD}": "the data set's 'kpt_shape' must be two numbers: got [17, 4].",
}


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_data_set_gets_one_clear_message(root: Path, text: str) -> None:
    with pytest.raises(UserError) as caught:
        read_data(write(root, text))
    assert str(caught.value).startswith(f"{root.resolve()}/data.yaml: {BROKEN[text]}")


def test_broken_yaml_is_located(root: Path) -> None:
    with pytest.raises(UserError) as caught:
        read_data(write(root, "train: [images/train\nval: x\n"))
    assert str(caught.value).startswith(f"{root.resolve()}/data.yaml:2:4: the data set is no valid YAML (")


def test_a_name_that_is_nothing_names_the_shipped_sets() -> None:
    with pytest.raises(UserError) as caught:
        read_data("coco9.yaml")
    assert str(caught.value) == (
        "no such data set: got 'coco9.yaml'. It is no file here, and none that Ultralytics ships; nothing is "
        "downloaded. Give a dataset YAML in Ultralytics' format, for a classifier a folder with train/CLASS/ and "
        "val/CLASS/, or a shipped set: digits."
    )
    with pytest.raises(UserError, match=r"got 'coco8'\. Did you mean 'coco8\.yaml'\?"):
        read_data("coco8")


@pytest.mark.parametrize("name", ["digit", "Digits", "digits.yaml"])
def test_a_name_that_is_nearly_that_of_a_shipped_set_is_told(name: str) -> None:
    with pytest.raises(UserError, match=rf"^no such data set: got '{name}'\. Did you mean 'digits'\? It is no file"):
        read_data(name)


@pytest.mark.parametrize("name", ["dogs", "lights", "widgets", "dogs.yaml"])
def test_a_name_that_is_little_like_that_of_a_shipped_set_is_not_taken_for_it(name: str) -> None:
    with pytest.raises(UserError, match=rf"^no such data set: got '{name}'\. It is no file"):
        read_data(name)


def test_a_folder_is_no_yaml(root: Path) -> None:
    with pytest.raises(UserError, match="the data set is a folder without train/CLASS/, and no YAML file"):
        read_data(str(root))


def test_keypoints_have_a_shape(root: Path) -> None:
    assert read_data(write(root, GOOD)).kpt_shape is None
    assert read_data(write(root, f"kpt_shape: [17, 3]\n{GOOD}")).kpt_shape == (17, 3)


@pytest.mark.parametrize("val", ["val", "validation", "valid", "test"])
def test_a_folder_of_classes_is_a_data_set(tmp_path: Path, val: str) -> None:
    for name in ("train/dog/b.png", "train/cat/a.jpg", "train/note.txt", f"{val}/dog/c.png"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
    data = read_data(str(tmp_path))
    assert data.by_folder
    assert data.names == {0: "cat", 1: "dog"}
    assert [image.name for image in data.images("train")] == ["a.jpg", "b.png"]
    assert [image.name for image in data.images("val")] == ["c.png"]
    assert not read_data("digits").by_folder


def test_a_folder_of_classes_needs_a_second_one(tmp_path: Path) -> None:
    (tmp_path / "train/cat").mkdir(parents=True)
    with pytest.raises(UserError, match=r"the data set has no folder 'val'\. Add val/CLASS/\."):
        read_data(str(tmp_path))


def test_a_folder_without_images_is_named(root: Path) -> None:
    (root / "images/val/d.png").unlink()
    data = read_data(write(root, GOOD))
    with pytest.raises(UserError) as caught:
        data.images("val")
    folder = (root / "images/val").resolve()
    assert str(caught.value) == f"{data.yaml}: the data set has no images for 'val': got {str(folder)!r}."


def test_a_list_that_names_a_missing_image_is_refused(root: Path) -> None:
    (root / "some.txt").write_text("images/train/a.jpg\nimages/train/zz.jpg\n")
    data = read_data(write(root, "train: some.txt\nval: images/val\nnames: [a]\n"))
    with pytest.raises(UserError, match=r"some\.txt:2: a listed image does not exist: got 'images/train/zz\.jpg'\."):
        data.images("train")


def test_no_torch_and_no_ultralytics_are_needed(root: Path) -> None:
    code = (
        "import sys; from yolo_prune_check.data.resolve import read_data; "
        f"read_data({write(root, GOOD)!r}).images('train'); "
        "print([m for m in ('torch', 'ultralytics') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
