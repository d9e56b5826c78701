"""The dashboard's pages: server-rendered, complete without JavaScript, with a Markdown twin each."""

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse

from api.auth import COOKIE, READ, Caller, allow, check_csrf
from api.dashboard import anomaly_view, openapi_page, overview, views
from api.dashboard.incident_list import Sort
from api.dashboard.packed import PackedRoute
from api.dashboard.render import page
from api.dashboard.saved_views import Saved
from api.doors import Door, Doors, Operator, Reader
from api.feedback import Verdict, give
from api.report import anomaly_report, diagnosis_report, incident_report
from api.routes import diagnoses, incidents
from domain.anomaly import Severity
from domain.feedback import AnomalyVerdict, DiagnosisVerdict
from domain.incident import IncidentStatus

router = APIRouter(include_in_schema=False, route_class=PackedRoute)
Csrf = Annotated[str, Form(max_length=200)]
_MARKDOWN = ".md"


class OverviewQuery(BaseModel):
    """The address of the overview; `sel` is the selected row."""

    state: overview.State = "open"
    sort: Sort = "severity"
    severity: Severity | Literal[""] = ""
    source: str = Field(default="", max_length=100)
    q: str = Field(default="", max_length=200)
    page: int = Field(default=0, ge=0, le=1_000)
    cursor: str | None = Field(default=None, max_length=500)
    sel: str = Field(default="", max_length=100)


class DiagnosisForm(BaseModel):
    """What the buttons of a diagnosis send; `cancel` is the one without a value of its own."""

    csrf: str = Field(max_length=200)
    verdict: DiagnosisVerdict | None = None
    actual_cause: str = Field(default="", max_length=200)
    comment: str = Field(default="", max_length=2_000)
    action: int | None = Field(default=None, ge=1, le=10_000)
    done: bool = True
    cancel: str = ""


@router.get("/")
def the_overview(
    door: Door, caller: Reader, saved: Saved, chosen: Annotated[OverviewQuery, Query()]
) -> Response:
    """Is anything wrong now, how much does it cost, is somebody on it?"""
    choice = overview.Choice(**chosen.model_dump(exclude={"sel"}))
    return page(
        door, caller, "overview.html", overview.overview(door, choice, caller, chosen.sel), saved=saved
    )


@router.get("/incidents/{incident_id}")
def incident(door: Door, caller: Reader, incident_id: str) -> Response:
    """One incident."""
    if incident_id.endswith(_MARKDOWN):
        return _markdown(_incident_text(door, incident_id.removesuffix(_MARKDOWN)))
    return page(door, caller, "incident.html", views.incident_view(door, incident_id, caller))


@router.post("/incidents/{incident_id}")
def change_incident(
    door: Door, caller: Operator, incident_id: str, csrf: Csrf, status: Annotated[IncidentStatus, Form()]
) -> Response:
    """Acknowledge, resolve or open again."""
    check_csrf(caller, csrf)
    incidents.change_incident(door, caller, incident_id, incidents.IncidentChange(status=status))
    return RedirectResponse(f"/incidents/{incident_id}", 303)


@router.get("/anomalies/{anomaly_id}")
def anomaly(
    door: Door,
    caller: Reader,
    anomaly_id: str,
    window: Literal["1h", "6h", "24h", "7d"] = "24h",
    first: Annotated[int | None, Query(alias="from", ge=0, le=7_258_118_400)] = None,
    to: Annotated[int | None, Query(ge=0, le=7_258_118_400)] = None,
) -> Response:
    """What moved, when, how far from expected?"""
    if anomaly_id.endswith(_MARKDOWN):
        return _markdown(anomaly_report(door.stores.anomalies.get(anomaly_id.removesuffix(_MARKDOWN))))
    brushed = (first, to) if first is not None and to is not None else None
    shown = anomaly_view.anomaly_view(door, anomaly_id, window, brushed, caller)
    return page(door, caller, "anomaly.html", shown)


@router.post("/anomalies/{anomaly_id}")
def act_on_anomaly(
    door: Door,
    caller: Operator,
    anomaly_id: str,
    csrf: Csrf,
    verdict: Annotated[AnomalyVerdict | None, Form()] = None,
) -> Response:
    """Judge it, or without a verdict diagnose it."""
    check_csrf(caller, csrf)
    found = door.stores.anomalies.get(anomaly_id)
    if verdict is not None:
        give(door, caller, Verdict("anomaly", found.id, verdict))
        return RedirectResponse(f"/anomalies/{found.id}", 303)
    started = diagnoses.start(door, diagnoses.Investigation(anomaly_id=found.id))
    return RedirectResponse(f"/diagnoses/{started}", 303)


@router.get("/diagnoses/{diagnosis_id}")
def diagnosis(door: Door, caller: Reader, diagnosis_id: str) -> Response:
    """Why do you believe it, what else could it be, what do I do first?"""
    if diagnosis_id.endswith(_MARKDOWN):
        return _markdown(diagnosis_report(door.stores.diagnoses.get(diagnosis_id.removesuffix(_MARKDOWN))))
    return page(door, caller, "diagnosis.html", views.diagnosis_view(door, diagnosis_id, caller))


@router.post("/diagnoses/{diagnosis_id}")
def act_on_diagnosis(
    door: Door,
    caller: Operator,
    diagnosis_id: str,
    form: Annotated[DiagnosisForm, Form()],
) -> Response:
    """Judge it, tick one of its actions, or with neither cancel it."""
    check_csrf(caller, form.csrf)
    found = door.stores.diagnoses.get(diagnosis_id)
    if form.verdict is not None:
        cause, comment = form.actual_cause.strip() or None, form.comment.strip() or None
        give(door, caller, Verdict("diagnosis", found.id, form.verdict, cause, comment))
    elif form.action is not None:
        diagnoses.tick_action(door, caller, found.id, form.action, diagnoses.ActionChange(done=form.done))
    else:
        diagnoses.cancel_diagnosis(door, caller, found.id)
    return RedirectResponse(f"/diagnoses/{found.id}", 303)


@router.get("/login")
def login(door: Door) -> Response:
    """Ask for a token; without configured tokens there is nothing to sign in to."""
    if not door.book:
        return RedirectResponse("/", 303)
    return page(door, None, "login.html", None, wrong=False)


@router.post("/login")
def sign_in(request: Request, door: Door, token: Annotated[str, Form(max_length=4_096)]) -> Response:
    """Exchange a token for a signed cookie."""
    lifetime = timedelta(hours=door.settings.session_hours)
    cookie = door.book.sign_in(token.strip().encode("utf-8", "replace"), door.service.real_now() + lifetime)
    if cookie is None:
        return page(door, None, "login.html", None, wrong=True, status=401)
    response = RedirectResponse("/", 303)
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=int(lifetime.total_seconds()),
        httponly=True,
        samesite="lax",
        # Behind a proxy that ends TLS the request itself looks plain.
        secure=request.url.scheme == "https" or (door.settings.public_url or "").startswith("https:"),
    )
    return response


@router.post("/logout")
def sign_out(caller: Annotated[Caller, allow(READ)], csrf: Csrf) -> Response:
    """Forget the cookie."""
    check_csrf(caller, csrf)
    response = RedirectResponse("/login", 303)
    response.delete_cookie(COOKIE)
    return response


@router.get("/docs")
def docs(request: Request, door: Door, caller: Reader) -> Response:
    """The API, readable."""
    return page(door, caller, "docs.html", None, **openapi_page.content(request.app.openapi()))


@router.get("/openapi.json")
def openapi(request: Request, _caller: Reader) -> Response:
    """The API, machine-readable."""
    return JSONResponse(request.app.openapi())


def _incident_text(door: Doors, incident_id: str) -> str:
    found = door.stores.incidents.get(incident_id)
    return incident_report(found, views.members(door, found), views.diagnosis_of(door, found))


def _markdown(text: str) -> Response:
    return PlainTextResponse(text, media_type="text/markdown")
