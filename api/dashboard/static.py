"""Style sheets and scripts: first-party only, versioned by content, cached for ever."""

import hashlib
import os
from functools import cache
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_FOLDER = Path(__file__).parent / "static"


class VersionedFiles(StaticFiles):
    """Static files; an address with its version may be cached for ever."""

    def __init__(self) -> None:
        super().__init__(directory=_FOLDER)

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        versioned = b"v=" in scope["query_string"]
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if versioned else "no-cache"
        return response


@cache
def address(name: str) -> str:
    """The address of a file with the version of its content, such as `/static/css/app.css?v=1f2e3d4c`."""
    digest = hashlib.sha256((_FOLDER / name).read_bytes()).hexdigest()[:8]
    return f"/static/{name}?v={digest}"
