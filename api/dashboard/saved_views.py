"""Views that a reader keeps by name: choices of the overview, the explorer and the history, in a cookie."""

import base64
import binascii
import json
import re
from typing import Annotated

from fastapi import APIRouter, Cookie, Depends, Form, Response
from starlette.responses import RedirectResponse

from api.auth import check_csrf
from api.doors import Reader
from domain.errors import InvalidInput

router = APIRouter(include_in_schema=False)
COOKIE = "analyst_views"
_MOST, _YEAR_S = 12, 365 * 86_400
_ADDRESS = re.compile(r"/(?:explore|history)?(?:\?[\w%&=+.~-]{0,400})?")
Kept = Annotated[str | None, Cookie(alias=COOKIE, max_length=4_000)]


def saved_views(cookie: Kept = None) -> dict[str, str]:
    """Names with addresses; what is no view of ours is left out."""
    try:
        found = json.loads(base64.urlsafe_b64decode(cookie or ""))
    except (binascii.Error, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        name: address
        for name, address in list(found.items())[:_MOST]
        if isinstance(address, str) and _ADDRESS.fullmatch(address)
    }


Saved = Annotated[dict[str, str], Depends(saved_views)]


@router.post("/views")
def keep_view(
    caller: Reader,
    saved: Saved,
    csrf: Annotated[str, Form(max_length=200)],
    name: Annotated[str, Form(max_length=40)],
    address: Annotated[str, Form(max_length=500)],
) -> Response:
    """Keep an address under a name; a name that is kept already with this address is forgotten."""
    check_csrf(caller, csrf)
    if not _ADDRESS.fullmatch(address):
        raise InvalidInput("address", "must be a view of the overview, the explorer or the history")
    label = " ".join(name.split()) or "view"
    others = {known: kept for known, kept in saved.items() if known != label}
    kept = others if saved.get(label) == address else dict([*others.items(), (label, address)][-_MOST:])
    response = RedirectResponse(address, 303)
    text = base64.urlsafe_b64encode(json.dumps(kept, ensure_ascii=False).encode()).decode()
    response.set_cookie(COOKIE, text, max_age=_YEAR_S, httponly=True, samesite="lax")
    return response
