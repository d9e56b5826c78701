"""The desk is a foreign world: it knows nothing of the product that watches it."""

import ast
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "collectors" / "simulator"
MODULES = sorted(FOLDER.glob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_the_desk_uses_only_shared_words_and_numbers(path: Path) -> None:
    imported: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    for name in imported:
        root = name.split(".")[0]
        ours = name.startswith("collectors.simulator")
        assert ours or root in {"domain", "numpy"} or root in sys.stdlib_module_names, name
