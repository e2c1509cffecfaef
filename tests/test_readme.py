"""The README says what the repository does."""

import json
import re
from pathlib import Path

import pytest

from poolformer.__main__ import build_parser
from poolformer.service import PoolFormerService
from poolformer.weights.variants import VARIANT_NAMES, variant

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RUN = "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt && .venv/bin/python app.py"
TEST = (
    "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt -r requirements-dev.txt"
    " && .venv/bin/python -m pytest"
)


def test_there_are_exactly_two_set_up_commands():
    assert [line for line in README.splitlines() if line.startswith("python3 -m venv")] == [RUN, TEST]


def test_ci_reads_the_test_command_from_the_readme():
    script = (ROOT / ".ci" / "run").read_text()
    pattern = re.search(r"grep -E '(.+)' README\.md", script).group(1)
    assert re.findall(f"{pattern}$", README, re.MULTILINE) == [TEST]
    assert "pip install" not in script


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_requirements_are_pinned_exactly(name):
    lines = (ROOT / name).read_text().split()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)
    assert lines == sorted(lines)


def test_the_space_runs_the_gradio_that_is_pinned():
    pinned = re.search(r"gradio==(\S+)", (ROOT / "requirements.txt").read_text()).group(1)
    assert f"sdk_version: {pinned}\n" in README


@pytest.mark.parametrize("name", VARIANT_NAMES)
def test_the_table_states_what_the_code_states(name):
    facts = variant(name)
    row = next(line for line in README.splitlines() if line.startswith(f"| {name} |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1] == ", ".join(map(str, facts.depths))
    assert cells[2] == ", ".join(map(str, facts.hidden_sizes))
    for cell, value in zip(cells[3:6], (facts.parameters_m, facts.macs_g, facts.top1_percent), strict=True):
        decimals = len(cell.partition(".")[2])
        assert cell == f"{value:.{decimals}f}"
    assert cells[6] == facts.dataset


def test_every_command_of_the_readme_is_one_that_the_parser_takes():
    commands = re.findall(r"^\.venv/bin/python -m poolformer (.+)$", README, re.MULTILINE)
    assert {command.split()[0] for command in commands} == {
        "classify",
        "train",
        "evaluate",
        "mixers",
        "convert",
        "bench",
    }
    for command in commands:
        assert build_parser().parse_args(command.replace(" ...", "").split())


def test_every_file_that_the_readme_links_is_there():
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_card_and_the_page_state_the_measured_accuracy():
    metrics = json.loads((ROOT / "assets" / "tiny" / "metrics.json").read_text())
    assert f"| {metrics['top1']:.2f}% |" in (ROOT / "assets" / "tiny" / "README.md").read_text()
    assert PoolFormerService().variants()[0].variant.top1_percent == metrics["top1"]
    assert metrics["images"] == 10_000
    assert metrics["top1"] >= 88


def test_every_test_that_the_security_page_names_is_there():
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:tests|poolformer)/[\w/.]+)`", text)
    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []
