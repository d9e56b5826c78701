"""The OpenAPI document, sorted for reading."""

from collections.abc import Mapping
from typing import Any


def content(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What the template of the API page needs."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in spec["paths"].items():
        for method, operation in methods.items():
            tag = operation.get("tags", ["other"])[0]
            groups.setdefault(tag, []).append(_operation(path, method, operation))
    return {"spec": spec, "groups": sorted(groups.items())}


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    body: dict[str, dict[str, Any]] = operation.get("requestBody", {}).get("content", {})
    schema: dict[str, Any] = next((media.get("schema", {}) for media in body.values()), {})
    named = str(schema.get("$ref", "")).rpartition("/")[2]
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": operation.get("summary", ""),
        "description": operation.get("description", ""),
        "parameters": [
            {"description": "", "required": False, **one} for one in operation.get("parameters", [])
        ],
        "body": f"{', '.join(body)}{f' ({named})' if named else ''}",
        "responses": [
            (status, answer.get("description", "")) for status, answer in operation["responses"].items()
        ],
    }
