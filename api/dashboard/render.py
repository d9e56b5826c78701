"""Templates: strict about what is missing, escaping whatever they are given."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from api.auth import Caller
from api.dashboard import fmt
from api.dashboard.header import header_of
from api.dashboard.static import address
from api.doors import Doors
from api.problem import HttpProblem

_FOLDER = Path(__file__).parent / "templates"


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        static=address,
        amount=fmt.amount,
        clock=fmt.clock,
        fact_value=fmt.fact_value,
        milliseconds=fmt.milliseconds,
        money=fmt.money,
        money_range=fmt.money_range,
        number=fmt.number,
        percent=fmt.percent,
        probability=fmt.probability,
        rich_text=fmt.rich_text,
        series_name=fmt.series_name,
        short_title=fmt.short_title,
        sigma=fmt.sigma,
        signed=fmt.signed,
        when=fmt.when,
        words=fmt.words,
    )
    return environment


def page(
    door: Doors,
    caller: Caller | None,
    template: str,
    view: object,
    *,
    status: int = 200,
    **more: Any,
) -> Response:
    """Render a page; without a caller it has no header."""
    html = (
        _templates()
        .get_template(template)
        .render(
            page=template.removesuffix(".html"),
            header=header_of(door, caller) if caller else None,
            view=view,
            **more,
        )
    )
    return HTMLResponse(html, status)


def problem_page(problem: HttpProblem, title: str) -> Response:
    """An error as a page, for browsers."""
    html = (
        _templates()
        .get_template("problem.html")
        .render(page="problem", header=None, status=problem.status_code, title=title, detail=problem.detail)
    )
    return HTMLResponse(html, problem.status_code, problem.headers)
