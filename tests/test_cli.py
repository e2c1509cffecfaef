"""The command line, as a person or a script calls it."""

import json

import pytest
import torch

from poolformer.__main__ import main
from poolformer.service import PoolFormerService


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
