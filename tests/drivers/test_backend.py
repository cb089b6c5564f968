"""The C backend of seabreeze waits eleven days for a lost answer: it must not come in, by no door."""

import ast
import subprocess
import sys
from pathlib import Path

PACKAGES = [Path(__file__).parents[2] / "drivers" / "oesd_drivers", Path(__file__).parents[2] / "daemon" / "oesd"]
SOURCES = [path for package in PACKAGES for path in sorted(package.rglob("*.py"))]


def imported(path: Path) -> set[str]:
    """Every module that a file names in an import."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}


def test_only_the_pure_python_backend_is_imported_and_in_one_place() -> None:
    texts = {path: path.read_text() for path in SOURCES}
    named = {path.name: imported(path) for path, text in texts.items() if "seabreeze" in text}
    found = {file: {name for name in names if name.startswith("seabreeze")} for file, names in named.items()}
    assert {file for file, names in found.items() if names} == {"library.py"}
    assert all(name.startswith("seabreeze.pyseabreeze") for name in found["library.py"])
    assert not [path for path, text in texts.items() if "cseabreeze" in text]


def test_a_worker_has_not_loaded_it() -> None:
    code = "import oesd_drivers.worker, sys; print([m for m in sys.modules if 'cseabreeze' in m])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert loaded.stdout == "[]\n"
