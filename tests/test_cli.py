"""The command line, as a person or a script calls it."""

import csv
import json
import os
import shutil
import signal

import pytest
import torch

from poolformer.__main__ import main
from poolformer.folders.table import ResultTable
from poolformer.service import PoolFormerService


@pytest.fixture
def folder(cat, tmp_path, monkeypatch):
    """A folder "pictures" in the current one: three pictures and a text."""
    monkeypatch.chdir(tmp_path)
    for i, picture in enumerate(sorted(cat.parent.glob("*.jpg"))[:3]):
        path = tmp_path / "pictures" / str(i) / "of many.jpg"
        path.parent.mkdir(parents=True)
        shutil.copy(picture, path)
    (tmp_path / "pictures" / "notes.txt").write_text("not a picture")
    return tmp_path / "pictures"


def read_table(path="preds.csv"):
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, strict=True))


def test_classify_prints_the_top_five_of_each_file(cat, capsys):
    assert main(["classify", str(cat), "--variant", "tiny"]) == 0
    name, *lines = capsys.readouterr().out.splitlines()
    expected = PoolFormerService().classify(cat, "tiny").predictions
    assert name == str(cat)
    assert [line.split("  ")[-1] for line in lines] == [prediction.label for prediction in expected]
    assert lines[0].split()[0] == f"{expected[0].score:.1%}"


def test_classify_json_is_one_object_a_line(cat, capsys):
    assert main(["classify", str(cat), str(cat), "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    expected = PoolFormerService().classify(cat, "tiny").predictions
    assert len(lines) == 2
    assert json.loads(lines[1]) == {
        "file": str(cat),
        "variant": "tiny",
        "predictions": [{"label": p.label, "score": pytest.approx(p.score)} for p in expected],
    }


def test_a_bad_file_is_one_line_and_the_others_go_on(cat, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("not a picture")
    assert main(["classify", str(tmp_path / "notes.txt"), str(tmp_path / "absent.png"), str(cat), "--json"]) == 1
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 1
    first, second = captured.err.splitlines()
    assert "notes.txt" in first
    assert "absent.png" in second


def test_an_unknown_variant_is_a_sentence(cat, capsys):
    assert main(["classify", str(cat), "--variant", "s13"]) == 1
    assert capsys.readouterr().err == (
        "poolformer: There is no variant 's13'; choose one of tiny, s12, s24, s36, m36, m48.\n"
    )


def test_a_name_that_is_no_text_is_printed(cat, tmp_path, capsys):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg")
    shutil.copy(cat, path)
    assert main(["classify", path]) == 0
    assert capsys.readouterr().out.startswith(f"{tmp_path}/\\udcff.jpg\n")


def test_a_folder_is_printed_only_as_a_table(folder, capsys):
    assert main(["classify", str(folder)]) == 1
    assert "pictures is a folder" in (message := capsys.readouterr().err)
    assert "add --out" in message


@pytest.mark.usefixtures("folder")
def test_a_folder_becomes_a_table_with_a_row_a_file(capsys):
    assert main(["classify", "pictures", "--out", "preds.csv"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[-1] == "4 files, 1 could not be read"
    *rows, text = read_table()
    assert [row["file"] for row in rows] == [f"pictures/{i}/of many.jpg" for i in range(3)]
    for row in rows:
        expected = PoolFormerService().classify(row["file"], "tiny").predictions
        assert [row[f"label{i}"] for i in range(1, 6)] == [p.label for p in expected]
        assert [float(row[f"score{i}"]) for i in range(1, 6)] == pytest.approx([p.score for p in expected], abs=1e-5)
        assert (row["variant"], row["error"]) == ("tiny", "")
    assert text["file"] == "pictures/notes.txt"
    assert text["error"].startswith("notes.txt is no picture")


def test_a_table_can_be_lines_of_json(folder, capsys):
    assert main(["classify", "pictures/0/of many.jpg", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert main(["classify", "pictures", "--out", "preds.jsonl"]) == 0
    first, *_, last = map(json.loads, (folder.parent / "preds.jsonl").read_text(encoding="utf-8").splitlines())
    for prediction in printed["predictions"]:
        prediction["score"] = pytest.approx(prediction["score"], abs=1e-5)
    assert first == printed
    assert last.keys() == {"file", "variant", "error"}


def test_a_finished_table_stays_as_it_is_and_gets_the_rows_of_new_pictures(folder, cat, capsys):
    main(["classify", "pictures", "--out", "preds.csv"])
    finished = (folder.parent / "preds.csv").read_bytes()
    assert main(["classify", "./pictures/", "--out", "preds.csv"]) == 0
    assert (folder.parent / "preds.csv").read_bytes() == finished
    assert capsys.readouterr().err.splitlines()[-1] == "0 files, 0 could not be read; preds.csv had 4 rows before"
    shutil.copy(cat, folder / "0" / "new.jpg")
    assert main(["classify", "pictures", "--out", "preds.csv"]) == 0
    assert [row["file"] for row in read_table()[4:]] == ["pictures/0/new.jpg"]


def test_ctrl_c_ends_with_a_sentence_and_the_same_command_goes_on(folder, monkeypatch, capsys):
    command = ["classify", "pictures", "--out", "preds.csv", "--batch-size", "1"]
    assert main(command) == 0
    whole = (folder.parent / "preds.csv").read_bytes()
    (folder.parent / "preds.csv").unlink()
    capsys.readouterr()
    append = ResultTable.append

    def append_and_interrupt(table, row):
        append(table, row)
        if len(table) == 2:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(ResultTable, "append", append_and_interrupt)
        assert main(command) == 130
    message = capsys.readouterr().err.splitlines()[-1]
    assert message == "poolformer: stopped; preds.csv has 2 rows, and the same command goes on."
    assert len(read_table()) == 2
    assert main(command) == 0
    assert (folder.parent / "preds.csv").read_bytes() == whole


def test_the_table_may_lie_in_the_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for _ in range(2):
        assert main(["classify", ".", "--out", "preds.csv"]) == 0
    assert [row["file"] for row in read_table()] == [*(f"{i}/of many.jpg" for i in range(3)), "notes.txt"]


def test_an_empty_folder_becomes_a_table_without_rows(folder, capsys):
    (folder / "empty").mkdir()
    assert main(["classify", "pictures/empty", "--out", "preds.csv"]) == 0
    assert read_table() == []
    assert capsys.readouterr().err.splitlines()[-1] == "0 files, 0 could not be read"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["photoz", "--out", "preds.csv"], "There is no file or folder 'photoz'"),
        (["pictures", "--out", "preds.csv", "--variant", "s13"], "There is no variant 's13'"),
        (["pictures", "--out", "preds.txt"], "preds.txt is no name for a table"),
        (["pictures", "--out", "absent/preds.csv"], "absent/preds.csv cannot be written (No such file or directory)"),
        (["pictures", "--out", "preds.csv", "--json"], "--json is for printing"),
        (["pictures", "--out", "preds.csv", "--batch-size", "0"], "--batch-size is a number from 1 up"),
        (["pictures/0/of many.jpg", "--batch-size", "8"], "--batch-size is a number from 1 up, and goes with --out"),
        (["pictures", "--out", "preds.csv", "--device", "quantum"], "The device 'quantum' cannot be used"),
        (["pictures", "--out", "preds.csv", "--dtype", "float31"], "There is no number type 'float31'"),
    ],
)
def test_what_cannot_work_is_one_line_and_leaves_no_table(folder, capsys, arguments, message):
    assert main(["classify", *arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"poolformer: {message}")
    assert [path.name for path in folder.parent.iterdir()] == ["pictures"]


def test_a_table_of_another_variant_is_not_touched(folder, capsys):
    main(["classify", "pictures", "--out", "preds.csv"])
    content = (folder.parent / "preds.csv").read_bytes()
    capsys.readouterr()
    assert main(["classify", "pictures", "--out", "preds.csv", "--variant", "s12"]) == 1
    assert capsys.readouterr().err.startswith("poolformer: preds.csv holds what tiny has found, not s12")
    assert (folder.parent / "preds.csv").read_bytes() == content


def test_convert_refuses_what_is_no_whole_network_and_writes_nothing(tmp_path, capsys):
    torch.save({"state_dict": {"head.weight": torch.zeros(3, 512)}}, tmp_path / "poolformer_s12.pth.tar")
    arguments = [
        "convert",
        str(tmp_path / "poolformer_s12.pth.tar"),
        "--variant",
        "s12",
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(arguments) == 1
    assert "missing" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
