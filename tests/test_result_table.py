"""The table that folders are classified into: what is in it can be read by others, and survives whatever ends a run."""

import csv
import json

import pytest
from disks import full

from poolformer.errors import PoolFormerError
from poolformer.folders.rows import COLUMNS, LAYOUTS, Row
from poolformer.folders.table import ResultTable
from poolformer.service import Prediction

LABELS = ["tench, Tinca tinca", 'a "big" cat', "Ente 🦆", "two\nlines", "x"]
FOUND = tuple(Prediction(label, 0.5 / 3**i, i) for i, label in enumerate(LABELS))
ROWS = [
    Row("a/1.jpg", "tiny", FOUND),
    Row('a/"2",\r\n"3".jpg', "tiny", error="“2” is no picture; choose another."),
    Row(" é🦆\n.jpg", "tiny", FOUND[:2]),
    Row("\\udcff.jpg", "tiny", FOUND),
]


def write(path, rows=ROWS):
    with ResultTable(path, "tiny") as table:
        for row in rows:
            if row.file not in table:
                table.append(row)
    return path


@pytest.fixture(params=LAYOUTS)
def path(request, tmp_path):
    """Where a table of each layout may go."""
    return tmp_path / f"preds{request.param}"


def test_a_csv_table_is_one_that_csv_readers_read(tmp_path):
    with write(tmp_path / "preds.csv").open(encoding="utf-8", newline="") as stream:
        header, *lines = csv.reader(stream, strict=True)
    assert (
        header == COLUMNS == ["file", *(f"{k}{i}" for i in range(1, 6) for k in ("label", "score")), "variant", "error"]
    )
    for cells, row in zip(lines, ROWS, strict=True):
        found = [cell for p in row.predictions for cell in (p.label, p.score)]
        assert [cells[0], *cells[-2:]] == [row.file, "tiny", row.error]
        assert cells[1:-2:2] == (found[::2] + [""] * 5)[:5]
        assert [float(score) for score in cells[2:-2:2] if score] == pytest.approx(found[1::2], rel=1e-5)


def test_a_jsonl_table_has_an_object_a_line(tmp_path):
    lines = write(tmp_path / "preds.jsonl").read_text(encoding="utf-8").splitlines()
    expected = [
        {"file": row.file, "variant": "tiny", "error": row.error}
        if row.error
        else {
            "file": row.file,
            "variant": "tiny",
            "predictions": [{"label": p.label, "score": pytest.approx(p.score, rel=1e-5)} for p in row.predictions],
        }
        for row in ROWS
    ]
    assert [json.loads(line) for line in lines] == expected


def test_a_table_that_was_cut_anywhere_ends_up_the_same(path):
    whole = write(path).read_bytes()
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        write(path)
        assert path.read_bytes() == whole, f"cut after {length} bytes"


def test_what_was_there_is_kept_and_known(path):
    write(path, ROWS[:2])
    before = path.read_bytes()
    with ResultTable(path, "tiny") as table:
        assert [row.file in table for row in ROWS] == [True, True, False, False]
        assert (table.kept, len(table)) == (2, 2)
        table.append(ROWS[2])
        assert (table.kept, len(table)) == (2, 3)
        assert path.read_bytes().startswith(before)
        assert len(ResultTable(path, "tiny")) == 3, "a row is in the file as soon as it is added"


def test_a_csv_table_that_an_editor_has_saved_goes_on(tmp_path):
    path = write(tmp_path / "preds.csv", ROWS[:1])
    path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n"))
    write(path)
    with path.open(encoding="utf-8", newline="") as stream:
        assert [cells[0] for cells in csv.reader(stream)] == ["file", *(row.file for row in ROWS)]


@pytest.mark.parametrize(
    "content",
    [
        b"Dear diary,\n",
        b"x",
        b"\0" * 3_000_000,
        b"file,label1,score1\r\n",
        b'{"file": "1.jpg"}\n',
        b'{"file": "1.jpg", "variant": "tiny", "error": ',
    ],
)
def test_a_file_that_is_no_such_table_stays_as_it_is(tmp_path, content):
    path = tmp_path / "preds.csv"
    path.write_bytes(content)
    with pytest.raises(PoolFormerError, match=r"preds\.csv is no table"):
        ResultTable(path, "tiny")
    assert path.read_bytes() == content


@pytest.mark.parametrize("content", [b"file,label1\r\n", b"[1]\n", b"\0" * 3_000_000])
def test_a_file_that_holds_no_such_lines_stays_as_it_is(tmp_path, content):
    path = tmp_path / "preds.jsonl"
    path.write_bytes(content)
    with pytest.raises(PoolFormerError, match=r"preds\.jsonl is no table"):
        ResultTable(path, "tiny")
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("ending", "damaged"),
    [
        (".csv", b"1.jpg,cat\r\n"),
        (".csv", b"\xff" + b"," * 12 + b"\r\n"),
        (".csv", b'1"' + b"," * 12 + b'"\r\n'),
        (".csv", b'"' + b"x" * 3_000_000),
        (".jsonl", b"{}\n"),
        (".jsonl", b'{"file"\n'),
        (".jsonl", b"\xff\n"),
    ],
)
def test_a_damaged_row_is_named_and_nothing_is_written(tmp_path, ending, damaged):
    path = write(tmp_path / f"preds{ending}", ROWS[:2])
    content = path.read_bytes() + damaged + LAYOUTS[ending].encode(ROWS[2])
    path.write_bytes(content)
    with pytest.raises(PoolFormerError, match=r"Row 3 of .* is damaged"):
        ResultTable(path, "tiny")
    assert path.read_bytes() == content


def test_a_table_of_another_variant_is_refused(path):
    content = write(path).read_bytes()
    with pytest.raises(PoolFormerError, match=r"holds what tiny has found, not s12; choose .* --variant tiny"):
        ResultTable(path, "s12")
    assert path.read_bytes() == content


@pytest.mark.parametrize("name", ["preds", "preds.txt", "preds.csv.gz"])
def test_a_name_with_another_ending_is_refused(tmp_path, name):
    with pytest.raises(PoolFormerError, match=r"ends in \.csv or \.jsonl"):
        ResultTable(tmp_path / name, "tiny")


def test_a_folder_of_that_name_is_refused(path):
    path.mkdir()
    with pytest.raises(PoolFormerError, match="cannot be read"):
        ResultTable(path, "tiny")


def test_a_place_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(PoolFormerError, match=r"cannot be written \(No such file or directory\)"):
        write(tmp_path / "absent" / "preds.csv")


def test_a_full_disk_is_a_sentence_and_the_table_goes_on_when_there_is_room(path):
    whole = write(path).read_bytes()
    path.unlink()
    with full(free_bytes=len(whole) // 2), pytest.raises(PoolFormerError, match=r"\(No space left on device\)"):
        write(path)
    assert whole.startswith(path.read_bytes())
    assert write(path).read_bytes() == whole
