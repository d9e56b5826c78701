"""The scripts are checked by TypeScript, and every screen by axe in both themes."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from api_desk import Desk
from browser_tools import tools
from playwright.sync_api import Browser, expect

SCRIPTS = Path(__file__).parents[2] / "api" / "dashboard" / "static" / "js"
SCREENS = (
    "/",
    "/?sel=I-1",
    "/incidents/I-1",
    "/anomalies/A-1",
    "/diagnoses/D-1",
    "/chat",
    "/explore",
    "/explore?view=lines",
    "/explore?view=pca",
    "/history",
    "/history?compare=I-1",
    "/performance",
    "/status",
    "/demo",
    "/docs",
)
OPTIONS = {
    "checkJs": True,
    "allowJs": True,
    "noEmit": True,
    "strict": True,
    "noUncheckedIndexedAccess": True,
    "target": "ES2022",
    "module": "ES2022",
    "moduleResolution": "bundler",
    "lib": ["ES2022", "DOM", "DOM.Iterable"],
    "types": [],
}


def test_typescript_finds_nothing_wrong_in_the_scripts(tmp_path: Path) -> None:
    compiler = tools() / ".bin" / "tsc"
    config = tmp_path / "tsconfig.json"
    config.write_text(json.dumps({"compilerOptions": OPTIONS, "include": [f"{SCRIPTS}/*.js"]}))
    done = subprocess.run([compiler, "-p", config], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_module_is_checked_and_fits_a_sitting() -> None:
    for path in SCRIPTS.glob("*.js"):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert lines[0] == "// @ts-check", path.name
        assert len(lines) <= 200, path.name
        # Lines are joined on their way out: a comment at the end of one would swallow the next.
        assert not [line for line in lines if re.search(r"\S.*(?<!:)//", line)], path.name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(browser: Browser, desk: Desk, scheme: str) -> None:
    axe = (tools() / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)  # type: ignore[arg-type]
    page = context.new_page()
    found = []
    for path in SCREENS:
        page.goto(f"{desk.url}{path}", wait_until="load")
        expect(page.locator("#live-dot")).to_have_attribute("data-state", "live")
        page.evaluate(axe)
        result = page.evaluate("axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] })")
        found += [
            (path, one["id"], node["html"][:120]) for one in result["violations"] for node in one["nodes"][:3]
        ]
    context.close()
    assert found == []
