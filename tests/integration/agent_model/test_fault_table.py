"""The table of what faults of a model come to, in its short form: some rows of `benchmarks/faults.py`."""

import importlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from evaluation.fake_model.behaviours import BEHAVIOURS

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture(scope="module")
def faults() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        before = structlog.get_config()
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
        yield importlib.import_module("faults")
        structlog.configure(**before)


@pytest.fixture(scope="module")
def desk(faults: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("faults") / "desk.db"
    faults.build_desk(path, 7, 1)
    return path


def test_the_table_has_a_row_for_every_behaviour_with_the_kind_of_fault_that_it_is(faults: Any) -> None:
    assert set(BEHAVIOURS) <= set(faults.RIGHT)
    named = {name for row in faults.RIGHT.values() for name in row.faults.replace("-F", " F").split()}
    assert {"F60", "F61", "F62", "F63", "F64", "F65", "F66", "F67", "F68", "F69", "F70", "F72"} <= named
    assert {"F73", "F74", "F76", "F77", "F79"} <= named


def test_a_row_of_the_table_is_as_it_must_be(faults: Any, desk: Path, tmp_path: Path) -> None:
    row = faults.measure("inventing", desk, tmp_path, 20.0)
    assert row.wrong(20.0) == []


@pytest.mark.endurance
def test_every_row_of_the_table_is_as_it_must_be(faults: Any) -> None:
    assert faults.main(["--timeout", "20"]) == 0


def test_a_wrong_row_is_told_as_such(faults: Any) -> None:
    did = faults.Did("nobody", 9, 99.0, 1.0, "no reason", "see https://evil.example")
    row = faults.Row("hang", 1.0, "failed", (0, 2), did, did)
    wrong = row.wrong(15.0)
    assert "the cycle" in wrong
    assert len(wrong) == 1 + 2 * 6
