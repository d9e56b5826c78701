"""Development tools from npm, installed outside the repository when a test needs them."""

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

TOOLS = ("axe-core@4.14.1", "typescript@5.9")


@cache
def _installed() -> Path | str:
    npm = shutil.which("npm")
    if npm is None:
        return "npm is not installed"
    folder = Path(tempfile.gettempdir()) / "llm-analyst-browser-tools"
    if not (folder / "node_modules" / "typescript").exists():
        folder.mkdir(exist_ok=True)
        command = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--silent", *TOOLS]
        try:
            done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        except subprocess.TimeoutExpired:
            return "npm did not answer within a minute"
        if done.returncode:
            return "npm cannot reach a registry"
    return folder / "node_modules"


def tools() -> Path:
    """The folder of the installed packages; skips the test, with the reason, where there are none."""
    found = _installed()
    if isinstance(found, str):
        pytest.skip(found)
    return found
