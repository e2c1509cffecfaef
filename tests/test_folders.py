"""Folders through a network: which files, in which order, how many at once, and what each of them says."""

import os
import threading
from itertools import repeat
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from poolformer.errors import ImageError, PoolFormerError, WeightsError
from poolformer.folders.classify import classify_files
from poolformer.folders.walk import FoundFile, find_files
from poolformer.images.processing import PoolFormerImageProcessorPil
from poolformer.service import PoolFormerService

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
EDGE = {"height": 8, "width": 8}
TIMEOUT_S = 60  # only reached by a failure


class Channels:
    """A network whose answer is known: the logits are the means of the channels."""

    device, compiled = torch.device("cpu"), False

    def __init__(self):
        self.shapes = []

    def __call__(self, pixel_values):
        self.shapes.append(tuple(pixel_values.shape))
        return SimpleNamespace(logits=pixel_values.mean((2, 3)))


def colour_variant(network, **options):
    processor = PoolFormerImageProcessorPil(size={"shortest_edge": 8}, crop_size=EDGE, crop_pct=None, **options)
    return SimpleNamespace(name="channels", network=network, processor=processor, labels=tuple(COLOURS))


def write_colours(folder, names, size=(8, 8)):
    """A picture for each name, red, green and blue in turn; what `classify_files` should say of them."""
    expected = []
    for i, name in enumerate(names):
        label = list(COLOURS)[i % 3]
        Image.new("RGB", size, COLOURS[label]).save(folder / name)
        expected.append((str(folder / name), label))
    return expected


def found(folder):
    return [os.path.relpath(file.path, folder).replace(os.sep, "/") for file in find_files([folder])]


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


# Finding files


def test_files_come_in_the_order_of_names_and_hidden_ones_are_left_out(tmp_path):
    touch(tmp_path, "b.jpg", "a/2.jpg", "a/10.jpg", "a/x/1.jpg", "c/1.jpg", ".hidden.jpg", ".cache/1.jpg", "a.jpg")
    assert found(tmp_path) == ["a.jpg", "a/10.jpg", "a/2.jpg", "a/x/1.jpg", "b.jpg", "c/1.jpg"]


def test_an_empty_folder_has_no_files(tmp_path):
    (tmp_path / "empty").mkdir()
    assert found(tmp_path) == []


def test_what_is_given_twice_or_lies_in_another_folder_that_is_given_comes_once(tmp_path, monkeypatch):
    touch(tmp_path, "x/y/1.jpg", "x/2.jpg", "z.jpg")
    monkeypatch.chdir(tmp_path / "x")
    given = ["../z.jpg", "y", "2.jpg", ".", "./", str(tmp_path / "x"), "../z.jpg"]
    assert [file.name for file in find_files(given)] == ["../z.jpg", f"{tmp_path}/x/2.jpg", f"{tmp_path}/x/y/1.jpg"]


def test_a_link_to_a_folder_above_is_not_followed_and_one_to_a_folder_beside_is(tmp_path):
    touch(tmp_path, "a/1.jpg", "b/2.jpg")
    (tmp_path / "a" / "above").symlink_to(tmp_path)
    (tmp_path / "a" / "itself").symlink_to(tmp_path / "a")
    (tmp_path / "b" / "beside").symlink_to(tmp_path / "a")
    assert found(tmp_path) == ["a/1.jpg", "b/2.jpg", "b/beside/1.jpg"]


def test_links_that_lead_nowhere_are_rows_and_pipes_are_left_out(tmp_path):
    touch(tmp_path, "1.jpg")
    (tmp_path / "2.jpg").symlink_to("absent")
    (tmp_path / "3.jpg").symlink_to("3.jpg")
    os.mkfifo(tmp_path / "4.jpg")
    rows = list(classify_files(find_files([tmp_path]), colour_variant(Channels())))
    assert [row.error.partition(";")[0] for row in rows] == [
        "1.jpg is empty (0 bytes)",
        "There is no file 2.jpg",
        "There is no file 3.jpg",
    ]


def test_a_folder_that_cannot_be_read_is_a_row(tmp_path, monkeypatch):
    touch(tmp_path, "a/1.jpg", "b/1.jpg")
    usual = os.scandir

    def scandir(path):
        if os.path.basename(path) == "a":
            raise PermissionError(13, "Permission denied", path)
        return usual(path)

    monkeypatch.setattr(os, "scandir", scandir)
    first, second = find_files([tmp_path])
    assert (first.path, first.reason) == (
        str(tmp_path / "a"),
        "a cannot be read (Permission denied); check its permissions.",
    )
    assert (second.path, second.reason) == (str(tmp_path / "b" / "1.jpg"), "")


def test_a_path_that_leads_nowhere_is_refused_before_the_first_file(tmp_path):
    touch(tmp_path, "1.jpg")
    with pytest.raises(ImageError, match=r"no file or folder .*photoz"):
        find_files([tmp_path, tmp_path / "photoz"])
    with pytest.raises(ImageError, match="no file or folder ''"):
        find_files([""])


def test_a_name_that_is_no_text_is_made_printable(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg")
    with open(path, "w") as stream:
        stream.write("no picture")
    (row,) = classify_files(find_files([tmp_path]), colour_variant(Channels()))
    assert row.file.endswith("/\\udcff.jpg")
    assert row.error.startswith("\\udcff.jpg is no picture")


# Classifying them


def test_rows_say_what_the_service_says_of_each_picture(cat):
    service = PoolFormerService()
    paths = [str(path) for path in sorted(cat.parent.glob("*.jpg"))[:5]]
    rows = list(classify_files(map(FoundFile, paths), service.prepare("tiny"), batch_size=2))
    assert [row.file for row in rows] == paths
    for row, path in zip(rows, paths, strict=True):
        expected = service.classify(path, "tiny").predictions
        assert [p.label for p in row.predictions] == [p.label for p in expected]
        assert [p.score for p in row.predictions] == pytest.approx([p.score for p in expected], abs=1e-5)
        assert (row.variant, row.error) == ("tiny", "")


def test_scores_that_are_no_numbers_are_an_error(tmp_path):
    write_colours(tmp_path, ["1.png"])

    class Damaged(Channels):
        def __call__(self, pixel_values):
            return super().__call__(pixel_values * float("nan"))

    with pytest.raises(WeightsError, match="channels are no finite numbers"):
        list(classify_files(find_files([tmp_path]), colour_variant(Damaged())))


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_rows_keep_their_order_and_bad_files_do_not_shrink_a_batch(tmp_path, batch_size):
    expected = write_colours(tmp_path, [f"{i:02}.png" for i in range(11)])
    for i in (0, 3, 4, 10):
        (tmp_path / f"{i:02}.txt").write_text("no picture")
    network = Channels()
    rows = list(classify_files(find_files([tmp_path]), colour_variant(network), batch_size))
    assert [row.file for row in rows] == [str(path) for path in sorted(tmp_path.iterdir())]
    assert [(row.file, row.predictions[0].label) for row in rows if row.predictions] == expected
    assert [os.path.basename(row.file) for row in rows if row.error] == ["00.txt", "03.txt", "04.txt", "10.txt"]
    counts = [shape[0] for shape in network.shapes]
    assert sum(counts) == 11
    assert set(counts[:-1]) <= {batch_size}


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_no_more_than_two_batches_are_in_memory(tmp_path, batch_size):
    write_colours(tmp_path, [f"{i:02}.png" for i in range(30)])
    taken = []
    files = (taken.append(file) or file for file in find_files([tmp_path]))
    for row_count, _row in enumerate(classify_files(files, colour_variant(Channels()), batch_size, decoders=2)):
        assert len(taken) - row_count <= batch_size + max(batch_size, 2)
    assert len(taken) == 30


def test_rows_of_bad_files_do_not_wait_for_a_picture_forever(tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    rows = classify_files(repeat(FoundFile(str(tmp_path / "notes.txt"))), colour_variant(Channels()), batch_size=3)
    assert next(rows).error.startswith("notes.txt is no picture")
    rows.close()


def test_the_next_batch_is_opened_while_one_is_in_the_network(tmp_path):
    write_colours(tmp_path, [f"{i}.png" for i in range(4)])
    opened = threading.Semaphore(0)

    class Waiting(Channels):
        def __call__(self, pixel_values):
            if not self.shapes:  # the first batch: it ends after the second has been opened
                assert all(opened.acquire(timeout=TIMEOUT_S) for _ in range(4))
            return super().__call__(pixel_values)

    variant = colour_variant(Waiting())
    usual = variant.processor

    def processor(*args, **options):
        result = usual(*args, **options)
        opened.release()
        return result

    variant.processor = processor
    assert len(list(classify_files(find_files([tmp_path]), variant, batch_size=2, decoders=1))) == 4


def test_who_stops_early_leaves_no_thread_behind(tmp_path):
    write_colours(tmp_path, [f"{i:02}.png" for i in range(30)])
    rows = classify_files(find_files([tmp_path]), colour_variant(Channels()), batch_size=2)
    next(rows)
    rows.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_a_compiled_network_sees_one_shape_only(tmp_path):
    expected = write_colours(tmp_path, [f"{i}.png" for i in range(5)])
    network = Channels()
    network.compiled = True
    rows = list(classify_files(find_files([tmp_path]), colour_variant(network), batch_size=3))
    assert [(row.file, row.predictions[0].label) for row in rows] == expected
    assert network.shapes == [(3, 3, 8, 8)] * 2


def test_pictures_that_are_not_cropped_go_with_those_of_their_shape(tmp_path):
    expected = write_colours(tmp_path, ["1.png", "2.png", "3.png"])
    expected += write_colours(tmp_path, ["4.png", "5.png"], size=(16, 8))
    network = Channels()
    rows = list(classify_files(find_files([tmp_path]), colour_variant(network, do_center_crop=False)))
    assert [(row.file, row.predictions[0].label) for row in rows] == expected
    assert network.shapes == [(3, 3, 8, 8), (2, 3, 8, 16)]


def test_scores_are_the_softmax_of_the_logits_best_first(tmp_path):
    ((path, _),) = write_colours(tmp_path, ["1.png"])
    variant = colour_variant(Channels(), image_mean=[0.0] * 3, image_std=[1.0] * 3)
    (row,) = classify_files([FoundFile(path)], variant)
    expected = np.exp([1.0, 0.0, 0.0]) / np.exp([1.0, 0.0, 0.0]).sum()
    assert [p.score for p in row.predictions] == pytest.approx(expected.tolist(), abs=1e-6)
    assert row.predictions[0].label == "red"


def test_a_batch_that_does_not_fit_is_a_sentence(tmp_path):
    write_colours(tmp_path, ["1.png", "2.png"])

    class Full(Channels):
        def __call__(self, _pixel_values):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    with pytest.raises(PoolFormerError, match=r"cpu has no memory for 2 pictures at a time; .* smaller --batch-size"):
        list(classify_files(find_files([tmp_path]), colour_variant(Full())))
