"""The benchmarks: what their table says of the figures, and that they run. What the figures are is no matter here."""

import doctest
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from PIL import Image
from serving import ROOT

from benchmarks import command, table, visitor
from benchmarks.checkpoints import write_cached
from benchmarks.crowd import Crowd, send_all
from benchmarks.photos import SIZE_PX, write_photos
from benchmarks.plan import Plan
from benchmarks.table import Measure, Row, as_json, markdown
from benchmarks.visits import Visit, plan_visits
from poolformer.__main__ import main
from poolformer.images.decode import decode_image
from poolformer.service import PoolFormerService
from poolformer.training.speed import by_turns, readings_by_turns
from poolformer.weights.availability import availability
from poolformer.weights.checkpoint import load_checkpoint

TEN, FORTY = Measure.of([10.0]), Measure.of([40.0])


def test_a_measure_is_the_median_and_the_quarters():
    assert Measure.of([3.0]) == Measure(3.0, 3.0, 3.0)
    assert Measure.of([5, 1, 4, 2, 3]) == Measure(3, 2, 4)  # of 1 2 3 4 5
    assert Measure.of([1, 2]) == Measure(1.5, 1.25, 1.75)
    assert str(Measure(1234.5678, 1000, 1500)) == "1,235 (1,000 to 1,500)"


def test_less_time_is_as_many_times_as_fast():
    row = Row("forward", "ms", TEN, FORTY, "them")
    assert row.ratio == 4.0
    assert row.met is None
    assert Row("forward", "ms", TEN, FORTY, at_least=4.0).met is True
    assert Row("forward", "ms", TEN, FORTY, at_least=4.1).met is False


def test_a_limit_is_of_theirs():
    row = Row("memory", "MB", TEN, FORTY, "the budget", ratio_kind="of theirs", at_most=0.25)
    assert row.ratio == 0.25
    assert row.met is True
    assert Row("memory", "MB", FORTY, TEN, ratio_kind="of theirs", at_most=1.0).met is False
    assert Row("rate", "1/s", TEN, FORTY, ratio_kind="of theirs", at_least=0.8).met is False


def test_without_an_opponent_the_goal_is_for_ours():
    assert Row("lost", "requests", Measure.of([0]), at_most=0).met is True
    assert Row("lost", "requests", Measure.of([1]), at_most=0).met is False
    assert Row("lost", "requests", Measure.of([0])).ratio is None


def test_the_table_says_what_was_measured_and_whether_the_goal_is_met():
    rows = [
        Row("forward", "ms", Measure.of([1, 2, 3]), FORTY, "them", at_least=1.5),
        Row("memory", "MB", FORTY, TEN, "the budget", ratio_kind="of theirs", at_most=1.0),
    ]
    assert markdown(rows).splitlines() == [
        "| what | unit | ours | theirs | theirs is | ratio | goal | met |",
        "|---|---|---|---|---|---|---|---|",
        "| forward | ms | 2 (1.5 to 2.5) | 40 | them | 20.00 as fast | at least 1.5 | yes |",
        "| memory | MB | 40 | 10 | the budget | 4.00 of theirs | at most 1 | no |",
    ]


def test_columns_that_no_row_fills_are_left_out():
    assert markdown([Row("hover", "ms", TEN)]).splitlines() == [
        "| what | unit | ours |",
        "|---|---|---|",
        "| hover | ms | 10 |",
    ]


def test_json_has_the_figures_unrounded():
    (row,) = as_json([Row("forward", "ms", Measure.of([1 / 3]), TEN, "them", at_least=1.5)])
    assert row["ours"] == {"median": 1 / 3, "low": 1 / 3, "high": 1 / 3}
    assert row["ratio"] == pytest.approx(30)
    assert (row["at_least"], row["met"], row["opponent"]) == (1.5, True, "them")


def test_turns_alternate_and_the_first_does_not_count():
    calls = []
    readings = readings_by_turns({"a": lambda: calls.append("a") or len(calls), "b": lambda: calls.append("b")}, 2)
    assert calls == ["a", "b"] * 3
    assert readings == {"a": [3, 5], "b": [None, None]}
    assert [len(times) for times in by_turns({"a": lambda: None}, 4).values()] == [4]


def test_a_crowd_gets_its_answers_in_order_and_asks_at_once():
    all_there = threading.Barrier(4, timeout=60)

    def visitor(number: int) -> int:
        all_there.wait()  # Passes only if four requests are under way together.
        return number * number

    crowd = send_all([visitor] * 4, range(8))
    assert crowd.answers == tuple(number * number for number in range(8))
    assert len(crowd.waits_s) == 8
    assert max(crowd.waits_s) <= crowd.total_s


def test_the_fair_wait_is_what_the_last_of_a_queue_waits():
    crowd = Crowd(answers=(1, 2, 3, 4), waits_s=(0.5,) * 4, total_s=2.0)
    assert crowd.rate == 2.0
    assert crowd.fair_wait_s(32) == 16.0


def test_an_error_of_one_visitor_is_an_error_of_the_crowd():
    def visitor(number: int) -> float:
        return 1 / number

    with pytest.raises(ZeroDivisionError):
        send_all([visitor, visitor], [1, 0, 2])


def test_photos_all_differ_and_show_what_the_first_of_their_kind_shows(tmp_path):
    paths = write_photos(tmp_path, 82)
    assert len({path.read_bytes() for path in paths}) == 82
    pictures = [decode_image(path) for path in paths]
    assert {picture.size for picture in pictures} == {SIZE_PX}
    assert len({picture.tobytes() for picture in pictures[:80]}) == 80
    assert pictures[80].tobytes() == pictures[0].tobytes()
    with Image.open(paths[5]) as picture:
        assert picture.info["comment"] == b"photo 00000005"


def test_a_cached_variant_is_one_that_both_libraries_find(tmp_path):
    import transformers

    write_cached("s12", tmp_path / "hub")
    assert availability("s12", cache_dir=tmp_path / "hub").state == "cached"
    ours = load_checkpoint("s12", cache_dir=tmp_path / "hub", local_files_only=True).model
    theirs = transformers.PoolFormerForImageClassification.from_pretrained(
        "sail/poolformer_s12", cache_dir=tmp_path / "hub", local_files_only=True
    )
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(ours(x).logits, theirs(x).logits, atol=1e-4, rtol=0)


def test_visits_know_their_answers(tmp_path):
    visits = plan_visits(PoolFormerService(), tmp_path, ["tiny"], 3, 10)
    assert len({visit.picture for visit in visits}) == 10
    refused = [visit for visit in visits if visit.refusal]
    assert [visits.index(visit) for visit in refused] == [4, 9]
    assert all(visit.picture.name in visit.refusal for visit in refused)
    assert all(len(visit.scores) == 5 for visit in visits if visit not in refused)
    assert visits[0].scores != visits[1].scores


def test_a_visit_complains_of_anything_but_its_own_answer():
    good = Visit(Path("cat.jpg"), "tiny", scores=(0.7, 0.2))
    assert good.complaint((0.7, 0.2), "") == ""
    assert good.complaint((0.6, 0.2), "") == "cat.jpg: another picture's answer"
    assert good.complaint((), "busy") == "cat.jpg: busy"
    bad = Visit(Path("half.jpg"), "tiny", refusal="half.jpg is truncated")
    assert bad.complaint((), "half.jpg is truncated") == ""
    assert bad.complaint((), "other.jpg is truncated") == "half.jpg: other.jpg is truncated"
    assert bad.complaint((0.7, 0.2), "") == "half.jpg: was not refused"


def test_quick_is_one_round_of_the_first_of_each(tmp_path):
    assert Plan(tmp_path).rounds(7) == 7
    assert Plan(tmp_path).some(("s12", "m48")) == ("s12", "m48")
    quick = Plan(tmp_path, quick=True)
    assert quick.rounds(7) == 1
    assert quick.some(("s12", "m48")) == ("s12",)


def test_bench_prints_a_table_and_writes_json(tmp_path, capsys):
    assert main(["bench", "--quick", "--only", "forward", "--json", str(tmp_path / "bench.json")]) == 0
    printed = capsys.readouterr().out
    content = json.loads((tmp_path / "bench.json").read_text())
    assert [row["opponent"] for row in content["rows"]] == ["transformers", "its convolutions alone"]
    faster, limit = content["rows"]
    assert faster["what"] == "forward: s12, float32, batch 1"
    assert faster["ratio"] == pytest.approx(faster["theirs"]["median"] / faster["ours"]["median"])
    assert limit["ratio"] == pytest.approx(limit["ours"]["median"] / limit["theirs"]["median"])
    assert (faster["at_least"], limit["at_most"]) == (1.5, 1.2)
    assert "| forward: s12, float32, batch 1 | ms | " in printed
    assert f"torch {torch.__version__}" in content["surroundings"]["libraries"]
    assert content["surroundings"]["libraries"] in printed
    assert content["surroundings"]["date"] in printed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "forward,speed"], "There is no benchmark 'speed'; choose from forward, "),
        (["--requests", "7"], "--requests is 7; give it at least 200."),
        (["--json", "absent/bench.json"], "There is no folder for absent"),
    ],
)
def test_wrong_options_are_a_sentence_before_anything_is_measured(arguments, said, capsys):
    assert main(["bench", *arguments]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith(f"poolformer: {said}")
    assert captured.out == ""


def test_a_missing_library_is_a_sentence(monkeypatch, capsys):
    monkeypatch.setattr(command, "NEEDED", ("torch", "a_library_that_is_not_there"))
    assert main(["bench", "--quick"]) == 1
    assert capsys.readouterr().err == (
        "poolformer: The benchmarks need a_library_that_is_not_there; install requirements-dev.txt.\n"
    )


def test_without_a_checkout_there_are_no_benchmarks(tmp_path):
    (tmp_path / "poolformer").symlink_to(ROOT / "poolformer")
    result = subprocess.run(
        [sys.executable, "-P", "-m", "poolformer", "bench"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
    )
    assert result.returncode == 1
    assert result.stderr == ("poolformer: There are no benchmarks here; run this in a checkout of the repository.\n")


def test_every_group_is_there():
    for group in command.GROUPS:
        assert (ROOT / "benchmarks" / f"{group}.py").is_file(), group


@pytest.mark.parametrize("module", [command, table, visitor])
def test_the_examples_in_the_benchmarks_are_right(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
