"""Style sheets and scripts: first-party only, versioned by content, cached for ever, small on the wire."""

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.problem import HttpProblem

_FOLDER = Path(__file__).parent / "static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
# Whole-line comments, indentation and the ends of lines that go on: what is left is the same program.
_COMMENT_LINES = re.compile(r"^[ \t]*(//.*|/\*\*?(?:[^*]|\*(?!/))*\*/)[ \t]*\n", re.MULTILINE)
_CASTS = re.compile(r"/\*\* [^\n]*?\*/ ?")
_INDENT = re.compile(r"^\s+", re.MULTILINE)
_OPEN_LINE = re.compile(r"([,;{(])\n")
_CLOSED_LINE = re.compile(r";?\n\}")


@dataclass(frozen=True, slots=True)
class _File:
    plain: bytes
    packed: bytes
    media_type: str


class VersionedFiles:
    """Static files under `/VERSION/NAME`; all modules share one version, so that imports stay within it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in {"GET", "HEAD"}:
            raise HttpProblem(405, "This address does not take this method; see Allow.")
        marker, _, name = str(scope["path"]).removeprefix(scope["root_path"]).lstrip("/").partition("/")
        found = _files().get(name)
        if found is None or marker != version():
            raise HttpProblem(404, "There is nothing at this address.")
        packed = "gzip" in Headers(scope=scope).get("accept-encoding", "")
        headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
        if packed:
            headers["Content-Encoding"] = "gzip"
        body = found.packed if packed else found.plain
        await Response(body, headers=headers, media_type=found.media_type)(scope, receive, send)


def address(name: str) -> str:
    """The address of a file, such as `/static/1f2e3d4c/css/app.css`."""
    return f"/static/{version()}/{name}"


def script_bytes() -> tuple[int, int]:
    """All JavaScript as it is sent: bytes plain and packed."""
    scripts = [one for name, one in _files().items() if name.endswith(".js")]
    return sum(len(one.plain) for one in scripts), sum(len(one.packed) for one in scripts)


@cache
def version() -> str:
    """Eight digits that change with any file."""
    digest = hashlib.sha256()
    for name, one in sorted(_files().items()):
        digest.update(name.encode() + one.plain)
    return digest.hexdigest()[:8]


@cache
def _files() -> dict[str, _File]:
    paths = [path for path in _FOLDER.rglob("*") if path.suffix in _TYPES]
    return {path.relative_to(_FOLDER).as_posix(): _read(path) for path in paths}


def _read(path: Path) -> _File:
    text = path.read_text(encoding="utf-8")
    plain = (text if path.suffix == ".svg" else _lean(text)).encode()
    return _File(plain, gzip.compress(plain, 9, mtime=0), _TYPES[path.suffix])


def _lean(text: str) -> str:
    short = _INDENT.sub("", _CASTS.sub("", _COMMENT_LINES.sub("", text)))
    return _OPEN_LINE.sub(r"\1", _CLOSED_LINE.sub("}", short))
