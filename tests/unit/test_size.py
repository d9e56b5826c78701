"""The longest function and the largest module decay first, so a machine watches them."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = (
    "agent",
    "alerts",
    "api",
    "collectors",
    "db",
    "detectors",
    "domain",
    "evaluation",
    "prompts",
    "service",
)
MODULES = sorted(
    path
    for room in ROOMS
    for path in (ROOT / room).rglob("*.py")
    if "migrations/versions" not in path.as_posix()
)
MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 40
JUNK = {"utils", "util", "helpers", "helper", "common", "misc", "tools_misc"}


def _code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef, source: list[str]) -> int:
    body = node.body[1:] if ast.get_docstring(node) else node.body
    if not body:
        return 0
    lines = source[body[0].lineno - 1 : node.end_lineno]
    return sum(1 for line in lines if line.strip() and not line.strip().startswith("#"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_fits_a_sitting_and_its_functions_a_screen(path: Path) -> None:
    source = path.read_text(encoding="utf-8").splitlines()
    assert len(source) <= MAX_MODULE_LINES, f"{path}: {len(source)} lines"
    for node in ast.walk(ast.parse("\n".join(source))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert _code_lines(node, source) <= MAX_FUNCTION_LINES, f"{path}: {node.name}"


def test_no_module_is_a_junk_drawer() -> None:
    assert not [path for path in MODULES if path.stem in JUNK]


def test_no_package_below_tests() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))
