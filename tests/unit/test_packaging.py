"""What is in the repository is what a user gets, and our names are not taken by a dependency."""

import importlib.metadata
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SHIPPED = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]


def test_every_package_is_shipped() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages == set(SHIPPED)


def test_our_top_level_names_are_not_taken_by_a_dependency() -> None:
    owners = importlib.metadata.packages_distributions()
    for name in SHIPPED:
        assert set(owners.get(name, ["llm-analyst"])) == {"llm-analyst"}, name


def test_no_file_names_the_host_of_a_package_index() -> None:
    hosts = ("pypi." + "org", "pythonhosted." + "org", "registry." + "npmjs")
    texts = [path for path in ROOT.glob("*") if path.is_file() and path.name != "uv.lock"]
    for path in texts:
        content = path.read_text(encoding="utf-8", errors="replace")
        assert not [host for host in hosts if host in content], path.name
