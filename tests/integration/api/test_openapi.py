"""The OpenAPI document is true: whatever is sent, each answer is one that it describes, and never a 5xx."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from openapi_walk import operations, seeded_app, walk

# Enough to go through every operation in some seconds; the long form takes minutes.
SHORT, LONG = 4, 300


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    with seeded_app(tmp_path_factory.mktemp("openapi")) as app:
        yield app


@pytest.fixture(scope="module")
def documented(app: FastAPI) -> dict[str, Any]:
    return operations(app)


@pytest.mark.filterwarnings("ignore")
def test_a_few_generated_requests_of_each_operation_are_answered_as_documented(
    documented: dict[str, Any],
) -> None:
    assert len(documented) > 50
    for operation in documented.values():
        walk(operation, SHORT)


@pytest.mark.endurance
@pytest.mark.filterwarnings("ignore")
def test_many_generated_requests_of_each_operation_are_answered_as_documented(
    documented: dict[str, Any],
) -> None:
    names = sorted(documented)
    random.Random(7).shuffle(names)
    for name in names:
        walk(documented[name], LONG)


def test_every_operation_says_what_it_does_and_what_may_go_wrong(app: FastAPI) -> None:
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            where = f"{method.upper()} {path}"
            assert operation.get("description") or operation.get("summary"), where
            if path in {"/health", "/ready"}:
                continue
            needed = {"401", "403", "405", "421", "422", "429", "503"}
            if "requestBody" in operation:
                needed |= {"400", "408", "413", "415"}
            if "{" in path:
                needed |= {"404"}
            assert needed <= operation["responses"].keys(), (where, needed - operation["responses"].keys())
