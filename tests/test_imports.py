"""The arrows of the design: who may import whom."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "poolformer"
MODULES = sorted(PACKAGE.rglob("*.py"))
LOW = {"errors", "lazy"}
ALLOWED = {
    "errors": set(),
    "lazy": set(),
    "nn": {"nn"},
    "images": {"images", "nn"},
    "weights": {"weights", "images", "nn"},
    "inspection": {"inspection", "nn"},
    "render": {"render"},
    "inference": {"inference", "weights", "images", "nn"},
    "service": {"inference", "inspection", "render", "weights", "images", "nn"},
    "folders": {"folders", "service", "inference", "weights", "images"},
    "training": {"training", "inference", "render", "nn", "images", "weights"},
    "ui": {"ui", "service", "inspection", "render", "weights", "images", "nn"},
    "__main__": {"folders", "service", "inference", "training", "inspection", "render", "weights", "images", "nn"},
    "__init__": {"weights"},
}
# The one importer of the Hub, and the users of the page's library.
HOME_OF = {"huggingface_hub": {"weights"}, "gradio": {"ui"}, "transformers": set(), "matplotlib": {"render"}}


def room(module: Path) -> str:
    """The folder, or the top-level module, that a file belongs to."""
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(module: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively; this project names modules in full"
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return names


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_import_arrow_runs_backwards(module):
    rooms = {name.split(".")[1] for name in imported(module) if name.startswith("poolformer.")}
    assert rooms - LOW <= ALLOWED[room(module)]


@pytest.mark.parametrize("library", HOME_OF)
def test_a_library_is_imported_only_where_it_belongs(library):
    users = {room(module) for module in MODULES if any(name.split(".")[0] == library for name in imported(module))}
    assert users <= HOME_OF[library]


def test_only_one_file_imports_the_hub():
    users = [module for module in MODULES if any(name.startswith("huggingface_hub") for name in imported(module))]
    assert [module.name for module in users] == ["hub.py"]


def loaded_by(code):
    """The names of all modules that are loaded once `code` has run, in a process of its own."""
    code += "\nimport sys; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    return set(ran.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("poolformer", {"torch", "numpy", "gradio"}),
        ("poolformer.nn", {"torch", "numpy"}),
        ("poolformer.nn.fused", {"PIL", "gradio", "huggingface_hub"}),
        ("poolformer.images.decode", {"torch"}),
        ("poolformer.images.processing", {"torch"}),
        ("poolformer.weights.availability", {"torch", "gradio"}),
        ("poolformer.service", {"torch", "matplotlib", "gradio"}),
    ],
)
def test_importing_a_layer_does_not_load_what_lies_above_it(module, absent):
    assert loaded_by(f"import {module}") & absent == set()


def test_the_page_is_served_before_torch_is_loaded(tmp_path):
    modules = loaded_by(f"""
from pathlib import Path
import gradio
from fastapi import FastAPI
from fastapi.testclient import TestClient
import poolformer.ui.launch
from poolformer.service import PoolFormerService
from poolformer.ui.page import TITLE, build_demo
demo = build_demo(PoolFormerService(cache_dir=Path({str(tmp_path)!r})))
page = TestClient(gradio.mount_gradio_app(FastAPI(), demo, path="/")).get("/")
assert page.status_code == 200 and TITLE in page.text, page.text
""")
    assert "poolformer.ui.page" in modules
    assert modules & {"torch", "matplotlib", "scipy", "safetensors.torch"} == set()


def test_a_variant_runs_without_the_compiler_of_torch():
    run = loaded_by("""
import torch
from poolformer.inference.loading import load_variant
load_variant("tiny").network(torch.zeros(1, 3, 32, 32))
""")
    assert run & {"sympy", "torch._dynamo", "torch._inductor", "torch.fx.experimental.symbolic_shapes"} == set()


def test_every_public_name_is_there():
    import poolformer

    for name in poolformer.__all__:
        assert getattr(poolformer, name).__name__ == name
    with pytest.raises(AttributeError, match="nothing"):
        _ = poolformer.nothing
