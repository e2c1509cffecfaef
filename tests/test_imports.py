"""The arrows of the design: who may import whom."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "poolformer"
MODULES = sorted(PACKAGE.rglob("*.py"))
LOW = {"errors"}
ALLOWED = {
    "errors": set(),
    "nn": {"nn"},
    "images": {"images", "nn"},
    "weights": {"weights", "images", "nn"},
    "inspection": {"inspection", "nn"},
    "render": {"render"},
    "service": {"inspection", "render", "weights", "images", "nn"},
    "training": {"training", "render", "nn", "images", "weights"},
    "ui": {"ui", "service", "inspection", "render", "weights", "images", "nn"},
    "__main__": {"service", "training", "inspection", "render", "weights", "images", "nn"},
    "__init__": set(),
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


@pytest.mark.parametrize(
    ("module", "absent"),
    [("poolformer", {"torch", "numpy", "gradio"}), ("poolformer.nn", {"PIL", "gradio", "huggingface_hub"})],
)
def test_importing_a_layer_does_not_load_what_lies_above_it(module, absent):
    code = f"import sys, {module}; print(*sorted({absent!r} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert found.stdout.strip() == ""


def test_every_public_name_is_there():
    import poolformer

    for name in poolformer.__all__:
        assert getattr(poolformer, name).__name__ == name
    with pytest.raises(AttributeError, match="nothing"):
        _ = poolformer.nothing
